use crate::world::{SET, World, emit_one, stamped};
use std::collections::HashMap;
use stoa_db::{Db, DbError, sql};
use stoa_feed::{Sequencer, emit};
use stoa_testkit::engine::Place;

stoa_testkit::on_every_engine! { SET;
    async fn positions_have_no_gaps_and_keep_the_order_of_aggregates_under_32_writers(db: Db) {
        let world = std::sync::Arc::new(World::new());
        let owner = world.owner("users", &db);
        world.tasks.spawn(owner.sequencer.clone().run());
        db.write(|tx| async move {
            tx.execute("INSERT INTO things (id, version) VALUES ('shared', 0)").await
        })
        .await
        .unwrap();
        let writers: Vec<_> = (0..32)
            .map(|writer| {
                let (world, db) = (world.clone(), db.clone());
                world.clone().tasks.spawn(async move {
                    for turn in 0..8_u64 {
                        // Each fourth transaction is undone, with the ordinals that it took.
                        let undone = turn % 4 == 3;
                        let written = db
                            .write(|tx| {
                                let world = world.clone();
                                async move {
                                    let own = format!("own {writer}");
                                    let shared = "UPDATE things SET version = version + 1
                                                   WHERE id = 'shared' RETURNING version";
                                    let (version,): (i64,) = tx.one_as(shared).await?;
                                    let version = u64::try_from(version).unwrap();
                                    emit(&tx, [
                                        world.envelope("user.updated", &own, turn + 1),
                                        world.envelope("user.updated", "shared", version),
                                    ])
                                    .await?;
                                    if undone { Err(DbError::NoRow) } else { Ok(()) }
                                }
                            })
                            .await;
                        assert_eq!(written.is_err(), undone);
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        owner.sequencer.pass().await.unwrap();
        let all = stamped(&db).await;
        assert_eq!(all.len(), 32 * 6 * 2);
        let mut versions: HashMap<String, u64> = HashMap::new();
        for (i, (position, envelope)) in all.into_iter().enumerate() {
            assert_eq!(position, i as u64 + 1);
            let last = versions.entry(envelope.aggregate_id).or_default();
            assert!(*last < envelope.aggregate_version);
            *last = envelope.aggregate_version;
        }
        assert_eq!(versions["shared"], 32 * 6);
        assert_eq!(owner.sequencer.progress().borrow().head, 32 * 6 * 2);
        world.tasks.shut_down().await;
    }

    async fn several_envelopes_of_one_change_keep_their_order(db: Db) {
        let world = World::new();
        let owner = world.owner("users", &db);
        let envelopes: Vec<_> = (1..=700).map(|v| world.envelope("user.updated", "a", v)).collect();
        db.write(|tx| {
            let envelopes = envelopes.clone();
            async move { emit(&tx, envelopes).await }
        })
        .await
        .unwrap();
        assert_eq!(owner.sequencer.pass().await.unwrap(), 700);
        let ids: Vec<_> = stamped(&db).await.into_iter().map(|(_, e)| e.id).collect();
        assert_eq!(ids, envelopes.into_iter().map(|e| e.id).collect::<Vec<_>>());
        assert_eq!(owner.sequencer.pass().await.unwrap(), 0);
    }

    async fn an_envelope_is_stored_once(db: Db) {
        let world = World::new();
        let envelope = world.envelope("user.updated", "a", 1);
        emit_one(&db, envelope.clone()).await;
        let again = db
            .write(|tx| {
                let envelope = envelope.clone();
                async move { emit(&tx, [envelope]).await }
            })
            .await;
        assert!(again.unwrap_err().is_unique_on("outbox_id_is_unique", "outbox.id"));
    }

    async fn another_replica_stamps_when_the_lease_has_run_out(place: Place) {
        let world = World::new();
        let (db, other) = (place.open().await, place.open().await);
        let one = Sequencer::new(&world.wiring("users", &db));
        let two = Sequencer::new(&world.wiring("users", &other));
        emit_one(&db, world.envelope("user.updated", "a", 1)).await;
        assert_eq!(one.pass().await.unwrap(), 1);

        emit_one(&other, world.envelope("user.updated", "a", 2)).await;
        assert_eq!(two.pass().await.unwrap(), 0, "the lease is the other's");
        world.clock.advance_ms(5_000);
        assert_eq!(two.pass().await.unwrap(), 1);

        emit_one(&db, world.envelope("user.updated", "a", 3)).await;
        assert_eq!(one.pass().await.unwrap(), 0, "the lease is lost");
        assert_eq!(two.pass().await.unwrap(), 1);
        let versions: Vec<_> = stamped(&db).await.into_iter()
            .map(|(position, e)| (position, e.aggregate_version))
            .collect();
        assert_eq!(versions, [(1, 1), (2, 2), (3, 3)]);
    }

    async fn a_replica_without_the_lease_vouches_only_for_what_it_saw_stamped(place: Place) {
        let world = World::new();
        let (db, other) = (place.open().await, place.open().await);
        let stamping = Sequencer::new(&world.wiring("users", &db));
        let watching = Sequencer::new(&world.wiring("users", &other));
        emit_one(&db, world.envelope("user.updated", "a", 1)).await;
        stamping.pass().await.unwrap();
        emit_one(&db, world.envelope("user.updated", "a", 2)).await;

        watching.pass().await.unwrap();
        watching.pass().await.unwrap();
        let progress = *watching.progress().borrow();
        assert_eq!((progress.head, progress.passed), (1, None), "the second one waits");

        stamping.pass().await.unwrap();
        emit_one(&db, world.envelope("user.updated", "a", 3)).await;
        let before = tokio::time::Instant::now();
        watching.pass().await.unwrap();
        let progress = *watching.progress().borrow();
        assert_eq!(progress.head, 2);
        assert!(progress.passed.unwrap() < before, "the third one still waits");

        stamping.pass().await.unwrap();
        watching.pass().await.unwrap();
        let progress = *watching.progress().borrow();
        assert_eq!(progress.head, 3);
        assert!(progress.passed.unwrap() >= before);
    }

    async fn a_replica_that_stops_hands_over_at_once(place: Place) {
        let world = World::new();
        let (db, other) = (place.open().await, place.open().await);
        let first = World::new();
        let stopping = Sequencer::new(&first.wiring("users", &db));
        emit_one(&db, world.envelope("user.updated", "a", 1)).await;
        let mut head = stopping.progress();
        let run = first.tasks.spawn(stopping.run());
        head.wait_for(|p| p.head == 1).await.unwrap();
        first.tasks.shut_down().await;
        run.await.unwrap();
        emit_one(&db, world.envelope("user.updated", "a", 2)).await;
        let next = Sequencer::new(&world.wiring("users", &other));
        assert_eq!(next.pass().await.unwrap(), 1);
    }

    async fn a_sequencer_that_is_not_the_holder_any_more_cannot_move_the_head(db: Db) {
        let world = World::new();
        let sequencer = Sequencer::new(&world.wiring("users", &db));
        emit_one(&db, world.envelope("user.updated", "a", 1)).await;
        sequencer.pass().await.unwrap();
        let until = stoa_types::Clock::now(&*world.clock).plus_ms(1);
        db.write(|tx| async move {
            let taken = "UPDATE sequencer SET holder = 'another', expires_at = $1";
            tx.execute(sql(taken).bind(until)).await
        })
        .await
        .unwrap();
        emit_one(&db, world.envelope("user.updated", "a", 2)).await;
        assert_eq!(sequencer.pass().await.unwrap(), 0);
        assert_eq!(stamped(&db).await.len(), 1);
    }
}
