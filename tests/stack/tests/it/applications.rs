//! Applications over the operator API: made, used, given another secret, deleted.

use crate::routes::{NOBODY, rows};
use crate::soon;
use crate::world::World;
use serde_json::{Value, json};
use stoa_testkit::callers::{Marketplace, PASSWORD};
use stoa_testkit::http::Reply;

const CREATE: &str = "/v1/operator_api/applications/create";
const DELETE: &str = "/v1/operator_api/applications/delete";
const ROTATE: &str = "/v1/operator_api/applications/rotate_secret";
const QUERY: &str = "/v1/operator_api/applications/query";

/// Client id and secret of an application.
struct Made {
    id: String,
    secret: String,
}

impl Made {
    fn of(reply: &Reply) -> Self {
        let secret = reply.json()["data"]["attributes"]["clientSecret"].clone();
        Self {
            id: reply.id(),
            secret: secret.as_str().unwrap().to_owned(),
        }
    }
}

async fn create(world: &World, operator: &str, body: Value) -> Made {
    Made::of(&world.command(CREATE, operator, &body).await.expect(200))
}

async fn client_credentials(world: &Marketplace, of: &Made, scope: &str) -> Reply {
    let fields = [
        ("grant_type", "client_credentials"),
        ("scope", scope),
        ("client_id", of.id.as_str()),
        ("client_secret", of.secret.as_str()),
    ];
    world.grant(&fields).await
}

fn token(reply: &Reply, name: &str) -> String {
    reply.json()[name].as_str().unwrap().to_owned()
}

async fn status(world: &World, path: &str, token: &str) -> u16 {
    world.read(path, token).await.status
}

// contract: operator 11, security S13 (application deleted), security S20, auth 2
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_is_made_used_and_deleted_with_all_its_tokens() {
    let world = World::start().await;
    let operator = world.operator().await.access;
    let person = world.sign_up("person").await;
    let uri = "https://market.example/api/login-as";
    let body = json!({ "kind": "marketplace", "name": "Second", "redirectUris": [uri] });
    let reply = world.command(CREATE, &operator, &body).await.expect(200);
    let made = Made::of(&reply);
    let data = &reply.json()["data"];
    assert_eq!(data["type"], "application");
    let attributes = &data["attributes"];
    assert_eq!(attributes["kind"], "marketplace");
    assert_eq!(attributes["name"], "Second");
    assert_eq!(attributes["trusted"], true);
    assert_eq!(attributes["redirectUris"], json!([uri]));
    assert_eq!(attributes["secrets"][0]["endsAt"], Value::Null);

    // A login through it: anonymous, user and trusted token.
    let fields = [
        ("grant_type", "password"),
        ("scope", "user"),
        ("client_id", made.id.as_str()),
        ("username", person.email.as_str()),
        ("password", PASSWORD),
    ];
    let login = world.grant(&fields).await.expect(200);
    let (user, refresh) = (
        token(&login, "access_token"),
        token(&login, "refresh_token"),
    );
    let exchange = [
        ("grant_type", "token_exchange"),
        ("client_id", made.id.as_str()),
        ("client_secret", made.secret.as_str()),
        ("subject_token", user.as_str()),
    ];
    let trusted = token(&world.grant(&exchange).await.expect(200), "access_token");
    let anonymous = client_credentials(&world, &made, "public-read")
        .await
        .expect(200);
    let anonymous = token(&anonymous, "access_token");
    let own = "/v1/api/current_user/show";
    let public = "/v1/api/marketplace/show";
    for (path, token) in [(own, &user), (own, &trusted), (public, &anonymous)] {
        world.read(path, token).await.expect(200);
    }

    // It is listed, without its secret.
    let listed = world.read(QUERY, &operator).await.expect(200);
    assert!(listed.text().contains("\"Second\""));
    assert!(!listed.text().contains(&made.secret) && !listed.text().contains("clientSecret"));
    assert_eq!(listed.json()["meta"]["totalItems"], 3);

    let id = json!({ "id": made.id });
    let deleted = world.command(DELETE, &operator, &id).await.expect(200);
    assert_eq!(
        deleted.json()["data"].get("attributes"),
        None,
        "only its reference"
    );
    soon(|| async { status(&world, own, &user).await == 401 }).await;
    assert_eq!(status(&world, own, &trusted).await, 401);
    assert_eq!(status(&world, public, &anonymous).await, 401);
    let again = [
        ("grant_type", "refresh_token"),
        ("client_id", made.id.as_str()),
        ("refresh_token", refresh.as_str()),
    ];
    for fields in [&fields[..], &exchange[..], &again[..]] {
        let reply = world.grant(fields).await.expect(401);
        assert_eq!(reply.codes(), ["unauthorized"]);
    }
    client_credentials(&world, &made, "public-read")
        .await
        .expect(401);
    let unknown = [
        ("grant_type", "client_credentials"),
        ("scope", "public-read"),
        ("client_id", made.id.as_str()),
    ];
    world.grant(&unknown).await.expect(401);
    // The person's own session through the first application goes on.
    world.read(own, person.token()).await.expect(200);
    let second = world.command(DELETE, &operator, &id).await.expect(409);
    assert_eq!(second.codes(), ["application-not-found"]);
}

