//! Many writers at once, and writers that stop half-way.

use crate::{MIGRATIONS, add, amount, ids, insert, spawn};
use futures::future::join_all;
use std::sync::atomic::{AtomicU32, Ordering};
use stoa_db::{Db, DbError, Engine, Tx, sql};
use stoa_testkit::engine::Place;
use tokio::sync::Barrier;

const ADD_ONE: &str = "UPDATE things SET amount = amount + 1 WHERE id = 'a'";

/// Reads, thinks, writes: loses updates unless somebody keeps the others away.
async fn read_then_write(tx: &Tx) -> Result<u64, DbError> {
    let (n,): (i64,) = tx
        .one_as("SELECT amount FROM things WHERE id = 'a'")
        .await?;
    tokio::task::yield_now().await;
    tx.execute(sql("UPDATE things SET amount = $1 WHERE id = 'a'").bind(n + 1))
        .await
}

stoa_testkit::on_every_engine! { MIGRATIONS;
    async fn what_was_answered_ok_is_stored_and_nothing_else(db: Db) {
        add(&db, "a").await;
        let names: Vec<String> = (0..120).map(|n| format!("n{n:03}")).collect();
        let write = async |n: usize, name: &str| {
            db.write(|tx| async move {
                tx.execute(insert(name)).await?;
                match n % 4 {
                    // A refusal, a violation, a part that is undone, and a plain success.
                    0 => Err(DbError::NoRow),
                    1 => tx.execute(insert("a")).await.map(drop),
                    2 => {
                        let part = tx.savepoint(|tx| async move { tx.execute(insert("a")).await });
                        assert!(part.await.is_err());
                        Ok(())
                    }
                    _ => Ok(()),
                }
            })
            .await
        };
        let answers = join_all(names.iter().enumerate().map(|(n, name)| write(n, name))).await;
        for (n, answer) in answers.iter().enumerate() {
            assert_eq!(answer.is_ok(), n % 4 >= 2, "{n}: {answer:?}");
        }
        let mut expected = vec!["a".to_owned()];
        expected.extend(names.into_iter().enumerate().filter(|(n, _)| n % 4 >= 2).map(|(_, s)| s));
        assert_eq!(ids(&db).await, expected);
    }

    async fn writers_take_turns_on_a_row(db: Db) {
        add(&db, "a").await;
        let one = || db.write(|tx| async move { tx.execute_expecting(1, ADD_ONE).await });
        for answer in join_all((0..100).map(|_| one())).await {
            answer.unwrap();
        }
        assert_eq!(amount(&db, "a").await, Ok(100));
    }

    async fn a_write_is_seen_by_the_next_read(db: Db) {
        add(&db, "a").await;
        for n in 1..=20 {
            db.write(|tx| async move { tx.execute(ADD_ONE).await }).await.unwrap();
            assert_eq!(amount(&db, "a").await, Ok(n));
        }
    }

    async fn the_exclusive_lock_of_a_key_keeps_others_away(db: Db) {
        add(&db, "a").await;
        let one = || db.write(|tx| async move {
            tx.lock_exclusive("user 1").await?;
            read_then_write(&tx).await
        });
        for answer in join_all((0..20).map(|_| one())).await {
            answer.unwrap();
        }
        assert_eq!(amount(&db, "a").await, Ok(20));
    }

    // contract: security S44
    async fn the_exclusive_lock_waits_for_those_who_share_it(db: Db) {
        add(&db, "a").await;
        let (entered, release) = (tokio::sync::Notify::new(), tokio::sync::Notify::new());
        let (entered, release) = (&entered, &release);
        let command = db.write(|tx| async move {
            tx.lock_shared("user 1").await?;
            entered.notify_one();
            release.notified().await;
            tx.execute(ADD_ONE).await
        });
        let ban = async {
            entered.notified().await;
            db.write(|tx| async move {
                release.notify_one();
                tx.lock_exclusive("user 1").await?;
                tx.one_as::<(i64,)>("SELECT amount FROM things WHERE id = 'a'").await
            })
            .await
        };
        let other = async {
            // SQLite has one writer, so there the release comes from here.
            if db.engine() == Engine::Sqlite {
                release.notify_one();
            }
        };
        let (command, ban, ()) = tokio::join!(command, ban, other);
        assert_eq!(command, Ok(1));
        assert_eq!(ban, Ok((1,)), "the ban sees the command that began before it");
    }

    async fn a_panic_in_a_write_rolls_back_and_frees_the_writer(db: Db) {
        let inside = db.clone();
        let crashed = spawn(async move {
            inside
                .write(|tx| async move {
                    tx.execute(insert("lost")).await?;
                    assert_eq!(1, 2, "a bug in a handler");
                    Ok::<_, DbError>(())
                })
                .await
        });
        assert!(crashed.await.unwrap_err().is_panic());
        add(&db, "a").await;
        assert_eq!(ids(&db).await, ["a"]);
    }

    async fn a_write_that_is_cancelled_rolls_back_and_frees_the_writer(db: Db) {
        for _ in 0..20 {
            let written = tokio::sync::Notify::new();
            let signal = &written;
            let endless = db.write(|tx| async move {
                tx.execute(insert("lost")).await?;
                signal.notify_one();
                // Statements go on, so that the cut falls anywhere in one.
                loop {
                    tx.one("SELECT id FROM things WHERE id = 'lost'").await?;
                }
                #[expect(unreachable_code, reason = "it tells the closure's type")]
                Ok::<(), DbError>(())
            });
            tokio::select! {
                biased;
                () = written.notified() => {}
                _ = endless => panic!("it never ends"),
            }
        }
        add(&db, "a").await;
        assert_eq!(ids(&db).await, ["a"]);
    }

    async fn callers_that_leave_the_queue_do_not_block_it(db: Db) {
        let one = || db.write(|tx| async move { tx.execute(insert("x")).await });
        let mut queue: Vec<_> = (0..50).map(|_| Box::pin(one())).collect();
        for caller in &mut queue {
            let _ = futures::poll!(caller.as_mut());
        }
        drop(queue);
        db.write(|tx| async move { tx.execute("DELETE FROM things").await }).await.unwrap();
        add(&db, "a").await;
        assert_eq!(ids(&db).await, ["a"]);
    }

    async fn of_two_that_deadlock_both_succeed_in_the_end(db: Db) {
        add(&db, "a").await;
        add(&db, "b").await;
        let (runs, barrier) = (AtomicU32::new(0), Barrier::new(2));
        let (runs, barrier) = (&runs, &barrier);
        // SQLite lets the second in after the first, so there they never meet.
        let meet = db.engine() == Engine::Postgres;
        let cross = |first: &'static str, second: &'static str| {
            let mut attempt = 0;
            db.write(move |tx| {
                attempt += 1;
                let wait = meet && attempt == 1;
                async move {
                    runs.fetch_add(1, Ordering::SeqCst);
                    for (i, id) in [first, second].into_iter().enumerate() {
                        let q = sql("UPDATE things SET amount = amount + 1 WHERE id = $1").bind(id);
                        tx.execute_expecting(1, q).await?;
                        if wait && i == 0 {
                            barrier.wait().await;
                        }
                    }
                    Ok::<_, DbError>(())
                }
            })
        };
        let (ab, ba) = tokio::join!(cross("a", "b"), cross("b", "a"));
        assert_eq!((ab, ba), (Ok(()), Ok(())));
        assert_eq!(amount(&db, "a").await, Ok(2));
        assert_eq!(amount(&db, "b").await, Ok(2));
        assert_eq!(runs.load(Ordering::SeqCst), if meet { 3 } else { 2 });
    }

    async fn connections_that_broke_in_the_pool_are_replaced(place: Place) {
        let (db, other) = (place.open().await, place.open().await);
        let own = db.pick("SELECT CAST(0 AS BIGINT)", "SELECT CAST(pg_backend_pid() AS BIGINT)");
        for _ in 0..2 {
            let pids = join_all((0..8).map(|_| db.one_as::<(i64,)>(own))).await;
            for pid in pids {
                let end = sql(db.pick("SELECT $1", "SELECT pg_terminate_backend(CAST($1 AS INTEGER))"));
                other.one(end.bind(pid.unwrap().0)).await.unwrap();
            }
            db.write(|tx| async move { tx.execute("DELETE FROM things").await }).await.unwrap();
            add(&db, "a").await;
            assert_eq!(ids(&db).await, ["a"]);
        }
    }

    async fn a_commit_that_changed_something_wakes_those_who_wait(db: Db) {
        let mut commits = db.on_commit();
        db.write(|tx| async move { tx.opt("SELECT id FROM things").await }).await.unwrap();
        db.write(|tx| async move { tx.execute(ADD_ONE).await }).await.unwrap();
        let refused = db.write(|tx| async move {
            tx.execute(insert("a")).await?;
            Err::<(), _>(DbError::NoRow)
        });
        assert!(refused.await.is_err());
        assert!(!commits.has_changed().unwrap(), "nothing was changed so far");
        add(&db, "a").await;
        assert!(commits.has_changed().unwrap());
        commits.mark_unchanged();
        db.write(|tx| async move { tx.one("DELETE FROM things RETURNING id").await }).await.unwrap();
        assert!(commits.has_changed().unwrap());
    }
}
