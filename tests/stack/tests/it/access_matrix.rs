//! Every endpoint called with every kind of token.

use crate::routes::rows;
use crate::world::{Mode, World};
use stoa_gateway::Api;
use stoa_testkit::callers::Marketplace;
use stoa_testkit::http::Reply;

/// More than any access token lives, in milliseconds.
const LATER_MS: i64 = 2 * 3_600_000;

/// One token of each kind.
struct Tokens {
    anonymous: String,
    user: String,
    trusted: String,
    integration: String,
    operator: String,
}

impl Tokens {
    async fn of(marketplace: &Marketplace, name: &str) -> Self {
        let user = marketplace.sign_up(name).await.session.access;
        Self {
            anonymous: marketplace.anonymous().await,
            trusted: marketplace.trusted(&user).await,
            user,
            integration: marketplace.integration().await.access,
            operator: marketplace.operator().await.access,
        }
    }

    fn each(&self) -> [(char, &str); 5] {
        [
            ('A', &self.anonymous),
            ('U', &self.user),
            ('T', &self.trusted),
            ('I', &self.integration),
            ('O', &self.operator),
        ]
    }
}

fn assert_dead(reply: &Reply, code: &str, why: &str) {
    assert_eq!(reply.status, 401, "{} {why}: {}", reply.what, reply.text());
    assert_eq!(reply.codes(), [code], "{} {why}", reply.what);
}

/// Headers of every answer: private, of a fixed type, of no use in a frame; open to browsers of
/// other origins where browsers call.
fn assert_headers(reply: &Reply, is_for_browsers: bool) {
    let what = format!("{} {}", reply.what, reply.status);
    assert_eq!(reply.header("cache-control"), "no-store", "{what}");
    assert_eq!(reply.header("x-content-type-options"), "nosniff", "{what}");
    assert_eq!(
        reply.header("content-security-policy"),
        "default-src 'none'; frame-ancestors 'none'",
        "{what}"
    );
    assert_eq!(reply.header("vary"), "Accept-Encoding, Accept", "{what}");
    let origin = reply.header("access-control-allow-origin");
    assert_eq!(origin, if is_for_browsers { "*" } else { "" }, "{what}");
    assert_eq!(reply.header("set-cookie"), "", "{what}");
}

// contract: auth section 8, auth 10, auth 19, auth 20, auth 34, security S7, operator 1, operator 2
async fn every_endpoint_lets_in_exactly_the_tokens_of_the_matrix(mode: Mode) {
    let world = World::on(mode).await;
    world
        .sign_up_with("taken", serde_json::json!({ "email": "taken@example.com" }))
        .await;
    let live = Tokens::of(&world, "live").await;
    for row in rows() {
        for (letter, token) in live.each() {
            let reply = row.call(&world.http).token(token).send().await;
            let what = format!("{} by {letter}: {}", reply.what, reply.text());
            if row.letters.contains(letter) {
                assert!(
                    ![401, 403].contains(&reply.status),
                    "{} {what}",
                    reply.status
                );
                assert!(reply.status < 500, "{} {what}", reply.status);
            } else {
                assert_eq!(reply.status, 403, "{what}");
                assert_eq!(reply.codes(), ["forbidden"], "{what}");
            }
            assert_headers(&reply, row.api == Api::Marketplace);
        }
    }
}

// contract: auth section 8, security S4, security S59, wire W16
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_endpoint_refuses_missing_and_dead_tokens_with_401() {
    let world = World::start().await;
    let expired = Tokens::of(&world, "expired").await;
    world.later(LATER_MS);

    // The session of a trusted token is that of its user's token.
    let person = world.sign_up("revoked").await;
    let trusted = world.trusted(person.token()).await;
    world.log_out(&person.session).await.expect(200);
    let integration = world.integration().await;
    world.log_out(&integration).await.expect(200);
    let operator = world.operator().await;
    world.log_out(&operator).await.expect(200);
    let revoked = [
        ('U', person.token()),
        ('T', &trusted),
        ('I', &integration.access),
        ('O', &operator.access),
    ];
    // The gateway hears of a logout through a feed.
    for (_, token) in revoked {
        eventually_dead(&world, token).await;
    }
    let garbage = ["x", "a.b.c", &person.token()[..40], "~u", "Bearer"];

    for row in rows() {
        let is_for_browsers = row.api == Api::Marketplace;
        let reply = row.call(&world.http).send().await;
        assert_dead(&reply, "auth-missing-access-token", "without token");
        assert_headers(&reply, is_for_browsers);
        for (letter, token) in expired.each() {
            let reply = row.call(&world.http).token(token).send().await;
            assert_dead(
                &reply,
                "auth-invalid-access-token",
                &format!("expired {letter}"),
            );
        }
        for (letter, token) in revoked {
            let reply = row.call(&world.http).token(token).send().await;
            assert_dead(
                &reply,
                "auth-invalid-access-token",
                &format!("revoked {letter}"),
            );
        }
        for token in garbage {
            let reply = row.call(&world.http).token(token).send().await;
            assert_dead(&reply, "auth-invalid-access-token", token);
            assert_headers(&reply, is_for_browsers);
        }
        let reply = row.call(&world.http).header("authorization", "Basic eDp5");
        assert_eq!(reply.send().await.status, 401, "{}", row.path);
    }
}

