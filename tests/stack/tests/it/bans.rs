//! A ban, its end, and what the other rooms make of both.

use crate::parts::Parts;
use crate::socket::Socket;
use crate::soon;
use crate::world::{Mode, World};
use futures::future::join_all;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use stoa_db::sql;
use stoa_testkit::callers::{Marketplace, Person};
use stoa_testkit::http::Reply;
use tokio::time::Instant;

const CREATE: &str = "/v1/api/own_listings/create";
const DRAFT: &str = "/v1/api/own_listings/create_draft";

async fn update_profile(marketplace: &Marketplace, token: &str) -> Reply {
    let body = json!({ "publicData": { "a": 1 } });
    marketplace
        .command("/v1/api/current_user/update_profile", token, &body)
        .await
}

fn titles(found: &Value) -> Vec<String> {
    let listings = found["data"].as_array().unwrap().iter();
    listings
        .map(|listing| {
            listing["attributes"]["title"]
                .as_str()
                .unwrap_or("")
                .to_owned()
        })
        .collect()
}

// contract: operator 3, operator 4, operator 5, operator 6, operator 8, auth 41, users 51
async fn a_ban_reaches_every_room_and_an_unban_gives_back_what_it_should(mode: Mode) {
    let world = World::on(mode).await;
    let (seller, buyer) = (world.sign_up("seller").await, world.sign_up("buyer").await);
    let (operator, integration) = (
        world.operator().await.access,
        world.integration().await.access,
    );
    let second = world.log_in(&seller.email).await;
    let sold = world.listing(&seller, "Sold").await;
    world.listing(&seller, "Other").await;
    let draft = json!({ "title": "Draft" });
    world
        .command(DRAFT, seller.token(), &draft)
        .await
        .expect(200);
    let deal = world.inquiry(&buyer, &sold, json!({})).await;
    world.message(&seller, &deal, "Hello").await;
    world.settle().await;
    let search = "/v1/api/listings/query";
    let found = world.read(search, buyer.token()).await.expect(200).json();
    assert_eq!(titles(&found).len(), 2);

    world.operate(&operator, "ban", &seller.id).await;
    let again = json!({ "id": seller.id });
    let ban = "/v1/operator_api/users/ban";
    world.command(ban, &operator, &again).await.expect(409);
    let me = "/v1/api/current_user/show";
    soon(|| async { update_profile(&world, seller.token()).await.status == 403 }).await;
    world.settle().await;

    // Sessions: refresh is over, what was issued reads the own account and public things.
    world.refresh(&seller.session.refresh).await.expect(401);
    world.refresh(&second.refresh).await.expect(401);
    let fresh = world.log_in(&seller.email).await;
    for token in [seller.token(), &second.access, &fresh.access] {
        let shown = world.read(me, token).await.expect(200).json();
        assert_eq!(shown["data"]["attributes"]["banned"], true);
        assert_eq!(shown["data"]["attributes"]["state"], "banned");
        world.read(search, token).await.expect(200);
        world
            .read("/v1/api/own_listings/query", token)
            .await
            .expect(403);
        world
            .read("/v1/api/transactions/query", token)
            .await
            .expect(403);
        world.command(DRAFT, token, &draft).await.expect(403);
        let message = json!({ "transactionId": deal, "content": "Hello?" });
        let sent = world
            .command("/v1/api/messages/send", token, &message)
            .await;
        assert_eq!(sent.expect(403).codes(), ["forbidden"]);
    }
    // The others.
    let found = world.read(search, buyer.token()).await.expect(200).json();
    assert!(titles(&found).is_empty());
    let listing = format!("/v1/api/listings/show?id={sold}");
    world.read(&listing, buyer.token()).await.expect(404);
    let user = format!("/v1/api/users/show?id={}", seller.id);
    world.read(&user, buyer.token()).await.expect(404);
    let path = format!("/v1/api/transactions/show?id={deal}&include=provider,listing");
    let shown = world.read(&path, buyer.token()).await.expect(200).json();
    let included = shown["included"].as_array().unwrap();
    let provider = included.iter().find(|one| one["type"] == "user").unwrap();
    assert_eq!(provider["id"], *seller.id);
    assert_eq!(provider["attributes"]["banned"], true);
    assert!(provider["attributes"]["profile"]["displayName"].is_null());
    let gone = included
        .iter()
        .find(|one| one["type"] == "listing")
        .unwrap();
    assert_eq!(gone["attributes"]["deleted"], true);
    assert!(gone["attributes"]["title"].is_null());
    // The address stays taken, in any spelling.
    let body = json!({ "email": seller.email.to_uppercase(), "password": "correct horse battery",
                       "firstName": "New", "lastName": "One" });
    let anonymous = world.anonymous().await;
    let create = "/v1/api/current_user/create";
    let taken = world.command(create, &anonymous, &body).await.expect(409);
    assert_eq!(taken.codes(), ["email-taken"]);
    // The log tells of each listing once, and of the ban once.
    let events = world.events_after(&integration, 0).await;
    let count = |kind: &str| {
        let of_kind = |event: &&Value| event["attributes"]["eventType"] == kind;
        events.iter().filter(of_kind).count()
    };
    assert_eq!(count("listing/deleted"), 3);
    let bans = events.iter().filter(|event| {
        event["attributes"]["eventType"] == "user/updated"
            && event["attributes"]["resource"]["attributes"]["banned"] == true
    });
    assert_eq!(bans.count(), 1);

    world.operate(&operator, "unban", &seller.id).await;
    soon(|| async { update_profile(&world, seller.token()).await.status == 200 }).await;
    world.settle().await;
    world.refresh(&seller.session.refresh).await.expect(401);
    let found = world.read(search, buyer.token()).await.expect(200).json();
    assert!(titles(&found).is_empty(), "listings do not come back");
    world.listing(&seller, "New").await;
    world.settle().await;
    let found = world.read(search, buyer.token()).await.expect(200).json();
    assert_eq!(titles(&found), ["New"]);
    world.message(&seller, &deal, "Here again").await;
}

