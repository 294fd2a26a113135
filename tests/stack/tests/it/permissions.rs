//! States of users, permissions and the settings that ask for them, at every route.

use crate::routes::{Row, rows};
use crate::soon;
use crate::world::{Mode, World};
use serde_json::{Value, json};
use std::time::Duration;
use stoa_gateway::Api;
use stoa_testkit::callers::Person;
use stoa_testkit::http::Reply;
use tokio::time::Instant;

/// What a permission is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    Nothing,
    Post,
    Init,
}

/// What users may do with a Marketplace route while they wait for approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    Allowed,
    Refused,
}

/// One row of the tables of who is refused what, and with which code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// Open to everybody, whatever their state.
    Open,
    /// Open to everybody but banned users.
    SignUp,
    /// Part of what the marketplace shows to its public.
    Public,
    /// The user's own matter.
    Own(Waiting, Needs),
}

/// The table, written by hand from the contract.
fn rule(path: &str) -> Rule {
    use Needs::{Init, Nothing, Post};
    use Waiting::{Allowed, Refused};
    match path {
        "marketplace/show" | "current_user/show" => Rule::Open,
        "current_user/create" | "password_reset/request" | "password_reset/reset" => Rule::SignUp,
        "users/show" | "listings/show" | "listings/query" | "listings/search" | "reviews/show"
        | "reviews/query" => Rule::Public,
        "own_listings/create"
        | "own_listings/create_draft"
        | "own_listings/publish_draft"
        | "own_listings/open" => Rule::Own(Refused, Post),
        "own_listings/update" | "own_listings/close" | "own_listings/discard_draft" => {
            Rule::Own(Refused, Nothing)
        }
        "transactions/initiate" => Rule::Own(Refused, Init),
        "transactions/initiate_speculative"
        | "transactions/transition"
        | "transactions/transition_speculative" => Rule::Own(Refused, Nothing),
        "current_user/update_profile"
        | "current_user/change_password"
        | "current_user/change_email"
        | "current_user/verify_email"
        | "current_user/send_verification_email"
        | "current_user/delete"
        | "own_listings/show"
        | "own_listings/query"
        | "transactions/show"
        | "transactions/query"
        | "process_transitions/query"
        | "messages/query"
        | "messages/send"
        | "sessions/query"
        | "sessions/revoke" => Rule::Own(Allowed, Nothing),
        other => panic!("{other} has no row in the table of states and permissions"),
    }
}

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    Anonymous,
    /// Active, with every permission.
    Member,
    /// Active, without any permission.
    Denied,
    Pending,
    Banned,
}

/// The code that refuses this caller, where every requirement is on.
fn refusal(rule: Rule, caller: Caller, private: bool) -> Option<&'static str> {
    match (rule, caller) {
        (Rule::Open, _) | (_, Caller::Member) => None,
        (Rule::SignUp, Caller::Banned) => Some("forbidden"),
        (Rule::SignUp, _) => None,
        (Rule::Public, _) if !private => None,
        (Rule::Public, Caller::Anonymous | Caller::Banned) => Some("forbidden"),
        (Rule::Public, Caller::Pending) => Some("user-pending-approval"),
        (Rule::Public, Caller::Denied) => Some("permission-denied-read"),
        (Rule::Own(..), Caller::Anonymous | Caller::Banned) => Some("forbidden"),
        (Rule::Own(Waiting::Refused, _), Caller::Pending) => {
            Some("permission-denied-pending-approval")
        }
        (Rule::Own(_, Needs::Post), Caller::Denied) => Some("permission-denied-post-listings"),
        (Rule::Own(_, Needs::Init), Caller::Denied) => {
            Some("permission-denied-initiate-transactions")
        }
        (Rule::Own(..), Caller::Pending | Caller::Denied) => None,
    }
}

/// An operator switches settings of access control; they hold when this is over.
async fn switch(world: &World, operator: &str, access: Value) {
    let body = json!({ "accessControl": access });
    world
        .command("/v1/operator_api/settings/update", operator, &body)
        .await
        .expect(200);
    world.settle().await;
}

const CREATE: &str = "/v1/api/own_listings/create";
const DRAFT: &str = "/v1/api/own_listings/create_draft";
const ME: &str = "/v1/api/current_user/show?include=effectivePermissionSet";
const PERMISSIONS: &str = "/v1/integration_api/users/update_permissions";