async fn eventually_dead(world: &World, token: &str) {
    // Any API tells a dead token from one of another audience.
    crate::soon(|| async { world.read("/v1/api/marketplace/show", token).await.status == 401 })
        .await;
}

// contract: auth section 6.1, security S4
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_token_endpoint_needs_no_token_and_revoking_needs_a_live_one() {
    let world = World::start().await;
    let live = Tokens::of(&world, "live").await;
    let grant = [
        ("grant_type", "client_credentials"),
        ("scope", "public-read"),
        ("client_id", world.credential("marketplaceClientId")),
    ];
    let revoke = [("token", "no refresh token")];
    let (token_path, revoke_path) = ("/v1/auth/token", "/v1/auth/revoke");
    for token in live
        .each()
        .map(|(_, token)| Some(token))
        .into_iter()
        .chain([None, Some("garbage")])
    {
        let reply = world.http.post(token_path).maybe_token(token).form(&grant);
        let reply = reply.send().await.expect(200);
        assert_headers(&reply, true);
    }
    for (_, token) in live.each() {
        let reply = world.http.post(revoke_path).token(token).form(&revoke);
        let reply = reply.send().await.expect(200);
        assert_headers(&reply, true);
    }
    let bare = world.http.post(revoke_path).form(&revoke).send().await;
    assert_dead(&bare, "auth-missing-access-token", "without token");
    assert_headers(&bare, true);
    world.later(LATER_MS);
    for token in live
        .each()
        .map(|(_, token)| token)
        .into_iter()
        .chain(["garbage"])
    {
        let reply = world.http.post(revoke_path).token(token).form(&revoke);
        assert_dead(&reply.send().await, "auth-invalid-access-token", "dead");
    }
}

// contract: security S3
async fn a_token_opens_the_api_of_its_audience_and_no_other(mode: Mode) {
    let world = World::on(mode).await;
    let live = Tokens::of(&world, "live").await;
    for (prefix, path, letters) in [
        ("/v1/api/", "marketplace/show", "AUT"),
        ("/v1/integration_api/", "marketplace/show", "I"),
        ("/v1/operator_api/", "users/query", "O"),
    ] {
        for (letter, token) in live.each() {
            let reply = world.read(&format!("{prefix}{path}"), token).await;
            let expected = if letters.contains(letter) { 200 } else { 403 };
            assert_eq!(reply.status, expected, "{prefix}{path} by {letter}");
        }
    }
}

// contract: security S4
async fn tokens_count_only_in_the_header(mode: Mode) {
    let world = World::on(mode).await;
    let live = Tokens::of(&world, "live").await;
    for row in rows() {
        for (_, token) in live.each() {
            let query = format!("access_token={token}&token={token}");
            let call = row.call_with(&world.http, &query);
            let call = call.header("cookie", &format!("access_token={token}"));
            assert_dead(&call.send().await, "auth-missing-access-token", "elsewhere");
        }
    }
}

// contract: security S8
async fn tokens_of_another_installation_are_dead_on_every_endpoint(mode: Mode) {
    let (world, other) = tokio::join!(World::on(mode), World::on(mode));
    let mut foreign = Vec::new();
    for n in 0..59 {
        foreign.push(other.sign_up(&format!("foreign{n}")).await.session.access);
    }
    let each = Tokens::of(&other, "foreign").await;
    foreign.extend(each.each().map(|(_, token)| token.to_owned()));
    assert_eq!(foreign.len(), 64);
    for row in rows() {
        for token in &foreign {
            let reply = row.call(&world.http).token(token).send().await;
            assert_dead(&reply, "auth-invalid-access-token", "foreign");
        }
    }
}

crate::in_both_modes! {
    every_endpoint_lets_in_exactly_the_tokens_of_the_matrix,
    a_token_opens_the_api_of_its_audience_and_no_other,
    tokens_count_only_in_the_header,
    tokens_of_another_installation_are_dead_on_every_endpoint,
}