/// Sends drafts until told to stop; gives the moments at which accepted ones were sent.
async fn keep_writing(
    world: &World,
    person: &Person,
    count: &AtomicUsize,
    stop: &AtomicBool,
) -> Vec<Instant> {
    let mut accepted = Vec::new();
    let body = json!({ "title": "Draft" });
    while !stop.load(Ordering::SeqCst) {
        let sent = Instant::now();
        let reply = world.command(DRAFT, person.token(), &body).await;
        match reply.status {
            200 => {
                accepted.push(sent);
                count.fetch_add(1, Ordering::SeqCst);
            }
            403 => {}
            other => panic!("{other}: {}", reply.text()),
        }
    }
    accepted
}

// contract: security S14 (short form), security S44 (short form)
async fn the_last_command_of_a_banned_user_is_accepted_within_a_second_under_load(mode: Mode) {
    let world = World::on(mode).await;
    let operator = world.operator().await.access;
    let mut worst = Duration::ZERO;
    for round in 0..12 {
        let person = world.sign_up(&format!("banned{round}")).await;
        let stop = AtomicBool::new(false);
        let count = AtomicUsize::new(0);
        let writers = join_all((0..8).map(|_| keep_writing(&world, &person, &count, &stop)));
        let ban = async {
            soon(|| async { count.load(Ordering::SeqCst) >= 16 }).await;
            world.operate(&operator, "ban", &person.id).await;
            let committed = Instant::now();
            soon(|| async { update_profile(&world, person.token()).await.status == 403 }).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
            stop.store(true, Ordering::SeqCst);
            committed
        };
        let (accepted, committed) = tokio::join!(writers, ban);
        let last = accepted
            .into_iter()
            .flatten()
            .max()
            .expect("some were accepted");
        worst = worst.max(last.saturating_duration_since(committed));
        // What came before the ban is gone, what came behind it was refused.
        world.settle().await;
        let db = world
            .database("listings", stoa_listings::migrations())
            .await;
        let alive = sql("SELECT count(*) FROM listings WHERE author_id = $1 AND NOT deleted");
        let (left,): (i64,) = db.one_as(alive.bind(person.id.as_str())).await.unwrap();
        db.close().await;
        assert_eq!(left, 0, "round {round}");
    }
    assert!(worst <= Duration::from_secs(1), "{worst:?}");
}

