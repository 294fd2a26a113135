use crate::world::{SET, World, emit_one, stamped};
use std::collections::HashMap;
use std::sync::Arc;
use stoa_db::{Db, DbError};
use stoa_feed::{Sequencer, emit};
use stoa_testkit::engine::Place;

stoa_testkit::on_every_engine! { SET;
    async fn positions_have_no_gaps_and_keep_the_order_of_aggregates_under_32_writers(db: Db) {
        let world = Arc::new(World::new());
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

    async fn every_replica_stamps_and_vouches_for_what_any_of_them_committed(place: Place) {
        let world = World::new();
        let (db, other) = (place.open().await, place.open().await);
        let one = Sequencer::new(&world.wiring("users", &db));
        let two = Sequencer::new(&world.wiring("users", &other));
        emit_one(&db, world.envelope("user.updated", "a", 1)).await;
        emit_one(&other, world.envelope("user.updated", "a", 2)).await;
        let before = tokio::time::Instant::now();
        assert_eq!(two.pass().await.unwrap(), 2, "nobody waits for the one who died");
        assert_eq!(one.pass().await.unwrap(), 0);
        emit_one(&other, world.envelope("user.updated", "a", 3)).await;
        assert_eq!(one.pass().await.unwrap(), 1);
        let progress = *one.progress().borrow();
        assert_eq!(progress.head, 3);
        assert!(progress.passed.unwrap() >= before);
        assert_eq!(two.pass().await.unwrap(), 0);
        assert_eq!(two.progress().borrow().head, 3);
        let versions: Vec<_> = stamped(&db).await.into_iter()
            .map(|(position, e)| (position, e.aggregate_version))
            .collect();
        assert_eq!(versions, [(1, 1), (2, 2), (3, 3)]);
    }

    async fn replicas_that_stamp_at_the_same_time_leave_no_gap_and_no_double(place: Place) {
        let world = Arc::new(World::new());
        let mut writers = Vec::new();
        for replica in 0..3 {
            let (world, db) = (world.clone(), place.open().await);
            let sequencer = Sequencer::new(&world.wiring("users", &db));
            writers.push(world.clone().tasks.spawn(async move {
                for version in 1..=40 {
                    let aggregate = format!("of {replica}");
                    emit_one(&db, world.envelope("user.updated", &aggregate, version)).await;
                    sequencer.pass().await.unwrap();
                }
            }));
        }
        for writer in writers {
            writer.await.unwrap();
        }
        let all = stamped(&place.open().await).await;
        let mut versions: HashMap<String, u64> = HashMap::new();
        for (i, (position, envelope)) in all.iter().enumerate() {
            assert_eq!(*position, i as u64 + 1);
            let last = versions.entry(envelope.aggregate_id.clone()).or_default();
            *last += 1;
            assert_eq!(*last, envelope.aggregate_version);
        }
        assert_eq!(all.len(), 120);
    }
}
