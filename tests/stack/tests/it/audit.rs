//! The audit log from outside: every operator's command once, refused grants, operators themselves.

use crate::routes::NOBODY;
use crate::soon;
use crate::world::{Mode, Setup, World};
use serde_json::{Value, json};
use stoa_gateway::{Api, RouteInfo, route_infos};
use stoa_testkit::http::Reply;

const PASSWORD: &str = "a covered walk in Athens";

async fn post(world: &World, token: &str, path: &str, body: &Value) -> Reply {
    let path = format!("/v1/operator_api/{path}");
    world.command(&path, token, body).await
}

/// Entries that match a query, newest first.
async fn entries(world: &World, token: &str, query: &str) -> Vec<Value> {
    let path = format!("/v1/operator_api/audit/query?{query}");
    let reply = world.read(&path, token).await.expect(200);
    let data = reply.json()["data"].clone();
    let all = data.as_array().unwrap();
    all.iter()
        .map(|entry| entry["attributes"].clone())
        .collect()
}

fn attribute(reply: &Reply, name: &str) -> String {
    let value = reply.json()["data"]["attributes"][name].clone();
    value.as_str().unwrap_or_default().to_owned()
}

async fn log_in(world: &World, email: &str) -> Reply {
    let fields = [
        ("grant_type", "password"),
        ("scope", "operator"),
        ("username", email),
        ("password", PASSWORD),
    ];
    world.grant(&fields).await
}

async fn choose(world: &World, token: &str, password: &str) -> Reply {
    let body = json!({ "token": token, "newPassword": password });
    let call = world.http.post("/v1/operator_api/operators/reset_password");
    call.json(&body).send().await
}

/// A new operator with a password and a session: id and access token.
async fn operator(world: &World, owner: &str, email: &str, role: &str) -> (String, String) {
    let body = json!({ "email": email, "role": role });
    let made = post(world, owner, "operators/create", &body)
        .await
        .expect(200);
    let token = attribute(&made, "resetToken");
    choose(world, &token, PASSWORD).await.expect(200);
    let answer = log_in(world, email).await.expect(200).json();
    (
        made.id(),
        answer["access_token"].as_str().unwrap().to_owned(),
    )
}

/// Who does it, and a body with which the route succeeds. Whoever adds a route adds its row.
async fn good(world: &World, owner: &str, route: &RouteInfo) -> (String, Value) {
    let mark = route.path.replace(['/', '_'], "-");
    let person = async || world.sign_up(&mark).await.id;
    let robot = async || {
        let body = json!({ "kind": "integration", "name": mark });
        let made = post(world, owner, "applications/create", &body).await;
        made.expect(200).id()
    };
    let email = format!("{mark}@market.example");
    let colleague = async || {
        let body = json!({ "email": email, "role": "staff" });
        post(world, owner, "operators/create", &body)
            .await
            .expect(200)
            .id()
    };
    let schema = json!({ "scope": "public", "key": mark, "schemaType": "long" });
    let body = match route.path {
        "users/ban" | "users/delete" => json!({ "id": person().await, "reason": "rude" }),
        "users/unban" => {
            let id = json!({ "id": person().await });
            post(world, owner, "users/ban", &id).await.expect(200);
            id
        }
        "search_schemas/set" => schema,
        "search_schemas/unset" => {
            post(world, owner, "search_schemas/set", &schema)
                .await
                .expect(200);
            json!({ "scope": "public", "key": mark })
        }
        "applications/create" => json!({ "kind": "integration", "name": mark }),
        "applications/delete" | "applications/rotate_secret" => json!({ "id": robot().await }),
        "operators/create" => json!({ "email": email, "role": "read-only" }),
        "operators/disable" | "operators/start_password_reset" => {
            json!({ "id": colleague().await })
        }
        "operators/change_password" => {
            let (_, token) = operator(world, owner, &email, "read-only").await;
            let body =
                json!({ "currentPassword": PASSWORD, "newPassword": "another covered walk" });
            return (token, body);
        }
        "users/verify_email" => {
            let person = world.sign_up(&mark).await;
            json!({ "id": person.id, "email": person.email })
        }
        // Nothing changes, and it is written down all the same.
        "users/approve" | "users/revoke_sessions" => json!({ "id": person().await }),
        "users/update_permissions" => {
            json!({ "id": person().await, "postListings": "permission/deny" })
        }
        "users/update_profile" => json!({ "id": person().await, "metadata": { "seen": true } }),
        "settings/update" => json!({ "marketplaceDescription": mark }),
        "builtin_emails/update" => json!({ "name": "new-message", "subject": "News" }),
        "sessions/revoke" => {
            let id = person().await;
            let path = format!("/v1/operator_api/sessions/query?userId={id}");
            let listed = world.read(&path, owner).await.expect(200).json();
            json!({ "id": listed["data"][0]["id"], "reason": "rude" })
        }
        "clock/advance" => json!({ "seconds": 1 }),
        other => panic!("{other}: how is it done? Every command of an operator is audited"),
    };
    (owner.to_owned(), body)
}

