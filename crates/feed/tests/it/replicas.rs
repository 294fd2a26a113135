//! Several processes on one PostgreSQL schema. Real time: PostgreSQL's clock judges leases.

stoa_testkit::only_on_postgres! { SET; {
    use crate::world::{Recorder, SET, World, effects, emit_one, stamped};
    use std::sync::Arc;
    use std::time::Duration;
    use stoa_db::Tx;
    use stoa_feed::{
        Consume, Consumer, Error, Follow, Follower, Job, Lease, Sequencer, Wiring,
    };
    use stoa_proto::events::Envelope;
    use stoa_testkit::engine::Place;
    use tokio::sync::watch;
    use tokio::time::Instant;

    /// Take-over of what a dead process held.
    const TAKE_OVER: Duration = Duration::from_secs(2);

    async fn until(what: &str, within: Duration, mut done: impl AsyncFnMut() -> bool) {
        let waited = tokio::time::timeout(within, async {
            while !done().await {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        assert!(waited.await.is_ok(), "not within {within:?}: {what}");
    }

    /// A consumer in a process of its own; it dies without a word when its task is aborted.
    async fn replica(
        world: &World,
        place: &Place,
        peer: &stoa_rpc::Peer,
        consume: impl Consume,
    ) -> (Consumer, Wiring) {
        let wiring = world.wiring("listings", &place.open().await);
        (Consumer::new(&wiring, peer.clone(), consume), wiring)
    }

    /// A cache of nothing.
    struct Deaf;

    #[tonic::async_trait]
    impl Follow for Deaf {
        fn owner(&self) -> &'static str {
            "users"
        }

        async fn load(&self, head: u64) -> Result<u64, Error> {
            Ok(head)
        }

        fn apply(&self, _: &Envelope) {}
    }

    /// Waits in its effect until it is let go.
    struct Hanging {
        recorder: Recorder,
        reached: Arc<watch::Sender<bool>>,
        go: watch::Receiver<bool>,
    }

    #[tonic::async_trait]
    impl Consume for Hanging {
        fn owner(&self) -> &'static str {
            self.recorder.owner
        }

        fn takes(&self, kind: &str) -> Option<u32> {
            self.recorder.takes(kind)
        }

        async fn apply(&self, tx: &Tx, envelope: &Envelope) -> Result<(), Error> {
            self.reached.send_replace(true);
            self.go.clone().wait_for(|go| *go).await.unwrap();
            self.recorder.apply(tx, envelope).await
        }
    }
}
    async fn a_killed_consumers_work_goes_on_elsewhere_within_two_seconds(place: Place) {
        let world = World::new();
        let db = place.open().await;
        let owner = world.owner("users", &db);
        world.tasks.spawn(owner.sequencer.clone().run());
        let (first, _) = replica(&world, &place, &owner.peer, Recorder::of("users")).await;
        let (second, _) = replica(&world, &place, &owner.peer, Recorder::of("users")).await;
        let running = world.tasks.spawn(first.clone().run());
        until("the first consumes", TAKE_OVER, async || first.is_caught_up()).await;
        world.tasks.spawn(second.clone().run());
        world.emit_many(&db, "user.updated", 5).await;
        until("effects", TAKE_OVER, async || effects(&db).await.len() == 5).await;
        // The one without the lease knows how far the other is.
        until("the second knows", TAKE_OVER, async || second.is_caught_up()).await;

        running.abort();
        emit_one(&db, world.envelope("user.updated", "a", 6)).await;
        until("take-over", TAKE_OVER, async || effects(&db).await.len() == 6).await;
        assert!(second.is_caught_up());
        assert_eq!(effects(&db).await, [1, 2, 3, 4, 5, 6]);
        world.tasks.shut_down().await;
    }

    async fn a_consumer_that_stops_in_order_hands_over_at_once(place: Place) {
        let (world, stopping) = (World::new(), World::new());
        let db = place.open().await;
        let owner = world.owner("users", &db);
        world.tasks.spawn(owner.sequencer.clone().run());
        let wiring = Wiring {
            tasks: stopping.tasks.clone(),
            ..world.wiring("listings", &place.open().await)
        };
        let first = Consumer::new(&wiring, owner.peer.clone(), Recorder::of("users"));
        let running = stopping.tasks.spawn(first.clone().run());
        until("the first consumes", TAKE_OVER, async || first.is_caught_up()).await;
        let (second, _) = replica(&world, &place, &owner.peer, Recorder::of("users")).await;
        world.tasks.spawn(second.clone().run());
        stopping.tasks.shut_down().await;
        running.await.unwrap();
        emit_one(&db, world.envelope("user.updated", "a", 1)).await;
        let soon = Duration::from_millis(900);
        until("hand-over", soon, async || !effects(&db).await.is_empty()).await;
        world.tasks.shut_down().await;
    }

    async fn a_consumer_that_was_stopped_in_its_effect_writes_nothing_when_it_goes_on(place: Place) {
        let world = World::new();
        let db = place.open().await;
        let owner = world.owner("users", &db);
        world.tasks.spawn(owner.sequencer.clone().run());
        emit_one(&db, world.envelope("user.updated", "a", 1)).await;
        let (go, gate) = watch::channel(false);
        let reached = Arc::new(watch::channel(false).0);
        let hanging = Hanging {
            recorder: Recorder::of("users"),
            reached: reached.clone(),
            go: gate,
        };
        let (stopped, _) = replica(&world, &place, &owner.peer, hanging).await;
        let asleep = world.tasks.spawn(async move { stopped.catch_up().await });
        reached.subscribe().wait_for(|reached| *reached).await.unwrap();
        let (other, _) = replica(&world, &place, &owner.peer, Recorder::of("users")).await;
        world.tasks.spawn(other.clone().run());
        // Also while the transaction of the first one is open.
        until("take-over", Duration::from_secs(4), async || effects(&db).await == [1]).await;
        go.send_replace(true);
        asleep.await.unwrap().ok();
        assert_eq!(effects(&db).await, [1]);
        world.tasks.shut_down().await;
    }

    async fn a_replica_that_does_not_consume_waits_for_the_one_that_does(place: Place) {
        let world = World::new();
        let db = place.open().await;
        let owner = world.owner("users", &db);
        world.tasks.spawn(owner.sequencer.clone().run());
        let (first, _) = replica(&world, &place, &owner.peer, Recorder::of("users")).await;
        let (second, _) = replica(&world, &place, &owner.peer, Recorder::of("users")).await;
        world.tasks.spawn(first.clone().run());
        until("the first consumes", TAKE_OVER, async || first.is_caught_up()).await;
        assert!(!second.is_caught_up(), "it has not looked yet");
        for count in [3, 6] {
            world.emit_many(&db, "user.updated", 3).await;
            let before = Instant::now();
            assert_eq!(second.catch_up().await.unwrap(), count);
            assert!(before.elapsed() < Duration::from_secs(1));
            assert_eq!(effects(&db).await.len() as u64, count);
        }
        world.tasks.shut_down().await;
    }

    async fn a_replica_whose_owner_is_silent_is_not_caught_up(place: Place) {
        let (world, gone) = (World::new(), World::new());
        let db = place.open().await;
        let owner = world.owner("users", &db);
        let sequencing = gone.tasks.spawn(owner.sequencer.clone().run());
        let (first, _) = replica(&world, &place, &owner.peer, Recorder::of("users")).await;
        let (second, _) = replica(&world, &place, &owner.peer, Recorder::of("users")).await;
        world.tasks.spawn(first.clone().run());
        until("the first consumes", TAKE_OVER, async || first.is_caught_up()).await;
        world.tasks.spawn(second.clone().run());
        until("the second knows", TAKE_OVER, async || second.is_caught_up()).await;
        sequencing.abort();
        let long = Duration::from_secs(9);
        until("both notice", long, async || !first.is_caught_up() && !second.is_caught_up()).await;
        world.tasks.shut_down().await;
    }

    // contract: security S14 (the way between two replicas)
    async fn a_follower_on_one_replica_soon_hears_of_commits_on_another(place: Place) {
        let world = World::new();
        let (db, other) = (place.open().await, place.open().await);
        let writing = world.owner("users", &db);
        let serving = world.owner("users", &other);
        for owner in [&writing, &serving] {
            world.tasks.spawn(owner.sequencer.clone().run());
        }
        let gateway = world.identity("gateway");
        let entropy = world.entropy.clone();
        let follower = Follower::new(&gateway, entropy, serving.peer.clone(), Deaf);
        world.tasks.spawn(follower.clone().run(world.tasks.clone()));
        follower.ready().await;
        let mut lags = Vec::new();
        for version in 1..=100 {
            let before = Instant::now();
            emit_one(&db, world.envelope("user.updated", "a", version)).await;
            follower.reached(version).await;
            lags.push(before.elapsed());
            // Not in step with the poll.
            tokio::time::sleep(Duration::from_millis(version * 7 % 31)).await;
        }
        lags.sort();
        assert!(lags[50] < Duration::from_millis(100), "{:?}", lags[50]);
        assert!(lags[99] < Duration::from_secs(1), "{:?}", lags[99]);
        world.tasks.shut_down().await;
    }

    async fn a_sequencer_that_hangs_in_its_pass_loses_it(place: Place) {
        let world = World::new();
        let (db, other) = (place.open().await, place.open().await);
        let two = Sequencer::new(&world.wiring("users", &other));
        emit_one(&other, world.envelope("user.updated", "a", 1)).await;
        let hung = db
            .write(|tx| {
                let two = two.clone();
                async move {
                    // As a pass begins.
                    tx.execute("SELECT set_config('idle_in_transaction_session_timeout', '1500', true)")
                        .await?;
                    tx.execute("SELECT head FROM sequencer FOR UPDATE").await?;
                    let before = Instant::now();
                    assert_eq!(two.pass().await.unwrap(), 1);
                    assert!(before.elapsed() < TAKE_OVER);
                    tx.execute("UPDATE sequencer SET head = 7").await
                }
            })
            .await;
        assert!(hung.is_err());
        emit_one(&db, world.envelope("user.updated", "a", 2)).await;
        let one = Sequencer::new(&world.wiring("users", &db));
        assert_eq!(one.pass().await.unwrap(), 1);
        let positions: Vec<u64> = stamped(&db).await.into_iter().map(|(p, _)| p).collect();
        assert_eq!(positions, [1, 2]);
    }

    async fn a_lease_is_judged_by_the_databases_clock(place: Place) {
        // An hour apart, as the clocks of two machines may be.
        let (world, late) = (World::new(), World::new());
        late.clock.advance_ms(3_600_000);
        // Another one's ids.
        late.user();
        let one = Lease::new(&world.wiring("users", &place.open().await), "work");
        let two = Lease::new(&late.wiring("users", &place.open().await), "work");
        assert!(one.acquire().await.unwrap());
        assert!(!two.acquire().await.unwrap());
        assert!(one.acquire().await.unwrap(), "the holder may renew");
        let mut had = false;
        let before = Instant::now();
        while !had && before.elapsed() < TAKE_OVER {
            had = two.acquire().await.unwrap();
        }
        assert!(had && before.elapsed() > Duration::from_secs(1), "{:?}", before.elapsed());
        assert!(!one.acquire().await.unwrap(), "lost");
        two.release().await.unwrap();
        assert!(one.acquire().await.unwrap());
    }

    async fn a_job_runs_on_one_replica_at_a_time_and_on_another_when_that_one_dies(place: Place) {
        let world = World::new();
        let (runs, mut began) = watch::channel(Vec::new());
        let runs = Arc::new(runs);
        let mut tasks = Vec::new();
        // The tables.
        place.open().await;
        for replica in 0..2 {
            let wiring = world.wiring("users", &place.open().await);
            let job = Job::new(&wiring, "test", Duration::from_millis(100));
            let runs = runs.clone();
            let work = move || {
                let runs = runs.clone();
                async move {
                    runs.send_modify(|runs| runs.push(replica));
                    std::future::pending::<Result<bool, Error>>().await
                }
            };
            tasks.push(world.tasks.spawn(job.run(work)));
            // The first one has begun before the second one starts.
            if replica == 0 {
                began.wait_for(|runs| runs.len() == 1).await.unwrap();
            }
        }
        // Longer than a lease lasts: it is renewed.
        tokio::time::sleep(Duration::from_millis(1800)).await;
        assert_eq!(*began.borrow(), [0]);
        tasks[0].abort();
        tokio::time::timeout(TAKE_OVER, began.wait_for(|runs| *runs == [0, 1]))
            .await
            .expect("take-over")
            .unwrap();
        world.tasks.shut_down().await;
    }
}
