//! Who sees and finds what.

use super::world::{By, World, refusal, titled, titles};
use std::time::Duration;
use stoa_db::{Db, accounting};
use stoa_proto::auth::SearchSchema;
use stoa_proto::listings as pb;
use stoa_proto::types;

fn schema(key: &str, kind: &str) -> SearchSchema {
    SearchSchema {
        schema_for: "listing".into(),
        scope: "public".into(),
        key: key.into(),
        schema_type: kind.into(),
        ..Default::default()
    }
}

fn filter(key: &str, value: &str) -> pb::QueryListingsRequest {
    pb::QueryListingsRequest {
        filters: vec![pb::DataFilter {
            prefix: "pub".into(),
            key: key.into(),
            value: value.into(),
        }],
        ..Default::default()
    }
}

fn states(names: &[&str]) -> pb::QueryListingsRequest {
    pb::QueryListingsRequest {
        states: names.iter().map(|name| (*name).to_owned()).collect(),
        ..Default::default()
    }
}

stoa_testkit::on_every_engine! { crate::migrations();
    // contract: listings L15, L16, L17
    async fn each_caller_sees_the_form_that_is_meant_for_them(db: Db) {
        let world = World::new(db).await;
        let me = By::User(world.user().await);
        let plan = r#"{"type":"availability-plan/time","timezone":"UTC","entries":[{"dayOfWeek":"mon","startTime":"09:00","endTime":"11:00","seats":1}]}"#;
        let fields = pb::ListingFields {
            private_data: Some(r#"{"note":1}"#.into()),
            availability_plan: Some(plan.into()),
            ..titled("Bike")
        };
        let id = world.create_own(me, fields).await.unwrap().id;
        // The author, too, sees the public form here.
        for by in [By::Anonymous, me] {
            let shown = world.show(by, &id).await.unwrap();
            assert_eq!(shown.view(), pb::ListingView::Public);
            assert_eq!((shown.private_data, shown.metadata.as_str()), (None, "{}"));
            let cut = r#"{"type":"availability-plan/time","timezone":"UTC"}"#;
            assert_eq!(shown.availability_plan.as_deref(), Some(cut));
        }
        let own = world.show_own(me, &id).await.unwrap();
        assert_eq!(own.availability_plan.as_deref(), Some(plan));
        let full = world.show(By::Integration, &id).await.unwrap();
        assert_eq!(full.view(), pb::ListingView::Full);
        assert_eq!(full.private_data, own.private_data);
        let page = world.query(By::Anonymous, Default::default()).await.unwrap();
        assert_eq!(page.listings, [world.show(By::Anonymous, &id).await.unwrap()]);
    }

    // contract: search S37, S38, integration I6
    async fn authors_and_the_marketplace_find_every_state(db: Db) {
        let world = World::new(db).await;
        let user = world.user().await;
        let me = By::User(user);
        world.create_draft(me, "Draft").await.unwrap();
        world.clock.advance_ms(1);
        world.create_for(By::Operator, user, "pendingApproval").await.unwrap();
        world.clock.advance_ms(1);
        world.create(me, "Published").await.unwrap();
        world.clock.advance_ms(1);
        let closed = world.create(me, "Closed").await.unwrap();
        world.close(me, &closed.id).await.unwrap();
        let other = By::User(world.user().await);
        world.create_draft(other, "Other").await.unwrap();

        let own = world.query_own(me, Default::default()).await.unwrap();
        assert_eq!(titles(&own), ["Closed", "Published", "Made for someone", "Draft"]);
        assert_eq!(own.meta.unwrap().total_items, 4);
        let published = world.query_own(me, states(&["published"])).await.unwrap();
        assert_eq!(titles(&published), ["Published"]);
        let paged = pb::QueryListingsRequest {
            page: Some(types::Page { page: 2, per_page: 3 }),
            ..Default::default()
        };
        let second = world.query_own(me, paged).await.unwrap();
        assert_eq!((titles(&second), second.meta.unwrap().total_items), (vec!["Draft".to_owned()], 4));
        let by_word = pb::QueryListingsRequest { keywords: Some("some".into()), ..Default::default() };
        assert_eq!(titles(&world.query_own(me, by_word).await.unwrap()), ["Made for someone"]);
        assert_eq!(world.query_own(By::Anonymous, Default::default()).await.unwrap_err(), refusal(403, "forbidden"));

        assert_eq!(world.query(By::Integration, Default::default()).await.unwrap().listings.len(), 5);
        let mut waiting = states(&["pendingApproval"]);
        waiting.author_id = Some(user.to_string());
        let found = world.query(By::Integration, waiting).await.unwrap();
        assert_eq!(titles(&found), ["Made for someone"]);
        let drafts = world.query(By::Operator, states(&["draft"])).await.unwrap();
        assert!(drafts.listings.iter().all(|draft| draft.private_data.is_some()));
        assert_eq!(drafts.listings.len(), 2);
        assert_eq!(world.public_titles().await, ["Published"]);
    }

    // contract: search S40, S44
    async fn a_schema_that_is_set_later_reaches_listings_that_are_there(db: Db) {
        let world = World::new(db).await;
        let me = By::User(world.user().await);
        for (title, data) in [("Three", r#"{"gears":3}"#), ("Five", r#"{"gears":5}"#)] {
            let fields = pb::ListingFields { public_data: Some(data.into()), ..titled(title) };
            world.create_own(me, fields).await.unwrap();
            world.clock.advance_ms(1);
        }
        let five = || world.query(By::Anonymous, filter("gears", "5"));
        assert_eq!(five().await.unwrap().listings.len(), 2);
        world.set(|settings| settings.search_schemas = vec![schema("gears", "long")]).await;
        assert_eq!(titles(&five().await.unwrap()), ["Five"]);
        assert_eq!(titles(&world.query_own(me, filter("gears", ",5")).await.unwrap()), ["Three"]);
        world.set(|settings| settings.search_schemas = vec![schema("gears", "enum")]).await;
        assert!(five().await.unwrap().listings.is_empty());
        assert_eq!(world.outbox().await.len(), 2);
    }

    // contract: search S47
    async fn the_next_search_sees_a_change(db: Db) {
        let world = World::new(db).await;
        let me = By::User(world.user().await);
        let id = world.create(me, "First").await.unwrap().id;
        assert_eq!(world.public_titles().await, ["First"]);
        world.rename(me, &id, "Second").await.unwrap();
        assert_eq!(world.public_titles().await, ["Second"]);
        world.close(me, &id).await.unwrap();
        assert!(world.public_titles().await.is_empty());
        world.open(By::Operator, &id).await.unwrap();
        assert_eq!(world.public_titles().await, ["Second"]);
    }

    async fn a_service_that_starts_anew_finds_what_was_there(db: Db) {
        let world = World::new(db).await;
        let (me, other) = (By::User(world.user().await), world.user().await);
        world.create(me, "Bike").await.unwrap();
        let gone = world.create_draft(me, "Draft").await.unwrap().id;
        world.discard(me, &gone).await.unwrap();
        world.create(By::User(other), "Hidden").await.unwrap();
        world.user_is(other, "pendingApproval").await;
        let world = world.restarted().await;
        assert_eq!(world.public_titles().await, ["Bike"]);
        assert_eq!(world.query(By::Integration, Default::default()).await.unwrap().listings.len(), 2);
    }

    async fn related_listings_are_shown_closed_ones_too_and_deleted_ones_as_a_marker(db: Db) {
        let world = World::new(db).await;
        let me = By::User(world.user().await);
        let closed = world.create(me, "Closed").await.unwrap().id;
        world.close(me, &closed).await.unwrap();
        let draft = world.create_draft(me, "Draft").await.unwrap().id;
        let gone = world.create_draft(me, "Gone").await.unwrap().id;
        world.discard(me, &gone).await.unwrap();
        let unknown = "3c073fae-6172-4e75-8b92-f560d58cd47c";
        let ids = [closed.as_str(), &draft, &gone, unknown];
        let mut found = world.related(me, &ids).await.unwrap();
        found.sort_by_key(|listing| listing.deleted);
        let [shown, marker] = &found[..] else { panic!("{found:?}") };
        assert_eq!((shown.title.as_str(), shown.private_data.as_ref()), ("Closed", None));
        assert_eq!((marker.id.as_str(), marker.deleted, marker.title.as_str()), (gone.as_str(), true, ""));
        assert_eq!(world.related(By::Integration, &ids).await.unwrap().len(), 3);
        assert!(world.related(me, &[]).await.unwrap().is_empty());

        assert_eq!(world.for_transaction(me, unknown).await.unwrap(), None);
        let whole = world.for_transaction(me, &draft).await.unwrap().unwrap();
        assert_eq!(whole.view(), pb::ListingView::Full);
        assert!(world.for_transaction(me, &gone).await.unwrap().unwrap().deleted);
    }

    async fn a_page_of_search_costs_one_statement_and_then_none(db: Db) {
        let world = World::new(db).await;
        let me = By::User(world.user().await);
        for _ in 0..3 {
            world.create(me, "Bike").await.unwrap();
        }
        let search = || accounting::scope(world.query(By::Anonymous, Default::default()));
        let (_, first) = search().await;
        let (again, second) = search().await;
        assert_eq!((first.count, second.count), (1, 0));
        assert_eq!(again.unwrap().listings.len(), 3);
        let (_, shown) = accounting::scope(world.show(By::Anonymous, "3c073fae-6172-4e75-8b92-f560d58cd47c")).await;
        assert_eq!(shown.count, 1);
    }

    async fn the_feed_of_the_service_leads_the_index_of_a_running_one(db: Db) {
        let world = World::new(db).await;
        let me = By::User(world.user().await);
        world.create(me, "Bike").await.unwrap();
        world.service.start();
        world.service.follower.ready().await;
        let id = world.create(me, "Later").await.unwrap().id;
        world.service.sequencer.pass().await.unwrap();
        let head = world.service.sequencer.progress().borrow().head;
        let reached = world.service.follower.reached(head);
        tokio::time::timeout(Duration::from_secs(10), reached).await.unwrap();
        world.discard(me, &id).await.unwrap_err();
        assert_eq!(world.public_titles().await.len(), 2);
        world.service.tasks.shut_down().await;
    }
}
