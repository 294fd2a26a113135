//! A deleted account: gone from every room, every stored event and every file.

use crate::embedded::marks_in;
use crate::parts::Parts;
use crate::soon;
use crate::world::{Mode, World};
use serde_json::{Value, json};
use std::time::Duration;
use stoa_testkit::callers::{Marketplace, PASSWORD, Person};
use tokio::time::Instant;

/// Marks that stand in the personal data of a user; none of them may be left in a file.
pub(crate) const MARKS: [&str; 12] = [
    "markfirstname",
    "marklastname",
    "markemail",
    "markbio",
    "markpublic",
    "markprotected",
    "markprivate",
    "marklistingtitle",
    "marklistingtext",
    "marklistingdata",
    "marksentdata",
    "markmetadata",
];

/// A user whose data holds marks.
pub(crate) async fn marked(marketplace: &Marketplace) -> Person {
    let fields = json!({
        "email": "markemail@example.com",
        "firstName": "markfirstname",
        "lastName": "marklastname",
        "bio": "markbio before",
        "publicData": { "a": "markpublic" },
        "protectedData": { "a": "markprotected" },
        "privateData": { "a": "markprivate" },
    });
    marketplace.sign_up_with("markfirstname", fields).await
}

/// A listing and changes that leave earlier values behind.
pub(crate) async fn leave_traces(marketplace: &Marketplace, person: &Person) -> String {
    let body = json!({
        "title": "marklistingtitle", "description": "marklistingtext",
        "publicData": { "a": "marklistingdata" }, "privateData": { "a": "marklistingdata" },
    });
    let create = "/v1/api/own_listings/create";
    let listing = marketplace
        .command(create, person.token(), &body)
        .await
        .expect(200)
        .id();
    let body = json!({ "id": listing, "title": "marklistingtitle again" });
    let update = "/v1/api/own_listings/update";
    marketplace
        .command(update, person.token(), &body)
        .await
        .expect(200);
    let body = json!({ "bio": "markbio after", "publicData": { "a": "markpublic again" } });
    let update = "/v1/api/current_user/update_profile";
    marketplace
        .command(update, person.token(), &body)
        .await
        .expect(200);
    listing
}

async fn delete_own(marketplace: &Marketplace, person: &Person) {
    let trusted = marketplace.trusted(person.token()).await;
    let body = json!({ "currentPassword": PASSWORD });
    let delete = "/v1/api/current_user/delete";
    marketplace
        .command(delete, person.token(), &body)
        .await
        .expect(403);
    marketplace
        .command(delete, &trusted, &body)
        .await
        .expect(200);
}

// contract: operator 7, security S46, users section 8, auth 20
async fn nothing_of_a_deleted_user_is_left_in_any_room_event_or_file(mode: Mode) {
    let world = World::on(mode).await;
    let operator = world.operator().await.access;
    for scope in ["public", "protected", "private", "metadata"] {
        // What users are searched by is kept beside their profiles.
        let schema = json!({ "schemaFor": "userProfile", "scope": scope, "key": "a",
                             "schemaType": "enum" });
        let set = "/v1/operator_api/search_schemas/set";
        world.command(set, &operator, &schema).await.expect(200);
    }
    world.settle().await;
    let (gone, other) = (marked(&world).await, world.sign_up("other").await);
    let integration = world.integration().await.access;
    let listing = leave_traces(&world, &gone).await;
    let body = json!({ "id": gone.id, "metadata": { "a": "markmetadata" } });
    let update = "/v1/integration_api/users/update_profile";
    world.command(update, &integration, &body).await.expect(200);
    let others = world.listing(&other, "Bike").await;
    let asked = world
        .inquiry(&gone, &others, json!({ "phone": "marksentdata" }))
        .await;
    let bought = world
        .inquiry(&other, &listing, json!({ "phone": "of the other" }))
        .await;
    world.message(&gone, &asked, "What I wrote to you").await;
    world.settle().await;
    let before = world.marks(&MARKS).await;
    for mark in MARKS {
        assert!(
            before.iter().any(|found| found.starts_with(mark)),
            "{mark} is nowhere"
        );
    }

    delete_own(&world, &gone).await;
    let me = "/v1/api/current_user/show";
    soon(|| async { world.read(me, gone.token()).await.status == 401 }).await;
    world.try_log_in(&gone.email, PASSWORD).await.expect(401);
    world.settle().await;
    world.refresh(&gone.session.refresh).await.expect(401);
    // The bytes leave in the background.
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        world.settle().await;
        let left = world.marks(&MARKS).await;
        if left.is_empty() {
            break;
        }
        assert!(Instant::now() < until, "{left:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    // The other party keeps the common record, without the person.
    for id in [&asked, &bought] {
        let path = format!("/v1/api/transactions/show?id={id}&include=customer,provider,listing");
        let shown = world.read(&path, other.token()).await.expect(200).json();
        let user = included(&shown, "user", &gone.id);
        assert_eq!(user["attributes"]["deleted"], true, "{user}");
        assert!(
            user["attributes"]["profile"]["displayName"].is_null(),
            "{user}"
        );
        let protected = &shown["data"]["attributes"]["protectedData"];
        let expected = if *id == bought {
            json!({ "phone": "of the other" })
        } else {
            json!({})
        };
        assert_eq!(*protected, expected);
    }
    let path = format!("/v1/api/messages/query?transactionId={asked}");
    let messages = world.read(&path, other.token()).await.expect(200).json();
    assert_eq!(
        messages["data"][0]["attributes"]["content"],
        "What I wrote to you"
    );
    let body = json!({ "transactionId": asked, "content": "Are you there?" });
    let refused = world
        .command("/v1/api/messages/send", other.token(), &body)
        .await;
    refused.expect(409);
    let path = format!("/v1/api/listings/show?id={listing}");
    world.read(&path, other.token()).await.expect(404);
    let path = format!("/v1/integration_api/users/show?id={}", gone.id);
    world.read(&path, &integration).await.expect(404);
    // The events are still told, without their values.
    let events = world.events_after(&integration, 0).await;
    let deleted = events.iter().find(|event| {
        event["attributes"]["eventType"] == "user/deleted"
            && event["attributes"]["resourceId"] == *gone.id
    });
    assert!(deleted.expect("an event")["attributes"]["resource"].is_null());
    assert_stripped(&events);
    // The address is free at once.
    let again = marked(&world).await;
    assert_ne!(again.id, gone.id);
}

fn included<'a>(shown: &'a Value, kind: &str, id: &str) -> &'a Value {
    let all = shown["included"].as_array().unwrap();
    all.iter()
        .find(|one| one["type"] == kind && one["id"] == id)
        .unwrap_or_else(|| panic!("no {kind} {id} in {shown}"))
}