// contract: operator 10, security 3 (step 17), security S48
async fn every_command_of_an_operator_is_exactly_one_entry(mode: Mode) {
    let setup = Setup {
        virtual_clock: mode == Mode::Embedded,
        ..Setup::default()
    };
    let world = World::on_with(mode, setup).await;
    let owner = world.operator().await.access;
    let commands = route_infos()
        .filter(|route| route.api == Api::Operator && route.method == "POST")
        .filter(|route| mode == Mode::Embedded || route.path != "clock/advance");
    for route in commands {
        let (token, body) = good(&world, &owner, &route).await;
        world.settle().await;
        let action = route.action.name();
        let query = format!("action={action}");
        let before = entries(&world, &owner, &query).await.len();
        let reply = post(&world, &token, route.path, &body).await.expect(200);
        world.settle().await;
        let found = entries(&world, &owner, &query).await;
        assert_eq!(found.len(), before + 1, "{}: {found:?}", route.path);
        let entry = &found[0];
        for given in ["operatorId", "requestId"] {
            assert!(entry[given].is_string(), "{}: {entry}", route.path);
        }
        assert_eq!(
            (&entry["code"], &entry["level"]),
            (&json!("ok"), &json!("operator"))
        );
        if let Some(id) = body["id"].as_str() {
            assert_eq!(entry["targetId"], id, "{}", route.path);
            assert_eq!(reply.id(), id);
        }
        if body["reason"] == "rude" && !["users/delete", "sessions/revoke"].contains(&route.path) {
            assert_eq!(entry["reason"], "rude");
            assert!(!entry["changes"].as_array().unwrap().is_empty(), "{entry}");
        }
    }
}

// contract: operator 10 (before and after), security S48 (erasure), security S46 (audit detail)
async fn what_was_written_about_a_person_goes_with_the_person_and_the_chain_holds(mode: Mode) {
    let world = World::on(mode).await;
    let owner = world.operator().await.access;
    let person = world.sign_up("zebra").await.id;
    let ban = json!({ "id": person, "reason": "zebrastripes" });
    post(&world, &owner, "users/ban", &ban).await.expect(200);
    world.settle().await;
    let query = format!("targetId={person}&action=users.ban");
    let entry = entries(&world, &owner, &query).await.remove(0);
    assert_eq!(entry["reason"], "zebrastripes");
    let state = entry["changes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|c| c["field"] == "state");
    assert_eq!(
        state,
        Some(&json!({ "field": "state", "before": "active", "after": "banned" }))
    );
    post(
        &world,
        &owner,
        "users/delete",
        &json!({ "id": person, "reason": "zebrastripes" }),
    )
    .await
    .expect(200);
    world.settle().await;
    soon(|| async { world.marks(&["zebrastripes"]).await.is_empty() }).await;
    let entry = entries(&world, &owner, &query).await.remove(0);
    assert_eq!(
        (&entry["reason"], &entry["erased"]),
        (&Value::Null, &json!(true))
    );
    let db = world.database("auth", stoa_auth::migrations()).await;
    stoa_auth::verify_audit(&db, &[]).await.unwrap();
    db.close().await;
}

// contract: security S69, auth 42, operator 14
async fn a_refused_login_is_written_down_with_its_request(mode: Mode) {
    let world = World::on(mode).await;
    let owner = world.operator().await.access;
    let fields = [
        ("grant_type", "password"),
        ("client_id", world.credential("marketplaceClientId")),
        ("username", "nobody@example.com"),
        ("password", "wrong horse"),
    ];
    world.grant(&fields).await.expect(401);
    let found = entries(&world, &owner, "action=grant.password").await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["code"], "wrong-password");
    assert_eq!(
        found[0]["clientId"],
        world.credential("marketplaceClientId")
    );
    assert!(found[0]["requestId"].is_string());
    assert!(!found[0].to_string().contains("nobody@"));
}