/// Which permissions there are in a map of them.
fn allowed(permissions: &Value) -> [bool; 3] {
    ["postListings", "initiateTransactions", "read"].map(|key| match permissions[key].as_str() {
        Some("permission/allow") => true,
        Some("permission/deny") => false,
        _ => panic!("{permissions}"),
    })
}

/// State, stored and effective permissions, as a user sees them.
async fn me(world: &World, person: &Person) -> (String, [bool; 3], [bool; 3]) {
    let shown = world.read(ME, person.token()).await.expect(200).json();
    let attributes = &shown["data"]["attributes"];
    let link = &shown["data"]["relationships"]["effectivePermissionSet"]["data"];
    let set = &shown["included"][0];
    assert_eq!(
        (&set["id"], &set["type"]),
        (&link["id"], &json!("permissionSet"))
    );
    (
        attributes["state"].as_str().unwrap().to_owned(),
        allowed(&attributes["permissions"]),
        allowed(&set["attributes"]),
    )
}

fn title() -> Value {
    json!({ "title": "Bike" })
}

// contract: users section 4, auth section 8 (columns P, Q, R), auth 35, auth 41, users 31
async fn every_route_answers_every_state_and_permission_as_the_table_says(mode: Mode) {
    let world = World::on(mode).await;
    let operator = world.operator().await.access;
    let integration = world.integration().await.access;
    let (member, denied, banned) = (
        world.sign_up("member").await,
        world.sign_up("denied").await,
        world.sign_up("banned").await,
    );
    let all = json!({
        "users": {
            "requireApprovalToJoin": true,
            "requirePermissionToPostListings": true,
            "requirePermissionToInitiateTransactions": true,
            "requirePermissionToRead": true,
        },
    });
    switch(&world, &operator, all).await;
    let pending = world.sign_up("pending").await;
    let deny = json!({
        "id": denied.id, "postListings": "permission/deny",
        "initiateTransactions": "permission/deny", "read": "permission/deny",
    });
    world
        .command(PERMISSIONS, &integration, &deny)
        .await
        .expect(200);
    let mut callers = vec![(Caller::Anonymous, world.anonymous().await, String::new())];
    for (caller, person) in [
        (Caller::Member, &member),
        (Caller::Denied, &denied),
        (Caller::Pending, &pending),
        (Caller::Banned, &banned),
    ] {
        let trusted = world.trusted(person.token()).await;
        callers.push((caller, person.token().to_owned(), trusted));
    }
    world.operate(&operator, "ban", &banned.id).await;
    world.settle().await;
    for private in [false, true] {
        switch(
            &world,
            &operator,
            json!({ "marketplace": { "private": private } }),
        )
        .await;
        let hides = || async {
            let refused = world
                .read("/v1/api/listings/query", &callers[0].1)
                .await
                .status
                == 403;
            refused == private
        };
        soon(hides).await;
        for row in rows().iter().filter(|row| row.api == Api::Marketplace) {
            for (caller, token, trusted) in &callers {
                // Nobody but a trusted caller is let in at all.
                let token = match row.letters {
                    "T" if *caller != Caller::Anonymous => trusted,
                    _ => token,
                };
                let reply = row.call(&world.http).token(token).send().await;
                assert_answer(&reply, row, *caller, private);
            }
        }
    }
}

fn assert_answer(reply: &Reply, row: &Row, caller: Caller, private: bool) {
    let what = format!(
        "{} by {caller:?}, private: {private}: {} {}",
        row.path,
        reply.status,
        reply.text()
    );
    let mut expected = refusal(rule(row.path), caller, private);
    if caller == Caller::Anonymous && !row.letters.contains('A') {
        expected = Some("forbidden");
    }
    match expected {
        Some(code) => {
            assert_eq!(reply.status, 403, "{what}");
            assert_eq!(reply.codes(), [code], "{what}");
        }
        None => assert!(![401, 403].contains(&reply.status), "{what}"),
    }
}