fn assert_stripped(events: &[Value]) {
    let text = Value::from(events.to_vec()).to_string();
    for mark in MARKS {
        assert!(!text.contains(mark), "{mark} is still in an event");
    }
}

// contract: users section 8 (`erasure.texts`), security S46
async fn texts_go_with_the_user_where_the_marketplace_says_so(mode: Mode) {
    let world = World::on(mode).await;
    let operator = world.operator().await.access;
    let update = "/v1/operator_api/settings/update";
    let body = json!({ "erasure": { "texts": "blank" } });
    world.command(update, &operator, &body).await.expect(200);
    let (gone, other) = (world.sign_up("gone").await, world.sign_up("other").await);
    let listing = world.listing(&other, "Bike").await;
    let deal = world.inquiry(&gone, &listing, json!({})).await;
    world.message(&gone, &deal, "markmessage").await;
    world.message(&other, &deal, "An answer that stays").await;
    world.settle().await;
    assert!(!world.marks(&["markmessage"]).await.is_empty());

    delete_own(&world, &gone).await;
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        world.settle().await;
        let left = world.marks(&["markmessage"]).await;
        if left.is_empty() {
            break;
        }
        assert!(Instant::now() < until, "{left:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let path = format!("/v1/api/messages/query?transactionId={deal}");
    let messages = world.read(&path, other.token()).await.expect(200).json();
    let messages = messages["data"].as_array().unwrap();
    let mut said: Vec<_> = messages
        .iter()
        .map(|message| message["attributes"]["content"].as_str())
        .collect();
    said.sort_unstable();
    assert_eq!(said, [Some(""), Some("An answer that stays")]);
}

// contract: security S46
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_reach_the_log_after_the_deletion_are_stripped_too() {
    let parts = Parts::with_callers().await;
    let marketplace = &parts.marketplace;
    let gone = marked(marketplace).await;
    let listing = leave_traces(marketplace, &gone).await;
    parts.drain_listings().await;
    // The log has heard of nothing so far, and `listings` not of the deletion.
    delete_own(marketplace, &gone).await;
    parts.drain_event_log().await;
    let integration = marketplace.integration().await.access;
    let events = marketplace.events_after(&integration, 0).await;
    assert_stripped(&events);
    let of_listing = |event: &&Value| event["attributes"]["resourceId"] == *listing;
    assert!(
        events.iter().filter(of_listing).count() >= 2,
        "its events are told"
    );
    // Now `listings` hears of it, and tells of the end of the listing.
    parts.drain_listings().await;
    parts.drain_event_log().await;
    let events = marketplace.events_after(&integration, 0).await;
    assert_stripped(&events);
    let last = events.iter().rfind(of_listing).unwrap();
    assert_eq!(last["attributes"]["eventType"], "listing/deleted");
    let in_log = marks_in(parts.folder.path(), &MARKS);
    let in_log: Vec<_> = in_log
        .iter()
        .filter(|found| found.contains("event-log"))
        .collect();
    assert!(in_log.is_empty(), "{in_log:?}");
}

crate::in_both_modes! {
    nothing_of_a_deleted_user_is_left_in_any_room_event_or_file,
    texts_go_with_the_user_where_the_marketplace_says_so,
}
