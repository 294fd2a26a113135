//! What becomes of listings when their author is banned, deleted or waits for approval.

use super::world::{By, World, refusal};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use stoa_db::Db;
use stoa_feed::projections::actors;
use stoa_policy::Level;
use stoa_proto::events::envelope::Payload;
use tokio::sync::Notify;

stoa_testkit::on_every_engine! { crate::migrations();
    // contract: listings L49
    async fn listings_of_a_banned_author_are_gone_for_good(db: Db) {
        let world = World::new(db).await;
        let user = world.user().await;
        let (me, other) = (By::User(user), By::User(world.user().await));
        let id = world.create(me, "Bike").await.unwrap().id;
        world.create_draft(me, "Draft").await.unwrap();
        world.create(other, "Other").await.unwrap();

        world.user_is(user, "banned").await;
        // Before the job ran, too, nobody finds them and the author can do nothing.
        assert_eq!(world.public_titles().await, ["Other"]);
        assert_eq!(world.show(By::Anonymous, &id).await.unwrap_err(), refusal(404, "not-found"));
        assert_eq!(world.rename(me, &id, "x").await.unwrap_err(), refusal(403, "forbidden"));
        world.work().await;
        assert_eq!(world.live_listings(user).await, 0);
        assert_eq!(world.query(By::Integration, Default::default()).await.unwrap().listings.len(), 1);
        assert!(world.related(other, &[&id]).await.unwrap()[0].deleted);
        let last = world.outbox().await.pop().unwrap();
        let actor = last.actor.clone().unwrap();
        assert_eq!((actor.level.as_str(), actor.cause.is_empty()), (Level::System.name(), false));
        assert_eq!(last.public_events[0].source, "source/console");
        assert_eq!(world.public_events(&id).await, ["listing/created", "listing/deleted"]);

        world.user_is(user, "active").await;
        world.work().await;
        assert_eq!(world.public_titles().await, ["Other"]);
        assert_eq!(world.rename(me, &id, "x").await.unwrap_err(), refusal(409, "listing-not-found"));
        world.create(me, "New").await.unwrap();
        world.work().await;
        assert_eq!(world.public_titles().await.len(), 2);
    }

    async fn a_ban_that_ends_before_its_work_reaches_old_listings_and_no_new_ones(db: Db) {
        let world = World::new(db).await;
        let user = world.user().await;
        for _ in 0..3 {
            world.create(By::User(user), "Old").await.unwrap();
        }
        world.user_is(user, "banned").await;
        world.user_is(user, "active").await;
        assert_eq!(world.live_listings(user).await, 0);
        world.create(By::User(user), "New").await.unwrap();
        world.work().await;
        assert_eq!(world.public_titles().await, ["New"]);
    }

    // contract: security S45
    async fn states_that_arrive_late_or_twice_change_nothing(db: Db) {
        let world = World::new(db).await;
        let user = world.user().await;
        world.create(By::User(user), "Bike").await.unwrap();
        let (ban, end, again) = (
            world.user_event(user, "banned", 10),
            world.user_event(user, "active", 11),
            world.user_event(user, "banned", 12),
        );
        for event in [&end, &ban, &end] {
            world.tell(event).await;
        }
        world.work().await;
        assert_eq!(world.public_titles().await, ["Bike"], "an older ban counts for nothing");
        for event in [&again, &end, &again, &ban] {
            world.tell(event).await;
        }
        world.work().await;
        assert!(world.public_titles().await.is_empty());
        assert_eq!(world.create(By::User(user), "x").await.unwrap_err(), refusal(403, "forbidden"));
    }

    async fn a_deleted_author_leaves_nothing_behind_but_ids(db: Db) {
        let world = World::new(db).await;
        let user = world.user().await;
        let me = By::User(user);
        let id = world.create(me, "Secret bike").await.unwrap().id;
        world.rename(me, &id, "Secret name").await.unwrap();
        for i in 0..120 {
            world.create_draft(me, &format!("Secret {i}")).await.unwrap();
        }
        world.user_is(user, "deleted").await;
        world.work().await;
        assert_eq!(world.live_listings(user).await, 0);
        let outbox = world.outbox().await;
        assert_eq!(outbox.len(), 122 + 121);
        for envelope in &outbox {
            assert!(!format!("{envelope:?}").contains("Secret"), "{envelope:?}");
        }
        let Some(Payload::Listing(marker)) = &outbox.last().unwrap().payload else { panic!() };
        assert!(marker.deleted);
        assert_eq!(world.create(me, "x").await.unwrap_err().0, 401);
        // Nothing that comes later brings the person back.
        world.user_is(user, "active").await;
        assert_eq!(world.create(me, "x").await.unwrap_err().0, 401);
        assert!(world.public_titles().await.is_empty());
    }

    async fn a_removal_goes_on_where_it_stopped(db: Db) {
        let world = World::new(db).await;
        let user = world.user().await;
        for _ in 0..60 {
            world.create(By::User(user), "Bike").await.unwrap();
        }
        world.user_is(user, "banned").await;
        let world = world.restarted().await;
        assert!(world.public_titles().await.is_empty());
        world.work().await;
        assert_eq!(world.live_listings(user).await, 0);
    }

    async fn listings_of_an_author_who_waits_for_approval_are_not_public(db: Db) {
        let world = World::new(db).await;
        let user = world.user().await;
        world.user_is(user, "pendingApproval").await;
        let id = world.create_for(By::Integration, user, "published").await.unwrap().id;
        assert!(world.public_titles().await.is_empty());
        assert_eq!(world.show(By::Anonymous, &id).await.unwrap_err(), refusal(404, "not-found"));
        assert!(world.show(By::Integration, &id).await.is_ok());
        assert!(world.show_own(By::User(user), &id).await.is_ok());
        let denied = refusal(403, "permission-denied-pending-approval");
        assert_eq!(world.create(By::User(user), "x").await.unwrap_err(), denied);
        world.user_is(user, "active").await;
        assert_eq!(world.public_titles().await.len(), 1);
    }

    // contract: security S44
    async fn a_write_that_was_admitted_before_a_ban_and_comes_after_it_is_refused(db: Db) {
        let world = World::new(db.clone()).await;
        let user = world.user().await;
        let ban = world.user_event(user, "banned", 900);
        let Some(Payload::User(access)) = &ban.payload else { panic!() };
        let (stored, go) = (Notify::new(), Notify::new());
        let (stored, go) = (&stored, &go);
        // The ban is stored and not committed when the author begins to write.
        let banning = db.write(|tx| async move {
            actors::apply(&tx, access).await?;
            stored.notify_one();
            go.notified().await;
            Ok::<_, stoa_feed::Error>(())
        });
        let writing = async {
            stored.notified().await;
            let late = async {
                // Many reads take longer than the one that admits the author.
                for _ in 0..50 {
                    world.live_listings(user).await;
                }
                go.notify_one();
            };
            let (own, other, ()) = tokio::join!(
                world.create(By::User(user), "Bike"),
                world.create_for(By::Integration, user, "published"),
                late,
            );
            (own, other)
        };
        let (banned, (own, other)) = tokio::join!(banning, writing);
        banned.unwrap();
        assert_eq!(own.unwrap_err(), refusal(403, "forbidden"));
        assert_eq!(other.unwrap_err(), refusal(409, "user-is-banned"));
        assert_eq!(world.live_listings(user).await, 0);
    }

    // contract: security S44
    async fn no_listing_slips_past_a_ban_or_deletion(db: Db) {
        let world = Arc::new(World::new(db).await);
        for round in 0..12_u32 {
            let user = world.user().await;
            let made = Arc::new(AtomicU32::new(0));
            let mut writers = tokio::task::JoinSet::new();
            for writer in 0..8 {
                let (world, made) = (Arc::clone(&world), Arc::clone(&made));
                // Each goes on until it is refused, so that some are always on their way.
                writers.spawn(async move {
                    loop {
                        let outcome = if writer % 2 == 0 {
                            world.create(By::User(user), "Bike").await
                        } else {
                            world.create_for(By::Integration, user, "published").await
                        };
                        match outcome {
                            Ok(_) => _ = made.fetch_add(1, Ordering::Relaxed),
                            Err((status, ..)) => {
                                assert!(matches!(status, 401 | 403 | 409), "{status}");
                                return;
                            }
                        }
                    }
                });
            }
            // The end comes at another moment in every round, and always amidst writes.
            while made.load(Ordering::Relaxed) <= round {
                tokio::task::yield_now().await;
            }
            let deleted = round % 2 == 1;
            world.user_is(user, if deleted { "deleted" } else { "banned" }).await;
            world.work().await;
            while let Some(done) = writers.join_next().await {
                done.unwrap();
            }
            assert_eq!(world.live_listings(user).await, 0);
            assert!(world.public_titles().await.is_empty());
        }
    }
}