// contract: users 26, users 27, users section 8 (what a reader sees)
async fn who_waits_for_approval_does_little_and_is_not_seen_until_it_comes(mode: Mode) {
    let world = World::on(mode).await;
    let operator = world.operator().await.access;
    let integration = world.integration().await.access;
    let other = world.sign_up("other").await;
    switch(
        &world,
        &operator,
        json!({ "users": { "requireApprovalToJoin": true } }),
    )
    .await;
    let waiting = world.sign_up("waiting").await;
    let (state, stored, effective) = me(&world, &waiting).await;
    assert_eq!(state, "pendingApproval");
    assert_eq!((stored, effective), ([true; 3], [false, false, true]));
    let refused = world
        .command(DRAFT, waiting.token(), &title())
        .await
        .expect(403);
    assert_eq!(refused.codes(), ["permission-denied-pending-approval"]);
    let bio = json!({ "bio": "Let me in." });
    let update = "/v1/api/current_user/update_profile";
    world
        .command(update, waiting.token(), &bio)
        .await
        .expect(200);
    let shown = format!("/v1/api/users/show?id={}", waiting.id);
    for token in [other.token(), waiting.token(), &world.anonymous().await] {
        world.read(&shown, token).await.expect(404);
    }
    // A listing that an integration made for them is not seen before.
    let listing = json!({ "title": "Bike", "authorId": waiting.id, "state": "published" });
    let create = "/v1/integration_api/listings/create";
    let listing = world
        .command(create, &integration, &listing)
        .await
        .expect(200)
        .id();
    world.settle().await;
    let listed = format!("/v1/api/listings/show?id={listing}");
    world.read(&listed, other.token()).await.expect(404);

    let approve = "/v1/integration_api/users/approve";
    let id = json!({ "id": waiting.id });
    world.command(approve, &integration, &id).await.expect(200);
    let drafts = || async { world.command(DRAFT, waiting.token(), &title()).await.status == 200 };
    soon(drafts).await;
    world.settle().await;
    assert_eq!(me(&world, &waiting).await.0, "active");
    world.read(&shown, other.token()).await.expect(200);
    world.read(&listed, other.token()).await.expect(200);
    // Once more without effect; one event of it.
    world.command(approve, &integration, &id).await.expect(200);
    let operators = "/v1/operator_api/users/approve";
    world.command(operators, &operator, &id).await.expect(200);
    world.settle().await;
    let events = world.events_after(&integration, 0).await;
    let approvals: Vec<&Value> = events
        .iter()
        .map(|event| &event["attributes"])
        .filter(|event| event["resourceId"] == *waiting.id)
        .filter(|event| !event["previousValues"]["attributes"]["state"].is_null())
        .collect();
    assert_eq!(approvals.len(), 1);
    assert_eq!(approvals[0]["eventType"], "user/updated");
    assert_eq!(approvals[0]["source"], "source/integration-api");
    let previous = json!({ "attributes": { "state": "pendingApproval" } });
    assert_eq!(approvals[0]["previousValues"], previous);
    assert_eq!(approvals[0]["resource"]["attributes"]["state"], "active");

    world.operate(&operator, "ban", &waiting.id).await;
    let banned = world.command(approve, &integration, &id).await.expect(409);
    assert_eq!(banned.codes(), ["user-not-pending-approval"]);
}