// contract: security S45
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ban_that_comes_late_or_again_does_not_undo_what_came_after_it() {
    let parts = Parts::with_callers().await;
    let marketplace = &parts.marketplace;
    let operator = marketplace.operator().await.access;
    let person = marketplace.sign_up("seller").await;
    let old = json!({ "title": "Old" });
    marketplace
        .command(CREATE, person.token(), &old)
        .await
        .expect(200);
    let own = "/v1/api/own_listings/query";
    let operate = async |verb: &str| {
        let body = json!({ "id": person.id });
        let path = format!("/v1/operator_api/users/{verb}");
        marketplace
            .command(&path, &operator, &body)
            .await
            .expect(200);
    };

    // Ban and unban before `listings` hears of either.
    operate("ban").await;
    operate("unban").await;
    let is_let_in = || async { update_profile(marketplace, person.token()).await.status == 200 };
    soon(is_let_in).await;
    parts.drain_listings().await;
    let found = marketplace
        .read(own, person.token())
        .await
        .expect(200)
        .json();
    assert!(
        titles(&found).is_empty(),
        "listings of a banned user do not come back"
    );

    let new = json!({ "title": "New" });
    marketplace
        .command(CREATE, person.token(), &new)
        .await
        .expect(200);
    // Everything that `users` told is delivered once more.
    let again = "UPDATE cursors SET position = 0 WHERE name LIKE 'users%'";
    let rewound = parts
        .listings_db
        .write(|tx| async move { tx.execute(sql(again)).await })
        .await
        .unwrap();
    assert_eq!(rewound, 1);
    parts.drain_listings().await;
    let found = marketplace
        .read(own, person.token())
        .await
        .expect(200)
        .json();
    assert_eq!(titles(&found), ["New"]);
    marketplace
        .command(CREATE, person.token(), &new)
        .await
        .expect(200);

    // The other order: a second ban, delivered again after it, stays.
    operate("ban").await;
    parts.drain_listings().await;
    parts
        .listings_db
        .write(|tx| async move { tx.execute(sql(again)).await })
        .await
        .unwrap();
    parts.drain_listings().await;
    let refused = marketplace.command(CREATE, person.token(), &new).await;
    refused.expect(403);
    let search = "/v1/api/listings/query";
    let anonymous = marketplace.anonymous().await;
    assert!(
        parts
            .data(search, &anonymous)
            .await
            .as_array()
            .unwrap()
            .is_empty()
    );
}

// contract: security S18
async fn a_command_whose_body_comes_after_the_ban_or_the_logout_is_refused(mode: Mode) {
    let world = World::on(mode).await;
    let operator = world.operator().await.access;
    let (banned, gone) = (world.sign_up("banned").await, world.sign_up("gone").await);
    let body = r#"{"title":"Too late"}"#;
    let (first, rest) = body.split_at(5);
    let mut sockets = Vec::new();
    for person in [&banned, &gone] {
        let mut socket = Socket::open(world.address).await;
        socket.begin(DRAFT, person.token(), body.len()).await;
        socket.send(first).await;
        sockets.push(socket);
    }
    // Longer than a body may take before its caller is judged once more.
    tokio::time::sleep(Duration::from_millis(150)).await;
    world.operate(&operator, "ban", &banned.id).await;
    world.log_out(&gone.session).await.expect(200);
    soon(|| async { update_profile(&world, banned.token()).await.status == 403 }).await;
    soon(|| async { update_profile(&world, gone.token()).await.status == 401 }).await;
    for (mut socket, status) in sockets.into_iter().zip(["403", "401"]) {
        socket.send(rest).await;
        let (head, answer) = socket.answer().await;
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status}")),
            "{head} {answer}"
        );
    }
    world.settle().await;
    let db = world
        .database("listings", stoa_listings::migrations())
        .await;
    let stored = sql("SELECT count(*) FROM listings");
    let (count,): (i64,) = db.one_as(stored).await.unwrap();
    assert_eq!(count, 0);
}

crate::in_both_modes! {
    a_ban_reaches_every_room_and_an_unban_gives_back_what_it_should,
    the_last_command_of_a_banned_user_is_accepted_within_a_second_under_load,
    a_command_whose_body_comes_after_the_ban_or_the_logout_is_refused,
}
