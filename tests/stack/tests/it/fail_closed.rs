//! A feed that has gone silent: what cannot be judged any more is refused as unavailable.

use crate::parts::Parts;
use crate::soon;
use stoa_testkit::callers::Marketplace;

const PUBLIC: &str = "/v1/api/listings/query";

/// Tokens of each kind, and what is none.
struct Callers {
    anonymous: String,
    others: Vec<String>,
    dead: Vec<String>,
}

impl Callers {
    async fn of(marketplace: &Marketplace) -> Self {
        let person = marketplace.sign_up("user").await;
        let gone = marketplace.sign_up("gone").await;
        marketplace.log_out(&gone.session).await.expect(200);
        let dead = gone.session.access.clone();
        soon(|| async { marketplace.read(PUBLIC, &dead).await.status == 401 }).await;
        Self {
            anonymous: marketplace.anonymous().await,
            others: vec![
                marketplace.trusted(person.token()).await,
                person.session.access,
                marketplace.integration().await.access,
                marketplace.operator().await.access,
            ],
            dead: vec![dead, "garbage".to_owned()],
        }
    }
}

/// Anonymous callers go on; everybody else, with a good token or a dead one, hears 503.
async fn assert_closed(marketplace: &Marketplace, callers: &Callers) {
    soon(|| async { marketplace.read(PUBLIC, &callers.others[0]).await.status == 503 }).await;
    for path in [
        PUBLIC,
        "/v1/api/current_user/show",
        "/v1/integration_api/users/query",
        "/v1/operator_api/users/query",
    ] {
        for token in callers.others.iter().chain(&callers.dead) {
            let reply = marketplace.read(path, token).await.expect(503);
            assert_eq!(reply.codes(), ["service-unavailable"]);
        }
        // Nobody can be told that a token is missing, either.
        marketplace.http.get(path).send().await.expect(503);
    }
    marketplace
        .read(PUBLIC, &callers.anonymous)
        .await
        .expect(200);
    let show = "/v1/api/marketplace/show";
    marketplace.read(show, &callers.anonymous).await.expect(200);
    marketplace
        .read("/v1/api/current_user/show", &callers.anonymous)
        .await
        .expect(403);
}

// contract: security S16 (short form)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_word_from_users_only_anonymous_callers_go_on() {
    let parts = Parts::with_callers().await;
    let callers = Callers::of(&parts.marketplace).await;
    parts
        .marketplace
        .read(PUBLIC, &callers.others[0])
        .await
        .expect(200);
    parts.users_tasks.shut_down().await;
    assert_closed(&parts.marketplace, &callers).await;
}

// contract: security S16 (short form)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_word_from_auth_only_anonymous_callers_go_on() {
    let parts = Parts::with_callers().await;
    let callers = Callers::of(&parts.marketplace).await;
    parts
        .marketplace
        .read(PUBLIC, &callers.others[0])
        .await
        .expect(200);
    parts.auth_tasks.shut_down().await;
    assert_closed(&parts.marketplace, &callers).await;
}

// contract: security S15
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_has_not_heard_of_both_is_not_ready_and_judges_nobody() {
    let parts = Parts::build_without_users().await;
    parts.auth.start();
    let http = &parts.marketplace.http;
    let anonymous = parts.marketplace.anonymous().await;
    http.get("/readyz").send().await.expect(503);
    http.get("/healthz").send().await.expect(200);
    for token in [Some("garbage"), None] {
        let call = http.get("/v1/api/current_user/show").maybe_token(token);
        call.send().await.expect(503);
    }
    parts.connect_users();
    parts.users.start();
    soon(|| async { http.get("/readyz").send().await.status == 200 }).await;
    parts.drain_listings().await;
    parts.marketplace.read(PUBLIC, &anonymous).await.expect(200);
    let bare = http.get("/v1/api/current_user/show").send().await;
    bare.expect(401);
}
