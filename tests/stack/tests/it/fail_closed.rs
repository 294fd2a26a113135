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
    // Listings, and what the marketplace itself is called.
    for path in [PUBLIC, "/v1/api/marketplace/show"] {
        marketplace.read(path, &callers.anonymous).await.expect(200);
    }
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

/// The same with everything in processes of their own, whole lengths of time, and every cause.
mod distributed {
    use super::*;
    use std::time::Duration;
    use stoa_testkit::callers::Session;
    use stoa_testkit::cluster::{Cluster, Setup, Weather};
    use tokio::time::Instant;

    /// From the last word of a feed to the first refusal.
    const BOUND: Duration = Duration::from_secs(6);
    /// From the end of a cause to the first answer.
    const RECOVERY: Duration = Duration::from_secs(5);

    async fn status(marketplace: &Marketplace, token: &str) -> u16 {
        let path = "/v1/api/current_user/show";
        marketplace.read(path, token).await.status
    }

    /// Brings the cause about, sees everybody but anonymous callers refused in time, ends it, and
    /// sees everybody let in again.
    async fn closes<F: Future<Output = ()>, G: Future<Output = ()>>(
        marketplace: &Marketplace,
        callers: &Callers,
        session: &mut Session,
        cause: F,
        end: G,
        what: &str,
    ) {
        assert_eq!(status(marketplace, &session.access).await, 200, "{what}");
        // Before, so that a word that came in between counts against us.
        let began = Instant::now();
        cause.await;
        let mut last_let_in = Duration::ZERO;
        loop {
            let asked = began.elapsed();
            match status(marketplace, &session.access).await {
                200 => last_let_in = asked,
                503 if asked > last_let_in + Duration::from_millis(300) => break,
                503 => {}
                other => panic!("{what}: {other}"),
            }
            assert!(asked < BOUND * 2, "{what}: still let in");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(last_let_in <= BOUND, "{what}: let in after {last_let_in:?}");
        assert_closed(marketplace, callers).await;
        // A refresh that fails must not look like the end of the session.
        let refused = marketplace.refresh(&session.refresh).await;
        assert_ne!(refused.status, 401, "{what}: {}", refused.text());
        if refused.status == 200 {
            *session = stoa_testkit::callers::session(&refused);
        }

        end.await;
        let ended = Instant::now();
        while status(marketplace, &session.access).await != 200 {
            assert!(ended.elapsed() < RECOVERY, "{what}: still refused");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        *session = stoa_testkit::callers::session(
            &marketplace.refresh(&session.refresh).await.expect(200),
        );
    }

    // contract: security S16
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn whatever_silences_auth_or_users_only_anonymous_callers_go_on() {
        let cluster = Cluster::start(Setup {
            links: true,
            ..Setup::default()
        })
        .await;
        let marketplace = cluster.marketplace(0);
        let callers = Callers::of(&marketplace).await;
        let person = marketplace.sign_up("keeper").await;
        let mut session = person.session.clone();
        for owner in ["auth", "users"] {
            let lock = format!("LOCK TABLE {owner}.sequencer IN ACCESS EXCLUSIVE MODE");
            let held = std::sync::Mutex::new(None);
            closes(
                &marketplace,
                &callers,
                &mut session,
                async {
                    let lock = cluster.databases().lock(&lock).await.unwrap();
                    *held.lock().unwrap() = Some(lock);
                },
                async {
                    let lock = held.lock().unwrap().take().unwrap();
                    lock.release().await;
                },
                &format!("stalled sequencer of {owner}"),
            )
            .await;
            // Questions that do not arrive silence nobody as long as the feed does.
            for weather in [Weather::Cut, Weather::Hole, Weather::Mute] {
                let set = |weather| {
                    for link in cluster.links("gateway", owner) {
                        link.set(weather);
                    }
                };
                closes(
                    &marketplace,
                    &callers,
                    &mut session,
                    async { set(weather) },
                    async { set(Weather::Fair) },
                    &format!("{weather:?} between gateway and {owner}"),
                )
                .await;
            }
            let part = cluster.part(owner, 0);
            closes(
                &marketplace,
                &callers,
                &mut session,
                async { part.hold() },
                async { part.go_on() },
                &format!("{owner} is held"),
            )
            .await;
            closes(
                &marketplace,
                &callers,
                &mut session,
                async { part.kill() },
                async {
                    part.start();
                    part.ready().await;
                },
                &format!("{owner} is dead"),
            )
            .await;
        }
        cluster.stop().await;
    }
}