// contract: security S20, security 2.6 (secret rotated with revokeNow)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_is_rotated_softly_and_at_once() {
    let world = World::start().await;
    let operator = world.operator().await.access;
    let body = json!({ "kind": "integration", "name": "Robot" });
    let first = create(&world, &operator, body).await;
    let integ = |of: &Made| {
        let (id, secret) = (of.id.clone(), of.secret.clone());
        let world = &world;
        async move { client_credentials(world, &Made { id, secret }, "integ").await }
    };
    let rotate = json!({ "id": first.id });
    let second = Made::of(&world.command(ROTATE, &operator, &rotate).await.expect(200));
    assert_ne!(first.secret, second.secret);
    let before = integ(&first).await.expect(200);
    integ(&second).await.expect(200);

    let at_once = json!({ "id": first.id, "revokeNow": true });
    let third = world.command(ROTATE, &operator, &at_once).await.expect(200);
    let secrets = third.json()["data"]["attributes"]["secrets"].clone();
    assert_eq!(secrets.as_array().unwrap().len(), 1);
    let third = Made::of(&third);
    let path = "/v1/integration_api/marketplace/show";
    let access = token(&before, "access_token");
    soon(|| async { status(&world, path, &access).await == 401 }).await;
    let refresh = token(&before, "refresh_token");
    let again = [
        ("grant_type", "refresh_token"),
        ("client_id", first.id.as_str()),
        ("refresh_token", refresh.as_str()),
    ];
    world.grant(&again).await.expect(401);
    for old in [&first, &second] {
        integ(old).await.expect(401);
    }
    let after = token(&integ(&third).await.expect(200), "access_token");
    world.read(path, &after).await.expect(200);
}

// contract: auth 4 (internal caller), security 2.4 (401 on every HTTP route), security S2
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_internal_application_gets_tokens_that_open_nothing_over_http() {
    let world = World::start().await;
    let operator = world.operator().await.access;
    let body = json!({ "kind": "internal", "name": "Report", "actions": ["users.query"] });
    let made = create(&world, &operator, body).await;
    let reply = client_credentials(&world, &made, "service")
        .await
        .expect(200);
    let answer = reply.json();
    assert_eq!(answer["scope"], "service");
    assert_eq!(answer["expires_in"], 120);
    assert_eq!(answer["token_type"], "bearer");
    assert_eq!(answer.get("refresh_token"), None);
    let service = token(&reply, "access_token");
    for row in rows() {
        let reply = row.call(&world.http).token(&service).send().await;
        assert_eq!(reply.status, 401, "{}: {}", reply.what, reply.text());
        assert_eq!(
            reply.codes(),
            ["auth-invalid-access-token"],
            "{}",
            reply.what
        );
    }
    let revoke = world.http.post("/v1/auth/revoke").token(&service);
    revoke.form(&[("token", "srt_x")]).send().await.expect(401);
    // Its secret is good for nothing else, and no other kind gets such a token.
    for scope in ["integ", "public-read"] {
        client_credentials(&world, &made, scope).await.expect(401);
    }
    for kind in ["marketplace", "integration"] {
        let other = Made {
            id: world.credential(&format!("{kind}ClientId")).to_owned(),
            secret: world.credential(&format!("{kind}ClientSecret")).to_owned(),
        };
        client_credentials(&world, &other, "service")
            .await
            .expect(401);
    }
    let subject = [
        ("grant_type", "token_exchange"),
        ("client_id", world.credential("marketplaceClientId")),
        ("client_secret", world.credential("marketplaceClientSecret")),
        ("subject_token", service.as_str()),
    ];
    world.grant(&subject).await.expect(401);
    world
        .command(DELETE, &operator, &json!({ "id": made.id }))
        .await
        .expect(200);
    client_credentials(&world, &made, "service")
        .await
        .expect(401);
}

// contract: operator applications/create, wire 3.6
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_applications_are_refused_with_the_path_of_each_field() {
    let world = World::start().await;
    let operator = world.operator().await.access;
    let before = world.envelopes().await;
    for (body, paths) in [
        (json!({ "name": "x" }), vec![json!(["kind"])]),
        (json!({ "kind": "web", "name": "x" }), vec![json!(["kind"])]),
        (json!({ "kind": "integration" }), vec![json!(["name"])]),
        (
            json!({ "kind": "integration", "name": "x", "addresses": [] }),
            vec![json!(["addresses"])],
        ),
        (
            json!({ "kind": "integration", "name": "x", "trusted": true, "actions": ["users.show"] }),
            vec![json!(["trusted"]), json!(["actions"])],
        ),
        (
            json!({ "kind": "internal", "name": "x", "actions": [] }),
            vec![json!(["actions"])],
        ),
        (
            json!({ "kind": "internal", "name": "x", "actions": ["users.show", "users.ban", "y"] }),
            vec![json!(["actions", 1]), json!(["actions", 2])],
        ),
        (
            json!({ "kind": "internal", "name": "x", "actions": ["users.show", 7] }),
            vec![json!(["actions", 1])],
        ),
        (
            json!({ "kind": "marketplace", "name": "x", "redirectUris": ["http://a.example/"] }),
            vec![json!(["redirectUris", 0])],
        ),
    ] {
        let reply = world.command(CREATE, &operator, &body).await.expect(400);
        let found: Vec<Value> = reply
            .errors()
            .iter()
            .map(|error| error["source"]["path"].clone())
            .collect();
        assert_eq!(found, paths, "{body}: {}", reply.text());
    }
    for path in [DELETE, ROTATE] {
        let unknown = world
            .command(path, &operator, &json!({ "id": NOBODY }))
            .await;
        assert_eq!(unknown.expect(409).codes(), ["application-not-found"]);
        let bad = world
            .command(path, &operator, &json!({ "id": "robot" }))
            .await;
        bad.expect(400);
    }
    let bad = json!({ "id": NOBODY, "revokeNow": "yes" });
    world.command(ROTATE, &operator, &bad).await.expect(400);
    world
        .read(&format!("{QUERY}?perPage=0"), &operator)
        .await
        .expect(400);
    assert_eq!(world.envelopes().await, before);
}