// contract: users 28, users 29
async fn posting_needs_the_permission_where_the_marketplace_asks_for_it(mode: Mode) {
    let world = World::on(mode).await;
    let operator = world.operator().await.access;
    let integration = world.integration().await.access;
    let early = world.sign_up("early").await;
    let post = |on: bool| json!({ "users": { "requirePermissionToPostListings": on } });
    switch(&world, &operator, post(true)).await;
    let late = world.sign_up("late").await;
    assert_eq!(me(&world, &early).await.1, [true; 3]);
    assert_eq!(
        me(&world, &late).await.1,
        [false, true, true],
        "asked for when they joined"
    );

    let listing = world.listing(&early, "Bike").await;
    let close = json!({ "id": listing });
    world
        .command("/v1/api/own_listings/close", early.token(), &close)
        .await
        .expect(200);
    let deny = json!({ "id": early.id, "permissions": { "postListings": "permission/deny" } });
    world
        .command(PERMISSIONS, &integration, &deny)
        .await
        .expect(200);
    let is_refused =
        || async { world.command(CREATE, early.token(), &title()).await.status == 403 };
    soon(is_refused).await;
    for (path, body) in [
        (CREATE, title()),
        (DRAFT, title()),
        ("/v1/api/own_listings/open", close),
    ] {
        for person in [&early, &late] {
            let refused = world.command(path, person.token(), &body).await.expect(403);
            assert_eq!(
                refused.codes(),
                ["permission-denied-post-listings"],
                "{path}"
            );
        }
    }
    let update = json!({ "id": listing, "title": "Old bike" });
    world
        .command("/v1/api/own_listings/update", early.token(), &update)
        .await
        .expect(200);

    world.settle().await;
    let before = world.events_after(&integration, 0).await.len();
    switch(&world, &operator, post(false)).await;
    soon(|| async { world.command(CREATE, early.token(), &title()).await.status == 200 }).await;
    let (_, stored, effective) = me(&world, &early).await;
    assert_eq!((stored, effective), ([false, true, true], [true; 3]));
    for path in [
        format!(
            "/v1/integration_api/users/show?id={}&include=effectivePermissionSet",
            early.id
        ),
        "/v1/integration_api/users/query?sort=-createdAt&perPage=1&include=effectivePermissionSet"
            .to_owned(),
    ] {
        let shown = world.read(&path, &integration).await.expect(200).json();
        let user = shown["data"].get(0).unwrap_or(&shown["data"]);
        assert_eq!(user["id"], *early.id);
        assert_eq!(
            allowed(&user["attributes"]["permissions"]),
            [false, true, true]
        );
        let set = &shown["included"][0];
        assert_eq!(
            (&set["type"], allowed(&set["attributes"])),
            (&json!("permissionSet"), [true; 3])
        );
    }
    let operators = format!(
        "/v1/operator_api/users/show?id={}&include=effectivePermissionSet",
        late.id
    );
    let shown = world.read(&operators, &operator).await.expect(200).json();
    assert_eq!(allowed(&shown["included"][0]["attributes"]), [true; 3]);
    world.settle().await;
    let after = world.events_after(&integration, 0).await;
    let kinds: Vec<&Value> = after[before..]
        .iter()
        .map(|event| &event["attributes"]["eventType"])
        .collect();
    assert_eq!(
        kinds,
        ["listing/created"],
        "the switch itself tells nothing"
    );
}

// contract: users 30, security S9
async fn initiating_needs_the_permission_and_going_on_does_not(mode: Mode) {
    let world = World::on(mode).await;
    let operator = world.operator().await.access;
    let integration = world.integration().await.access;
    let (seller, buyer) = (world.sign_up("seller").await, world.sign_up("buyer").await);
    let listing = world.listing(&seller, "Bike").await;
    let trusted = world.trusted(buyer.token()).await;
    let request = json!({
        "processAlias": "free-request/release-1",
        "transition": "transition/request",
        "params": {
            "listingId": listing,
            "lineItems": [{ "code": "line-item/day", "quantity": 1,
                            "unitPrice": { "amount": 1000, "currency": "EUR" } }],
        },
    });
    let initiate = "/v1/api/transactions/initiate";
    let deal = world
        .command(initiate, &trusted, &request)
        .await
        .expect(200)
        .id();
    let on = json!({ "users": { "requirePermissionToInitiateTransactions": true } });
    switch(&world, &operator, on).await;
    let operators = "/v1/operator_api/users/update_permissions";
    for (path, token, person) in [
        (PERMISSIONS, &integration, &buyer),
        (operators, &operator, &seller),
    ] {
        let deny = json!({ "id": person.id, "initiateTransactions": "permission/deny" });
        let expanded = format!("{path}?expand=true");
        let answer = world
            .command(&expanded, token, &deny)
            .await
            .expect(200)
            .json();
        let stored = &answer["data"]["attributes"]["permissions"];
        assert_eq!(allowed(stored), [true, false, true]);
    }
    let refused = || async { world.command(initiate, &trusted, &request).await.status == 403 };
    soon(refused).await;
    let answer = world.command(initiate, &trusted, &request).await;
    assert_eq!(answer.codes(), ["permission-denied-initiate-transactions"]);
    let speculative = "/v1/api/transactions/initiate_speculative";
    world
        .command(speculative, &trusted, &request)
        .await
        .expect(200);
    let accept = json!({ "id": deal, "transition": "transition/accept", "params": {} });
    let transition = "/v1/api/transactions/transition";
    world
        .command(transition, seller.token(), &accept)
        .await
        .expect(200);
    for bad in [json!("deny"), json!("permission/maybe"), json!(false)] {
        let body = json!({ "id": buyer.id, "read": bad });
        let refused = world
            .command(PERMISSIONS, &integration, &body)
            .await
            .expect(400);
        assert_eq!(
            refused.errors()[0]["source"]["path"],
            json!(["read"]),
            "{bad}"
        );
    }
    world.settle().await;
    let events = world.events_after(&integration, 0).await;
    let changes = events
        .iter()
        .map(|event| &event["attributes"])
        .filter(|event| event["resourceId"] == *buyer.id && event["eventType"] == "user/updated");
    let previous: Vec<&Value> = changes.map(|event| &event["previousValues"]).collect();
    let allow = "permission/allow";
    let expected = json!({ "attributes": { "permissions": {
        "postListings": allow, "initiateTransactions": allow, "read": allow,
    } } });
    assert_eq!(previous, [&expected]);
}