// contract: operator operators/*, security S26, security S13 (operator disabled), security S28
async fn an_operator_is_made_works_and_is_out_within_a_second(mode: Mode) {
    let world = World::on(mode).await;
    let owner = world.operator().await.access;
    let body = json!({ "email": "Olivia@Market.example", "role": "staff" });
    let made = post(&world, &owner, "operators/create", &body)
        .await
        .expect(200);
    let reset = attribute(&made, "resetToken");
    let early = log_in(&world, "olivia@market.example").await;
    assert_eq!(early.status, 401);
    assert_eq!(
        choose(&world, &reset, "too short")
            .await
            .expect(400)
            .codes(),
        ["validation-invalid-value"]
    );
    assert_eq!(choose(&world, "sor_none", PASSWORD).await.status, 401);
    let chosen = choose(&world, &reset, PASSWORD).await.expect(200);
    assert_eq!(chosen.id(), made.id());
    assert_eq!(chosen.json()["data"].get("attributes"), None);
    choose(&world, &reset, PASSWORD).await.expect(401);
    let answer = log_in(&world, "olivia@market.example")
        .await
        .expect(200)
        .json();
    let token = answer["access_token"].as_str().unwrap().to_owned();

    // Staff reads users and the log, and makes no colleagues.
    world
        .read("/v1/operator_api/users/query", &token)
        .await
        .expect(200);
    assert!(
        !entries(&world, &token, "action=operators.create")
            .await
            .is_empty()
    );
    world
        .read("/v1/operator_api/operators/query", &token)
        .await
        .expect(403);
    post(&world, &token, "operators/create", &body)
        .await
        .expect(403);
    post(&world, &owner, "operators/create", &body)
        .await
        .expect(409);
    let listed = world
        .read("/v1/operator_api/operators/query", &owner)
        .await
        .expect(200);
    assert!(listed.text().contains("olivia@market.example"));
    assert!(!listed.text().contains("sor_") && !listed.text().contains("resetToken"));

    let id = json!({ "id": made.id() });
    post(&world, &owner, "operators/disable", &id)
        .await
        .expect(200);
    soon(|| async {
        world
            .read("/v1/operator_api/users/query", &token)
            .await
            .status
            == 401
    })
    .await;
    let refresh = [
        ("grant_type", "refresh_token"),
        ("refresh_token", answer["refresh_token"].as_str().unwrap()),
    ];
    world.grant(&refresh).await.expect(401);
    log_in(&world, "olivia@market.example").await.expect(401);
    let again = post(&world, &owner, "operators/disable", &id)
        .await
        .expect(409);
    assert_eq!(again.codes(), ["operator-disabled"]);
    let unknown = json!({ "id": NOBODY });
    let unknown = post(&world, &owner, "operators/disable", &unknown)
        .await
        .expect(409);
    assert_eq!(unknown.codes(), ["operator-not-found"]);

    // The last owner stays.
    let me = entries(&world, &owner, "action=operators.disable")
        .await
        .remove(0);
    let last = json!({ "id": me["operatorId"] });
    let last = post(&world, &owner, "operators/disable", &last)
        .await
        .expect(409);
    assert_eq!(last.codes(), ["last-owner"]);
}

// contract: operator operators/change_password, security 2.6 (operator's password changed)
async fn a_changed_password_ends_every_token_of_the_operator(mode: Mode) {
    let world = World::on(mode).await;
    let owner = world.operator().await.access;
    let (_, token) = operator(&world, &owner, "o@market.example", "read-only").await;
    let change =
        |old: &str| json!({ "currentPassword": old, "newPassword": "another covered walk" });
    let path = "operators/change_password";
    post(&world, &token, path, &change("wrong"))
        .await
        .expect(403);
    world
        .read("/v1/operator_api/users/query", &token)
        .await
        .expect(200);
    post(&world, &token, path, &change(PASSWORD))
        .await
        .expect(200);
    soon(|| async {
        world
            .read("/v1/operator_api/users/query", &token)
            .await
            .status
            == 401
    })
    .await;
    log_in(&world, "o@market.example").await.expect(401);
}

crate::in_both_modes! {
    every_command_of_an_operator_is_exactly_one_entry,
    what_was_written_about_a_person_goes_with_the_person_and_the_chain_holds,
    a_refused_login_is_written_down_with_its_request,
    an_operator_is_made_works_and_is_out_within_a_second,
    a_changed_password_ends_every_token_of_the_operator,
}
