//! Two processes of the service on one PostgreSQL schema.

stoa_testkit::only_on_postgres! { crate::migrations(); {
    use super::world::{By, World, marketplace, titled};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;
    use stoa_db::{Db, DbConfig, Synchronous};
    use stoa_feed::projections::actors;
    use stoa_feed::{FeedService, Sequencer, Wiring};
    use stoa_proto::events::Envelope;
    use stoa_rpc::{Guard, GuardSettings, Identity, LocalSlot, Peer, Tasks, Trust};
    use stoa_testkit::engine::Place;
    use stoa_types::id::UserId;
    use stoa_types::{Clock, ManualClock, SeededEntropy, SystemClock, Timestamp};
    use tokio::task::JoinSet;
    use tonic::service::Routes;

    /// The users service: a feed of its own.
    struct Users {
        db: Db,
        sequencer: Sequencer,
        peer: Peer,
        trust: Trust,
        _folder: tempfile::TempDir,
    }

    impl Users {
        async fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let config = DbConfig::Sqlite {
                path: folder.path().join("users.sqlite"),
                synchronous: Synchronous::Normal,
            };
            let db = Db::open_migrated(&config, &stoa_feed::MIGRATIONS).await.unwrap();
            let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SeededEntropy::new(50)));
            let trust = Trust::new();
            let identity =
                Identity::ephemeral("users", marketplace(), still(), &*entropy);
            let wiring = Wiring {
                db: db.clone(),
                identity,
                clock,
                entropy,
                tasks: Tasks::new(),
            };
            let sequencer = Sequencer::new(&wiring);
            let feed = FeedService::new(&wiring, sequencer.clone());
            let slot = LocalSlot::new();
            let guard = GuardSettings {
                service: "users",
                trust: trust.clone(),
                marketplace: marketplace(),
                clock: still(),
                tasks: Tasks::new(),
            };
            slot.fill(Guard::new(Routes::new(feed.into_server()), guard));
            wiring.tasks.spawn(sequencer.clone().run());
            let peer = slot.peer();
            Self { db, sequencer, peer, trust, _folder: folder }
        }

        /// Its feed tells.
        async fn tell(&self, envelope: Envelope) {
            let told = &envelope;
            self.db
                .write(|tx| async move { stoa_feed::emit(&tx, [told.clone()]).await })
                .await
                .unwrap();
            self.sequencer.pass().await.unwrap();
        }
    }

    /// The clock of all who sign and check.
    fn still() -> Arc<dyn Clock> {
        Arc::new(ManualClock::starting_at(Timestamp::from_ms(1_700_000_000_000)))
    }

    /// Two processes that work.
    async fn two(place: &Place, users: &Users) -> [Arc<World>; 2] {
        let mut both = Vec::new();
        for seed in [1, 2] {
            let (trust, peer) = (users.trust.clone(), users.peer.clone());
            let world = World::with_users(place.open().await, seed, trust, peer).await;
            world.service.start();
            both.push(Arc::new(world));
        }
        both.try_into().ok().unwrap()
    }

    async fn until(what: &str, within: Duration, mut done: impl AsyncFnMut() -> bool) {
        let waited = tokio::time::timeout(within, async {
            while !done().await {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        assert!(waited.await.is_ok(), "not within {within:?}: {what}");
    }

    /// A user whom both know.
    async fn known_user(users: &Users, worlds: &[Arc<World>; 2]) -> UserId {
        let user = UserId::random(&*worlds[0].entropy);
        users.tell(worlds[0].user_event(user, "active", 1)).await;
        until("the user is known", Duration::from_secs(5), async || {
            actors::read(&worlds[0].db, user).await.unwrap().is_some()
        })
        .await;
        user
    }

    /// How long a search on another replica may lag.
    const LAG: Duration = Duration::from_secs(1);
}
    // contract: listings L49
    async fn every_replica_finds_what_another_one_stored_and_hides_whom_the_feed_bans(place: Place) {
        let users = Users::new().await;
        let worlds = two(&place, &users).await;
        let [one, other] = &worlds;
        let user = known_user(&users, &worlds).await;
        let bike = one.create(By::User(user), "Bike").await.unwrap().id;
        assert_eq!(one.public_titles().await, ["Bike"], "the own replica at once");
        until("found", LAG, async || other.public_titles().await == ["Bike"]).await;
        other.rename(By::User(user), &bike, "Red bike").await.unwrap();
        until("renamed", LAG, async || one.public_titles().await == ["Red bike"]).await;

        users.tell(one.user_event(user, "banned", 2)).await;
        for world in &worlds {
            until("hidden", LAG, async || world.public_titles().await.is_empty()).await;
        }
        let gone = Duration::from_secs(8);
        until("deleted", gone, async || one.live_listings(user).await == 0).await;
        until("told", gone, async || one.public_events(&bike).await.len() == 3).await;
        let events = one.public_events(&bike).await;
        assert_eq!(events, ["listing/created", "listing/updated", "listing/deleted"]);
        for world in worlds {
            world.service.tasks.shut_down().await;
        }
    }

    // contract: security S44 (two replicas)
    async fn no_listing_of_64_writers_on_two_replicas_slips_past_a_ban(place: Place) {
        let users = Users::new().await;
        let worlds = two(&place, &users).await;
        for round in 0..6_u32 {
            let user = known_user(&users, &worlds).await;
            let made = Arc::new(AtomicU32::new(0));
            let mut writers = JoinSet::new();
            for writer in 0..64 {
                let (world, made) = (Arc::clone(&worlds[writer % 2]), Arc::clone(&made));
                // Each goes on until it is refused, so that some are always on their way.
                writers.spawn(async move {
                    loop {
                        match world.create_own(By::User(user), titled("Bike")).await {
                            Ok(_) => _ = made.fetch_add(1, Ordering::Relaxed),
                            Err((status, ..)) => {
                                assert!(matches!(status, 401 | 403 | 409), "{status}");
                                return;
                            }
                        }
                    }
                });
            }
            while made.load(Ordering::Relaxed) <= round * 8 {
                tokio::task::yield_now().await;
            }
            let state = if round % 2 == 1 { "deleted" } else { "banned" };
            users.tell(worlds[0].user_event(user, state, 2)).await;
            while let Some(done) = writers.join_next().await {
                done.unwrap();
            }
            let gone = Duration::from_secs(20);
            until("deleted", gone, async || worlds[0].live_listings(user).await == 0).await;
            for world in &worlds {
                until("hidden", LAG, async || world.public_titles().await.is_empty()).await;
            }
        }
        for world in worlds {
            world.service.tasks.shut_down().await;
        }
    }
}
