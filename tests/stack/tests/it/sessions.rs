//! Sessions: listed and ended by their users, and by operators.

use crate::world::{Mode, Setup, World};
use serde_json::{Value, json};
use std::time::Duration;
use stoa_testkit::callers::Session;
use tokio::time::Instant;

const OWN: &str = "/v1/api/sessions/query";
const REVOKE: &str = "/v1/api/sessions/revoke";
const ME: &str = "/v1/api/current_user/show";
const OF_USER: &str = "/v1/operator_api/sessions/query";
const END: &str = "/v1/operator_api/sessions/revoke";

async fn listed(world: &World, path: &str, token: &str) -> Vec<Value> {
    let reply = world.read(path, token).await.expect(200).json();
    reply["data"].as_array().unwrap().clone()
}

/// How long the token of an ended session still opens something.
async fn dies(world: &World, token: &str) -> Duration {
    let began = Instant::now();
    crate::soon(|| async { world.read(ME, token).await.status == 401 }).await;
    began.elapsed()
}

fn id(session: &Value) -> Value {
    json!({ "id": session["id"] })
}

// contract: security S19, security S14 (sid), users section 5.6
async fn a_user_lists_the_own_sessions_and_ends_them(mode: Mode) {
    let world = World::on(mode).await;
    let person = world.sign_up("person").await;
    let other = world.sign_up("other").await;
    let second = world.log_in(&person.email).await;
    let sessions = listed(&world, OWN, person.token()).await;
    assert_eq!(sessions.len(), 2);
    for session in &sessions {
        assert_eq!(session["type"], "session");
        let attributes = session["attributes"].as_object().unwrap();
        let mut names: Vec<_> = attributes.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "clientId",
                "createdAt",
                "current",
                "lastRefreshedAt",
                "loginAs"
            ]
        );
        assert_eq!(
            attributes["clientId"],
            world.credential("marketplaceClientId")
        );
        assert_eq!(attributes["loginAs"], false);
    }
    let newest_first = [false, true].map(Value::from);
    let current: Vec<_> = sessions
        .iter()
        .map(|s| s["attributes"]["current"].clone())
        .collect();
    assert_eq!(current, newest_first);
    let page = listed(&world, &format!("{OWN}?page=2&perPage=1"), person.token()).await;
    assert_eq!(page, sessions[1..]);
    // Only the named values, where they are asked for.
    let sparse = format!("{OWN}?fields.session=current");
    let sparse = listed(&world, &sparse, person.token()).await;
    assert_eq!(sparse[0]["attributes"], json!({ "current": false }));

    // Nobody else's, and nobody learns whether there is one.
    for body in [id(&sessions[0]), json!({ "id": crate::routes::NOBODY })] {
        let reply = world
            .command(REVOKE, other.token(), &body)
            .await
            .expect(409);
        assert_eq!(reply.codes(), ["conflict"]);
    }
    world.read(ME, &second.access).await.expect(200);

    let trusted = world.trusted(&second.access).await;
    let ended = id(&sessions[0]);
    let reply = world
        .command(REVOKE, person.token(), &ended)
        .await
        .expect(200);
    assert_eq!(
        reply.json()["data"],
        json!({ "id": sessions[0]["id"], "type": "session" })
    );
    let took = dies(&world, &second.access)
        .await
        .max(dies(&world, &trusted).await);
    assert!(took <= limit(mode), "{took:?}");
    world.refresh(&second.refresh).await.expect(401);
    world.read(ME, person.token()).await.expect(200);
    assert_eq!(listed(&world, OWN, person.token()).await.len(), 1);

    // The own one, with a trusted token.
    let trusted = world.trusted(person.token()).await;
    let own = id(&sessions[1]);
    world.command(REVOKE, &trusted, &own).await.expect(200);
    dies(&world, person.token()).await;
    dies(&world, &trusted).await;
    world.refresh(&person.session.refresh).await.expect(401);
}

// contract: operator sessions/query, operator sessions/revoke
async fn an_operator_lists_and_ends_the_sessions_of_a_user(mode: Mode) {
    let world = World::on(mode).await;
    let operator = world.operator().await.access;
    let person = world.sign_up("person").await;
    let second = world.log_in(&person.email).await;
    let path = format!("{OF_USER}?userId={}", person.id);
    let sessions = listed(&world, &path, &operator).await;
    assert_eq!(sessions.len(), 2);
    assert_eq!(sessions[0]["attributes"].get("current"), None);
    assert_eq!(sessions[0]["attributes"]["loginAs"], false);
    let text = Value::from(sessions.clone()).to_string();
    for token in [&second.refresh, &second.access] {
        assert!(!text.contains(token.as_str()));
    }
    let body = json!({ "id": sessions[0]["id"], "reason": "A stolen telephone" });
    world.command(END, &operator, &body).await.expect(200);
    dies(&world, &second.access).await;
    world.read(ME, person.token()).await.expect(200);
    let again = world.command(END, &operator, &body).await.expect(409);
    assert_eq!(again.codes(), ["conflict"]);
    let long = json!({ "id": sessions[1]["id"], "reason": "x".repeat(501) });
    world.command(END, &operator, &long).await.expect(400);
    assert_eq!(listed(&world, &path, &operator).await.len(), 1);
    let nobody = format!("{OF_USER}?userId={}", crate::routes::NOBODY);
    world.read(&nobody, &operator).await.expect(404);
    let missing = world.read(OF_USER, &operator).await.expect(400);
    assert_eq!(missing.codes(), ["validation-missing-key"]);

    // A ban leaves none of them.
    world.operate(&operator, "ban", &person.id).await;
    crate::soon(|| async { listed(&world, &path, &operator).await.is_empty() }).await;
    let own = world.read(OWN, person.token()).await.expect(403);
    assert_eq!(own.codes(), ["forbidden"]);
}

// contract: security 2.6 (restart of auth), security S15
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_forgets_no_ended_session() {
    let world = World::start().await;
    let person = world.sign_up("person").await;
    let second: Session = world.log_in(&person.email).await;
    let sessions = listed(&world, OWN, person.token()).await;
    world
        .command(REVOKE, person.token(), &id(&sessions[0]))
        .await
        .expect(200);
    let folder = world.stop().await;
    let world = World::start_in(folder, Setup::default()).await;
    world.read(ME, &second.access).await.expect(401);
    world.refresh(&second.refresh).await.expect(401);
    world.read(ME, person.token()).await.expect(200);
    assert_eq!(listed(&world, OWN, person.token()).await, sessions[1..]);
}

/// A machine with many tests on it gives separate processes their turn late.
const fn limit(mode: Mode) -> Duration {
    match mode {
        Mode::Embedded => Duration::from_secs(1),
        Mode::Distributed => Duration::from_secs(3),
    }
}

crate::in_both_modes! {
    a_user_lists_the_own_sessions_and_ends_them,
    an_operator_lists_and_ends_the_sessions_of_a_user,
}
