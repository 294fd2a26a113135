//! Commands of authors and of the marketplace.

use super::world::{By, World, refusal, titled};
use stoa_db::{Db, accounting};
use stoa_proto::listings as pb;
use stoa_proto::types;

stoa_testkit::on_every_engine! { crate::migrations();
    // contract: listings L1, L2, L4, L5, L6, L9
    async fn a_marketplace_may_ask_for_approval_before_the_first_publication_only(db: Db) {
        let world = World::new(db).await;
        let me = By::User(world.user().await);
        let free = world.create(me, "Free").await.unwrap();
        assert_eq!((free.state.as_str(), free.view()), ("published", pb::ListingView::Own));
        assert!(!free.deleted);
        let By::User(author) = me else { panic!() };
        assert_eq!(free.author_id, author.to_string());

        world.ask(|control| control.require_approval_to_publish = true).await;
        let waiting = world.create(me, "Waiting").await.unwrap();
        assert_eq!(waiting.state, "pendingApproval");
        let draft = world.create_draft(me, "Draft").await.unwrap();
        for hidden in [&waiting, &draft] {
            assert_eq!(world.show(me, &hidden.id).await.unwrap_err(), refusal(404, "not-found"));
            assert!(world.show_own(me, &hidden.id).await.is_ok());
        }
        let published = world.publish(me, &draft.id).await.unwrap();
        assert_eq!(published.state, "pendingApproval");
        let approved = world.approve(By::Integration, &draft.id).await.unwrap();
        assert_eq!((approved.state.as_str(), approved.view()), ("published", pb::ListingView::Full));

        assert_eq!(world.rename(me, &free.id, "Renamed").await.unwrap().state, "published");
        world.close(me, &free.id).await.unwrap();
        assert_eq!(world.open(me, &free.id).await.unwrap().state, "published");
    }

    // contract: listings L7, L8, L11
    async fn a_step_from_the_wrong_state_changes_nothing(db: Db) {
        let world = World::new(db).await;
        let me = By::User(world.user().await);
        let id = world.create(me, "Bike").await.unwrap().id;
        let wrong = refusal(409, "listing-invalid-state");
        assert_eq!(world.publish(me, &id).await.unwrap_err(), wrong);
        assert_eq!(world.discard(me, &id).await.unwrap_err(), wrong);
        assert_eq!(world.open(me, &id).await.unwrap_err(), wrong);
        assert_eq!(world.approve(By::Operator, &id).await.unwrap_err(), wrong);
        world.close(me, &id).await.unwrap();
        assert_eq!(world.close(me, &id).await.unwrap_err(), wrong);
        assert_eq!(world.show(me, &id).await.unwrap_err(), refusal(404, "not-found"));
        assert_eq!(world.show_own(me, &id).await.unwrap().state, "closed");
        assert!(world.public_titles().await.is_empty());

        let draft = world.create_draft(me, "Draft").await.unwrap().id;
        assert!(world.discard(me, &draft).await.unwrap().deleted);
        assert_eq!(world.show_own(me, &draft).await.unwrap_err(), refusal(404, "not-found"));
        assert_eq!(world.rename(me, &draft, "x").await.unwrap_err(), refusal(409, "listing-not-found"));
        assert_eq!(world.public_events(&id).await, ["listing/created", "listing/updated"]);
        assert_eq!(world.public_events(&draft).await, ["listing/created", "listing/deleted"]);
    }

    // contract: listings L10
    async fn who_may_not_post_may_still_update_and_close(db: Db) {
        let world = World::new(db).await;
        let user = world.user().await;
        let me = By::User(user);
        let (id, draft) = (
            world.create(me, "Bike").await.unwrap().id,
            world.create_draft(me, "Draft").await.unwrap().id,
        );
        let mut event = world.user_event(user, "active", 900);
        if let Some(stoa_proto::events::envelope::Payload::User(access)) = &mut event.payload {
            access.permissions = Some(Default::default());
        }
        world.tell(&event).await;
        world.ask(|control| control.require_permission_to_post_listings = true).await;
        let denied = refusal(403, "permission-denied-post-listings");
        assert_eq!(world.create(me, "x").await.unwrap_err(), denied);
        assert_eq!(world.create_draft(me, "x").await.unwrap_err(), denied);
        assert_eq!(world.publish(me, &draft).await.unwrap_err(), denied);
        assert!(world.rename(me, &id, "New").await.is_ok());
        assert!(world.close(me, &id).await.is_ok());
        assert_eq!(world.open(me, &id).await.unwrap_err(), denied);
        assert!(world.open(By::Integration, &id).await.is_ok());
    }

    // contract: listings L57, L58
    async fn a_foreign_listing_is_forbidden_and_an_unknown_one_a_conflict(db: Db) {
        let world = World::new(db).await;
        let (alice, bob) = (By::User(world.user().await), By::User(world.user().await));
        let listing = world.create(alice, "Bike").await.unwrap();
        let forbidden = refusal(403, "forbidden");
        assert_eq!(world.rename(bob, &listing.id, "Mine").await.unwrap_err(), forbidden);
        assert_eq!(world.close(bob, &listing.id).await.unwrap_err(), forbidden);
        assert_eq!(world.show_own(bob, &listing.id).await.unwrap_err(), forbidden);
        assert_eq!(world.rename(By::Anonymous, &listing.id, "x").await.unwrap_err(), forbidden);
        assert_eq!(world.show_own(alice, &listing.id).await.unwrap(), listing);
        let unknown = "3c073fae-6172-4e75-8b92-f560d58cd47c";
        assert_eq!(world.rename(bob, unknown, "x").await.unwrap_err(), refusal(409, "listing-not-found"));
        assert_eq!(world.show_own(bob, unknown).await.unwrap_err(), refusal(404, "not-found"));
    }

    // contract: listings L12, L13, integration I8
    async fn an_update_merges_tells_what_changed_and_nothing_when_nothing_did(db: Db) {
        let world = World::new(db).await;
        let me = By::User(world.user().await);
        let fields = pb::ListingFields {
            public_data: Some(r#"{"a":1,"b":{"c":1,"d":2}}"#.into()),
            ..titled("Bike")
        };
        let id = world.create_own(me, fields).await.unwrap().id;
        let with_data = |json: String| pb::UpdateListingRequest {
            id: id.clone(),
            public_data: Some(json),
            ..Default::default()
        };
        let changed = world.update(me, with_data(r#"{"b":{"c":9},"a":null}"#.into())).await.unwrap();
        assert_eq!(changed.public_data, r#"{"b":{"c":9}}"#);
        let half = |key: &str| with_data(format!(r#"{{"{key}":"{}"}}"#, "x".repeat(30_000)));
        world.update(me, half("x")).await.unwrap();
        let refused = world.update(me, half("y")).await.unwrap_err();
        let too_large = (400, "validation-invalid-value".to_owned(), Some("publicData".to_owned()));
        assert_eq!(refused, too_large);
        let before = world.show_own(me, &id).await.unwrap();
        assert_eq!(before.version, 3);
        assert_eq!(world.rename(me, &id, "Bike").await.unwrap(), before);
        assert_eq!(world.outbox().await.len(), 3);
    }

    async fn an_image_that_nobody_uploaded_is_refused(db: Db) {
        let world = World::new(db).await;
        let me = By::User(world.user().await);
        let image = "3c073fae-6172-4e75-8b92-f560d58cd47c".to_owned();
        let fields = pb::ListingFields { image_ids: vec![image.clone()], ..titled("Bike") };
        let invalid = refusal(409, "image-invalid");
        assert_eq!(world.create_own(me, fields).await.unwrap_err(), invalid);
        let id = world.create(me, "Bike").await.unwrap().id;
        let images = |ids| pb::UpdateListingRequest {
            id: id.clone(),
            image_ids: Some(pb::IdList { ids }),
            ..Default::default()
        };
        assert_eq!(world.update(me, images(vec![image])).await.unwrap_err(), invalid);
        assert!(world.update(me, images(Vec::new())).await.is_ok());
    }

    // contract: listings L20, integration I7
    async fn an_integration_makes_listings_for_any_author_in_good_standing(db: Db) {
        let world = World::new(db).await;
        let author = world.user().await;
        world.ask(|control| control.require_approval_to_publish = true).await;
        let made = world.create_for(By::Integration, author, "published").await.unwrap();
        assert_eq!((made.state.as_str(), made.author_id), ("published", author.to_string()));
        let event = world.outbox().await.remove(0).public_events.remove(0);
        assert_eq!(event.source, "source/integration-api");
        let refused = world.create_for(By::Integration, author, "draft").await.unwrap_err();
        assert_eq!(refused.2.as_deref(), Some("state"));
        let me = By::User(author);
        assert_eq!(world.create_for(me, author, "published").await.unwrap_err(), refusal(403, "forbidden"));
        world.user_is(author, "banned").await;
        let banned = world.create_for(By::Operator, author, "published").await.unwrap_err();
        assert_eq!(banned, refusal(409, "user-is-banned"));
        world.user_is(author, "deleted").await;
        let deleted = world.create_for(By::Operator, author, "published").await.unwrap_err();
        assert_eq!(deleted, refusal(409, "user-not-found"));
    }

    async fn what_is_stored_comes_back_as_it_was(db: Db) {
        let world = World::new(db).await;
        let me = By::User(world.user().await);
        let plan = r#"{"type":"availability-plan/time","timezone":"Europe/Helsinki","entries":[]}"#;
        let fields = pb::ListingFields {
            description: Some("Good".into()),
            geolocation: Some(types::LatLng { lat: 60.1, lng: -25.5 }),
            price: Some(types::Money { amount: 1999, currency: "EUR".into() }),
            availability_plan: Some(plan.into()),
            public_data: Some(r#"{"length":1.50}"#.into()),
            private_data: Some(r#"{"note":"x"}"#.into()),
            ..titled("Bike")
        };
        let made = world.create_own(me, fields.clone()).await.unwrap();
        assert_eq!(world.show_own(me, &made.id).await.unwrap(), made);
        assert_eq!(made.price, fields.price);
        assert_eq!(made.geolocation, fields.geolocation);
        assert_eq!(made.availability_plan.as_deref(), Some(plan));
        assert_eq!(made.public_data, r#"{"length":1.50}"#);
        let cleared = world.update(me, pb::UpdateListingRequest {
            id: made.id.clone(),
            description: Some(Default::default()),
            geolocation: Some(Default::default()),
            price: Some(Default::default()),
            availability_plan: Some(Default::default()),
            ..Default::default()
        }).await.unwrap();
        assert_eq!((cleared.description, cleared.geolocation, cleared.price, cleared.availability_plan), (None, None, None, None));
    }

    async fn a_command_costs_a_fixed_number_of_statements(db: Db) {
        let world = World::new(db).await;
        // A lock on the user is a statement on PostgreSQL only.
        let lock = match world.service.core.db.engine() {
            stoa_db::Engine::Sqlite => 0,
            stoa_db::Engine::Postgres => 1,
        };
        let me = By::User(world.user().await);
        let (made, statements) = accounting::scope(world.create(me, "Bike")).await;
        // Standing, standing again under its lock, row, envelope, whom the envelope is about.
        assert_eq!(statements.count, 5 + lock);
        let id = made.unwrap().id;
        let (_, statements) = accounting::scope(world.rename(me, &id, "New")).await;
        assert_eq!(statements.count, 6 + lock);
    }

    async fn of_two_changes_at_the_same_time_both_are_kept_or_one_is_refused(db: Db) {
        let world = World::new(db).await;
        let me = By::User(world.user().await);
        let id = world.create(me, "Bike").await.unwrap().id;
        let (a, b) = tokio::join!(world.rename(me, &id, "A"), world.rename(By::Operator, &id, "B"));
        for outcome in [&a, &b] {
            if let Err(refused) = outcome {
                assert_eq!(*refused, refusal(409, "conflict"));
            }
        }
        let kept = u64::from(a.is_ok()) + u64::from(b.is_ok());
        assert_eq!(world.show_own(me, &id).await.unwrap().version, 1 + kept);
        assert_eq!(world.outbox().await.len() as u64, 1 + kept);
    }
}