// contract: users 31, search S46
async fn a_private_marketplace_is_read_by_whom_it_lets(mode: Mode) {
    let world = World::on(mode).await;
    let operator = world.operator().await.access;
    let integration = world.integration().await.access;
    let (reader, other) = (world.sign_up("reader").await, world.sign_up("other").await);
    let on =
        json!({ "marketplace": { "private": true }, "users": { "requirePermissionToRead": true } });
    switch(&world, &operator, on).await;
    let search = "/v1/api/listings/query";
    soon(|| async { world.read(search, &world.anonymous().await).await.status == 403 }).await;
    world.read(search, reader.token()).await.expect(200);
    let deny = json!({ "id": reader.id, "read": "permission/deny" });
    world
        .command(PERMISSIONS, &integration, &deny)
        .await
        .expect(200);
    soon(|| async { world.read(search, reader.token()).await.status == 403 }).await;
    for path in [
        search.to_owned(),
        format!("/v1/api/users/show?id={}", other.id),
    ] {
        let refused = world.read(&path, reader.token()).await.expect(403);
        assert_eq!(refused.codes(), ["permission-denied-read"]);
    }
    world.read(ME, reader.token()).await.expect(200);
    world
        .read("/v1/api/own_listings/query", reader.token())
        .await
        .expect(200);
    // Whom nobody shuts out still joins, and the Integration API knows no walls.
    let newcomer = world.sign_up("newcomer").await;
    world.read(search, newcomer.token()).await.expect(200);
    world
        .read("/v1/integration_api/users/query", &integration)
        .await
        .expect(200);
}

// contract: users section 4, operator API (settings/update takes effect within a second)
async fn a_switch_holds_in_every_room_within_a_second(mode: Mode) {
    let world = World::on(mode).await;
    let operator = world.operator().await.access;
    let (seller, buyer) = (world.sign_up("seller").await, world.sign_up("buyer").await);
    let listing = world.listing(&seller, "Bike").await;
    let integration = world.integration().await.access;
    for person in [&seller, &buyer] {
        let deny = json!({ "id": person.id, "postListings": "permission/deny",
                           "initiateTransactions": "permission/deny" });
        world
            .command(PERMISSIONS, &integration, &deny)
            .await
            .expect(200);
    }
    world.settle().await;
    let anonymous = world.anonymous().await;
    let inquiry = json!({
        "processAlias": "default-inquiry/release-1",
        "transition": "transition/inquire-without-payment",
        "params": { "listingId": listing },
    });
    let initiate = "/v1/api/transactions/initiate";
    let update = "/v1/operator_api/settings/update";
    for on in [true, false, true] {
        let access = json!({ "accessControl": {
            "marketplace": { "private": on },
            "users": { "requirePermissionToPostListings": on,
                       "requirePermissionToInitiateTransactions": on },
        } });
        world.command(update, &operator, &access).await.expect(200);
        let since = Instant::now();
        let expected = if on { [403; 3] } else { [200; 3] };
        let holds = || async {
            let answers = [
                world
                    .read("/v1/api/listings/query", &anonymous)
                    .await
                    .status,
                world.command(CREATE, seller.token(), &title()).await.status,
                world
                    .command(initiate, buyer.token(), &inquiry)
                    .await
                    .status,
            ];
            answers == expected
        };
        soon(holds).await;
        let took = since.elapsed();
        assert!(took < Duration::from_secs(1), "{on}: {took:?}");
    }
}

