use crate::world::{Recorder, SET, World, access, effects, emit_one};
use stoa_db::{Db, sql};
use stoa_feed::projections::{ActorsConsumer, actors};
use stoa_feed::{Consumer, Error, emit};
use stoa_policy::UserState;
use stoa_testkit::engine::Place;
use stoa_types::Clock as _;

fn all(count: i64) -> Vec<i64> {
    (1..=count).collect()
}

stoa_testkit::on_every_engine! { SET;
    async fn each_effect_happens_once_in_order_and_is_told_after_its_commit(db: Db) {
        let world = World::new();
        let owner = world.owner("users", &db);
        world.emit_many(&db, "user.updated", 150).await;
        let recorder = Recorder::of("users");
        let consumer = Consumer::new(&world.wiring("listings", &db), owner.peer, recorder.clone());
        assert!(!consumer.is_caught_up());
        assert_eq!(consumer.catch_up().await.unwrap(), 150);
        assert!(consumer.is_caught_up());
        assert_eq!(consumer.lag(), 0);
        assert_eq!(consumer.catch_up().await.unwrap(), 150);
        assert_eq!(effects(&db).await, all(150));
        assert_eq!(*recorder.told.lock().unwrap(), (1..=150).collect::<Vec<_>>());
    }

    async fn a_crash_between_effect_and_cursor_leaves_neither(db: Db) {
        let world = World::new();
        let owner = world.owner("users", &db);
        world.emit_many(&db, "user.updated", 10).await;
        let recorder = Recorder::of("users");
        // Once in the batch, and once more when the envelope comes alone.
        recorder.crashes.lock().unwrap().extend([1, 1, 6, 6, 10, 10]);
        let mut crashes = 0;
        loop {
            // A process of its own each time.
            let consumer =
                Consumer::new(&world.wiring("listings", &db), owner.peer.clone(), recorder.clone());
            match consumer.catch_up().await {
                Ok(position) => {
                    assert_eq!(position, 10);
                    break;
                }
                Err(Error::Effect(_)) => crashes += 1,
                Err(other) => panic!("{other:?}"),
            }
            // What is told is committed.
            let told = recorder.told.lock().unwrap().len();
            assert_eq!(effects(&db).await.len(), told);
        }
        assert!(crashes > 0);
        assert_eq!(effects(&db).await, all(10));
        assert_eq!(*recorder.told.lock().unwrap(), (1..=10).collect::<Vec<_>>());
    }

    async fn a_bad_envelope_does_not_hold_back_those_before_it(db: Db) {
        let world = World::new();
        let owner = world.owner("users", &db);
        world.emit_many(&db, "user.updated", 10).await;
        let recorder = Recorder::of("users");
        recorder.crashes.lock().unwrap().extend([7; 20]);
        let consumer = Consumer::new(&world.wiring("listings", &db), owner.peer, recorder.clone());
        assert!(matches!(consumer.catch_up().await, Err(Error::Effect(_))));
        assert_eq!(effects(&db).await, all(6));
        recorder.crashes.lock().unwrap().clear();
        assert_eq!(consumer.catch_up().await.unwrap(), 10);
        assert_eq!(effects(&db).await, all(10));
    }

    async fn a_restarted_consumer_goes_on_from_its_cursor(place: Place) {
        let world = World::new();
        let db = place.open().await;
        let owner = world.owner("users", &db);
        world.emit_many(&db, "user.updated", 3).await;
        let consume = || Recorder::of("users");
        let first = Consumer::new(&world.wiring("listings", &db), owner.peer.clone(), consume());
        first.catch_up().await.unwrap();
        world.emit_many(&db, "user.updated", 3).await;
        let again = place.open().await;
        let second = Consumer::new(&world.wiring("listings", &again), owner.peer, consume());
        assert_eq!(second.catch_up().await.unwrap(), 6);
        assert_eq!(effects(&db).await, all(6));
    }

    async fn two_replicas_that_both_believe_in_their_lease_apply_everything_once(db: Db) {
        let world = World::new();
        let owner = world.owner("users", &db);
        world.emit_many(&db, "user.updated", 200).await;
        let wiring = world.wiring("listings", &db);
        let run = || {
            let consumer = Consumer::new(&wiring, owner.peer.clone(), Recorder::of("users"));
            async move { while consumer.catch_up().await.is_err() {} }
        };
        let (one, two) = (world.tasks.spawn(run()), world.tasks.spawn(run()));
        let both = async {
            one.await.unwrap();
            two.await.unwrap();
        };
        // No lease lasts.
        let thief = async {
            loop {
                let stolen = db.write(|tx| async move { tx.execute("DELETE FROM leases").await });
                stolen.await.unwrap();
            }
        };
        tokio::select! {
            () = both => {}
            () = thief => {}
        }
        assert_eq!(effects(&db).await, all(200));
    }

    async fn a_running_consumer_gets_what_is_committed(db: Db) {
        let world = World::new();
        let owner = world.owner("users", &db);
        world.tasks.spawn(owner.sequencer.clone().run());
        let consumer = Consumer::new(
            &world.wiring("listings", &db),
            owner.peer.clone(),
            Recorder::of("users"),
        );
        let running = world.tasks.spawn(consumer.clone().run());
        for round in 1..=3 {
            world.emit_many(&db, "user.updated", 2).await;
            // May find the consumer running or not yet started; both are right.
            while consumer.catch_up().await.is_err() {}
            assert_eq!(effects(&db).await, all(round * 2));
        }
        world.tasks.shut_down().await;
        running.await.unwrap();
        assert!(!consumer.is_stopped());
    }

    // contract: security S66
    async fn types_that_are_not_taken_are_skipped_whatever_their_version(db: Db) {
        let world = World::new();
        let owner = world.owner("users", &db);
        let mut skipped = world.envelope("user.skipped", "a", 1);
        skipped.schema_version = 9;
        emit_one(&db, skipped).await;
        emit_one(&db, world.envelope("user.updated", "a", 2)).await;
        let consumer =
            Consumer::new(&world.wiring("listings", &db), owner.peer, Recorder::of("users"));
        assert_eq!(consumer.catch_up().await.unwrap(), 2);
        assert_eq!(effects(&db).await, [2]);
    }

    // contract: security S66
    async fn an_unknown_schema_version_of_a_taken_type_stops_the_consumer(db: Db) {
        let world = World::new();
        let owner = world.owner("users", &db);
        world.emit_many(&db, "user.updated", 2).await;
        let mut newer = world.envelope("user.updated", "a", 3);
        newer.schema_version = 2;
        emit_one(&db, newer).await;
        world.emit_many(&db, "user.updated", 1).await;
        let wiring = world.wiring("listings", &db);
        let consumer = Consumer::new(&wiring, owner.peer.clone(), Recorder::of("users"));
        // It ends by itself, with nothing parked behind it.
        consumer.clone().run().await;
        assert!(consumer.is_stopped() && !consumer.is_caught_up());
        assert_eq!(effects(&db).await, all(2));
        let error = Consumer::new(&wiring, owner.peer, Recorder::of("users")).catch_up().await;
        assert!(matches!(error, Err(Error::UnknownSchema { version: 2, .. })));
    }

    // contract: security S66
    async fn an_envelope_in_the_feed_of_another_owner_changes_nothing(db: Db) {
        let world = World::new();
        let owner = world.owner("listings", &db);
        emit_one(&db, world.envelope("user.deleted", "a", 1)).await;
        emit_one(&db, world.envelope("listing.updated", "l", 1)).await;
        let consumer =
            Consumer::new(&world.wiring("event-log", &db), owner.peer, Recorder::of("listings"));
        assert_eq!(consumer.catch_up().await.unwrap(), 2);
        assert_eq!(effects(&db).await, [2]);
    }

    // contract: security S66
    async fn a_process_that_is_not_on_the_owners_list_gets_no_feed(db: Db) {
        let world = World::new();
        let owner = world.owner("listings", &db);
        world.emit_many(&db, "listing.updated", 1).await;
        for stranger in ["users", "transactions", "gateway"] {
            let consumer = Consumer::new(
                &world.wiring(stranger, &db),
                owner.peer.clone(),
                Recorder::of("listings"),
            );
            match consumer.catch_up().await {
                Err(Error::Refused(problems)) => assert_eq!(problems.status(), 403, "{stranger}"),
                other => panic!("{stranger}: {other:?}"),
            }
        }
        assert_eq!(effects(&db).await, Vec::<i64>::new());
    }

    async fn a_cursor_ahead_of_the_feed_stops_the_consumer(db: Db) {
        let world = World::new();
        let owner = world.owner("users", &db);
        db.write(|tx| async move {
            tx.execute("INSERT INTO cursors (name, position) VALUES ('users', 5)").await
        })
        .await
        .unwrap();
        let consumer =
            Consumer::new(&world.wiring("listings", &db), owner.peer, Recorder::of("users"));
        consumer.clone().run().await;
        assert!(consumer.is_stopped());
    }

    async fn a_consumer_that_was_away_for_a_day_catches_up(db: Db) {
        let world = World::new();
        let owner = world.owner("users", &db);
        let consumer =
            Consumer::new(&world.wiring("listings", &db), owner.peer, Recorder::of("users"));
        world.emit_many(&db, "user.updated", 1).await;
        assert_eq!(consumer.catch_up().await.unwrap(), 1);
        let row = sql("INSERT INTO feed_readers (service, cursor, position, seen_at)
                       VALUES ('listings', 'users', 1, $1)");
        let row = &row.bind(world.clock.now());
        db.write(|tx| async move { tx.execute(row.clone()).await }).await.unwrap();
        let missed: Vec<_> = (2..=5000).map(|v| world.envelope("user.updated", "a", v)).collect();
        let missed = &missed;
        db.write(|tx| async move { emit(&tx, missed.iter().cloned()).await }).await.unwrap();
        for _ in 0..24 {
            world.clock.advance_ms(3_600_000);
            assert!(!owner.sequencer.drop_old().await.unwrap(), "it has not passed them");
        }
        assert_eq!(consumer.catch_up().await.unwrap(), 5000);
        assert_eq!(effects(&db).await, all(5000));
    }

    // contract: security S46 (rows of the outbox)
    async fn a_cursor_before_what_is_kept_stops_the_consumer_and_skips_nothing(db: Db) {
        let world = World::new();
        let owner = world.owner("users", &db);
        world.emit_many(&db, "user.updated", 10).await;
        owner.sequencer.pass().await.unwrap();
        db.write(|tx| async move {
            tx.execute("DELETE FROM outbox WHERE position <= 4").await?;
            tx.execute("UPDATE sequencer SET kept_after = 4").await
        })
        .await
        .unwrap();
        db.write(|tx| async move {
            tx.execute("INSERT INTO cursors (name, position) VALUES ('users', 1)").await
        })
        .await
        .unwrap();
        let wiring = world.wiring("listings", &db);
        let recorder = || Recorder { needs_events: true, ..Recorder::of("users") };
        let consumer = Consumer::new(&wiring, owner.peer.clone(), recorder());
        let error = consumer.catch_up().await;
        assert!(matches!(error, Err(Error::Hole { cursor: 1, next: 5 })), "{error:?}");
        consumer.clone().run().await;
        assert!(consumer.is_stopped() && !consumer.is_caught_up());
        assert_eq!(effects(&db).await, Vec::<i64>::new());
        // One that has what is gone goes on.
        db.write(|tx| async move { tx.execute("UPDATE cursors SET position = 4").await })
            .await
            .unwrap();
        let consumer = Consumer::new(&wiring, owner.peer, recorder());
        assert_eq!(consumer.catch_up().await.unwrap(), 10);
        assert_eq!(effects(&db).await, [5, 6, 7, 8, 9, 10]);
    }

    async fn one_that_comes_after_envelopes_were_dropped_takes_the_states_they_left(db: Db) {
        let world = World::new();
        let owner = world.owner("users", &db);
        let users: Vec<_> = (0..150).map(|_| world.user()).collect();
        for version in 1..=2 {
            let events: Vec<_> = users
                .iter()
                .map(|user| world.user_event("user.updated", &access(*user, version, "active")))
                .collect();
            let events = &events;
            db.write(|tx| async move { emit(&tx, events.iter().cloned()).await }).await.unwrap();
        }
        let banned = access(users[3], 3, "banned");
        emit_one(&db, world.user_event("user.banned", &banned)).await;
        owner.sequencer.pass().await.unwrap();
        let wiring = world.wiring("users", &db);
        world.pass_and_drop(&wiring, &owner, 301).await;
        // Long after them somebody deletes an account, and somebody comes to listen.
        let gone = access(users[7], 3, "deleted");
        emit_one(&db, world.user_event("user.deleted", &gone)).await;
        let listings = world.wiring("listings", &db);
        let consumer = Consumer::new(&listings, owner.peer.clone(), ActorsConsumer::new());
        assert_eq!(consumer.catch_up().await.unwrap(), 302);
        for (at, user) in users.iter().enumerate() {
            let expected = match at {
                3 => UserState::Banned,
                7 => UserState::Deleted,
                _ => UserState::Active,
            };
            assert_eq!(actors::read(&db, *user).await.unwrap().unwrap().state, expected, "{at}");
        }
        // The next time it has everything.
        let again = Consumer::new(&listings, owner.peer, ActorsConsumer::new());
        assert_eq!(again.catch_up().await.unwrap(), 302);
    }

    async fn who_needs_every_event_may_begin_with_states_but_not_skip_any(db: Db) {
        let world = World::new();
        let owner = world.owner("users", &db);
        let user = world.user();
        for version in 1..=10 {
            let event = world.user_event("user.updated", &access(user, version, "active"));
            emit_one(&db, event).await;
        }
        owner.sequencer.pass().await.unwrap();
        let wiring = world.wiring("users", &db);
        world.pass_and_drop(&wiring, &owner, 4).await;
        let log = world.wiring("event-log", &db);
        let recorder = || Recorder { needs_events: true, ..Recorder::of("users") };
        let began = Consumer::new(&log, owner.peer.clone(), recorder());
        assert_eq!(began.catch_up().await.unwrap(), 10);
        assert_eq!(effects(&db).await, [4, 5, 6, 7, 8, 9, 10], "one state, then the events");
        db.write(|tx| async move { tx.execute("UPDATE cursors SET position = 2").await })
            .await
            .unwrap();
        let behind = Consumer::new(&log, owner.peer, recorder());
        let error = behind.catch_up().await;
        assert!(matches!(error, Err(Error::Hole { cursor: 2, next: 5 })), "{error:?}");
    }

    async fn a_running_consumer_tells_the_owner_how_far_it_is(db: Db) {
        let world = World::new();
        let owner = world.owner("users", &db);
        world.tasks.spawn(owner.sequencer.clone().run());
        world.emit_many(&db, "user.updated", 3).await;
        let consumer =
            Consumer::new(&world.wiring("listings", &db), owner.peer, Recorder::of("users"));
        consumer.catch_up().await.unwrap();
        let mut commits = db.on_commit();
        world.tasks.spawn(consumer.run());
        let known = async {
            loop {
                let readers = "SELECT service, cursor, position FROM feed_readers WHERE position > 0";
                let found: Vec<(String, String, i64)> = db.all_as(readers).await.unwrap();
                if !found.is_empty() {
                    break found;
                }
                commits.changed().await.unwrap();
            }
        };
        let known = tokio::time::timeout(std::time::Duration::from_secs(10), known).await.unwrap();
        assert_eq!(known, [("listings".into(), "users".into(), 3)]);
        world.tasks.shut_down().await;
    }

    async fn a_hole_in_the_feed_stops_the_consumer(db: Db) {
        let world = World::new();
        let owner = world.owner("users", &db);
        world.emit_many(&db, "user.updated", 3).await;
        owner.sequencer.pass().await.unwrap();
        db.write(|tx| async move { tx.execute("DELETE FROM outbox WHERE position = 2").await })
            .await
            .unwrap();
        let consumer =
            Consumer::new(&world.wiring("listings", &db), owner.peer, Recorder::of("users"));
        let error = consumer.catch_up().await;
        assert!(matches!(error, Err(Error::Hole { cursor: 1, next: 3 })), "{error:?}");
        assert_eq!(effects(&db).await, all(1));
    }
}