// contract: security 2.6, users section 8 (sessions)
async fn an_operator_ends_every_session_of_a_user(mode: Mode) {
    let world = World::on(mode).await;
    let operator = world.operator().await.access;
    let person = world.sign_up("person").await;
    let second = world.log_in(&person.email).await;
    let trusted = world.trusted(person.token()).await;
    let body = json!({ "id": person.id, "reason": "the phone was stolen" });
    let path = "/v1/operator_api/users/revoke_sessions";
    let answer = world.command(path, &operator, &body).await.expect(200);
    assert_eq!(answer.id(), person.id);
    let show = "/v1/api/current_user/show";
    for token in [person.token(), &second.access, &trusted] {
        soon(|| async { world.read(show, token).await.status == 401 }).await;
    }
    world.settle().await;
    for session in [&person.session, &second] {
        world.refresh(&session.refresh).await.expect(401);
    }
    let again = world.log_in(&person.email).await;
    world.read(show, &again.access).await.expect(200);
    for (id, code) in [(crate::routes::NOBODY, "user-not-found")] {
        let refused = world
            .command(path, &operator, &json!({ "id": id }))
            .await
            .expect(409);
        assert_eq!(refused.codes(), [code]);
    }
}

// contract: users 43, users 44, search S44
async fn users_are_found_by_declared_keys(mode: Mode) {
    let world = World::on(mode).await;
    let operator = world.operator().await.access;
    let integration = world.integration().await.access;
    let aged =
        |age: i64| json!({ "protectedData": { "age": age }, "publicData": { "city": "Oslo" } });
    let (young, adult) = (
        world.sign_up_with("young", aged(17)).await,
        world.sign_up_with("adult", aged(29)).await,
    );
    let query = "/v1/integration_api/users/query?prot_age=18,30&sort=-createdAt&fields.user=email";
    let found = async || world.read(query, &integration).await.expect(200).json();
    // A key without schema is no filter.
    assert_eq!(found().await["meta"]["totalItems"], 2);
    for (scope, key, kind) in [("protected", "age", "long"), ("public", "city", "enum")] {
        let schema =
            json!({ "schemaFor": "userProfile", "scope": scope, "key": key, "schemaType": kind });
        let path = "/v1/operator_api/search_schemas/set";
        world.command(path, &operator, &schema).await.expect(200);
    }
    world.settle().await;
    soon(|| async { found().await["meta"]["totalItems"] == 1 }).await;
    let edge = world.sign_up_with("edge", aged(18)).await;
    let answer = found().await;
    let users: Vec<&Value> = answer["data"].as_array().unwrap().iter().collect();
    assert_eq!(
        users.iter().map(|user| &user["id"]).collect::<Vec<_>>(),
        [&*adult.id, &*edge.id]
    );
    assert_eq!(users[0]["attributes"], json!({ "email": adult.email }));
    let meta = json!({ "totalItems": 2, "totalPages": 1, "page": 1, "perPage": 100 });
    assert_eq!(answer["meta"], meta);
    for (filters, expected) in [
        ("pub_city=Oslo&prot_age=,18", vec![&young.id]),
        ("pub_city=Rome", vec![]),
        (
            "pub_city=Oslo&sort=prot_age&perPage=2",
            vec![&adult.id, &edge.id],
        ),
        ("pub_unknown=x&sort=-prot_age&perPage=1", vec![&young.id]),
    ] {
        for (api, token) in [
            ("integration_api", &integration),
            ("operator_api", &operator),
        ] {
            let path = format!("/v1/{api}/users/query?{filters}");
            let answer = world.read(&path, token).await.expect(200).json();
            let ids: Vec<&Value> = answer["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|user| &user["id"])
                .collect();
            assert_eq!(ids, expected, "{path}");
        }
    }
    let refused = world
        .read(
            "/v1/integration_api/users/query?prot_age=old&sort=pub_city",
            &integration,
        )
        .await
        .expect(400);
    assert_eq!(refused.codes(), ["validation-invalid-value"; 2]);
    let many: Vec<String> = (0..21).map(|n| format!("pub_k{n}=x")).collect();
    let path = format!("/v1/integration_api/users/query?{}", many.join("&"));
    let refused = world.read(&path, &integration).await.expect(400);
    assert_eq!(refused.codes(), ["validation-invalid-params"]);
}

crate::in_both_modes! {
    every_route_answers_every_state_and_permission_as_the_table_says,
    who_waits_for_approval_does_little_and_is_not_seen_until_it_comes,
    posting_needs_the_permission_where_the_marketplace_asks_for_it,
    initiating_needs_the_permission_and_going_on_does_not,
    a_private_marketplace_is_read_by_whom_it_lets,
    a_switch_holds_in_every_room_within_a_second,
    an_operator_ends_every_session_of_a_user,
    users_are_found_by_declared_keys,
}
