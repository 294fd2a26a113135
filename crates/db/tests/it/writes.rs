//! One write transaction at a time.

use crate::{MIGRATIONS, add, ids, insert};
use stoa_db::{Db, DbError, Tx, sql};

/// An error of a service, which has its own refusals beside the database's failures.
#[derive(Debug, PartialEq)]
enum Error {
    Refused,
    Db(DbError),
}

impl From<DbError> for Error {
    fn from(e: DbError) -> Self {
        Self::Db(e)
    }
}

async fn write(db: &Db, statement: &'static str) -> Result<u64, DbError> {
    db.write(|tx| async move { tx.execute(statement).await })
        .await
}

stoa_testkit::on_every_engine! { MIGRATIONS;
    async fn ok_commits_and_err_rolls_back(db: Db) {
        add(&db, "kept").await;
        let refused = db.write(|tx| async move {
            tx.execute(insert("dropped")).await?;
            tx.one("SELECT id FROM things WHERE id = 'dropped'").await?;
            Err::<(), _>(Error::Refused)
        });
        assert_eq!(refused.await, Err(Error::Refused));
        assert_eq!(ids(&db).await, ["kept"]);
    }

    async fn an_update_of_an_older_version_is_a_row_count_error(db: Db) {
        add(&db, "a").await;
        let update = || db.write(|tx| async move {
            tx.execute_expecting(
                1,
                sql("UPDATE things SET version = version + 1 WHERE id = $1 AND version = $2")
                    .bind("a")
                    .bind(1_i64),
            )
            .await
        });
        assert_eq!(update().await, Ok(()));
        assert_eq!(update().await, Err(DbError::RowCount { expected: 1, actual: 0 }));
    }

    async fn a_swallowed_failure_cannot_be_committed(db: Db) {
        let swallowed = db.write(|tx| async move {
            tx.execute(insert("a")).await?;
            let failed = tx.execute(insert("a")).await;
            assert!(matches!(failed, Err(DbError::Unique { .. })), "{failed:?}");
            assert_eq!(tx.execute(insert("b")).await, Err(DbError::Aborted));
            Ok::<_, DbError>(())
        });
        assert_eq!(swallowed.await, Err(DbError::Aborted));
        assert!(ids(&db).await.is_empty());
    }

    async fn a_savepoint_undoes_its_part_only(db: Db) {
        db.write(|tx| async move {
            tx.execute(insert("a")).await?;
            let part = tx.savepoint(|tx| async move {
                tx.execute(insert("b")).await?;
                tx.savepoint(|tx| async move { tx.execute(insert("c")).await }).await?;
                tx.execute(insert("a")).await
            });
            assert!(matches!(part.await, Err(DbError::Unique { .. })));
            let inner = tx.savepoint(|tx| async move {
                tx.execute(insert("d")).await?;
                let _ = tx.savepoint(|tx| async move { tx.execute(insert("d")).await }).await;
                tx.execute(insert("e")).await
            });
            assert_eq!(inner.await, Ok(1));
            tx.execute(insert("f")).await
        })
        .await
        .unwrap();
        assert_eq!(ids(&db).await, ["a", "d", "e", "f"]);
    }

    async fn a_savepoint_that_swallows_a_failure_is_undone(db: Db) {
        db.write(|tx| async move {
            let part = tx.savepoint(|tx| async move {
                tx.execute(insert("a")).await?;
                let _ = tx.execute(insert("a")).await;
                Ok::<_, DbError>(())
            });
            assert_eq!(part.await, Err(DbError::Aborted));
            tx.execute(insert("b")).await
        })
        .await
        .unwrap();
        assert_eq!(ids(&db).await, ["b"]);
    }

    async fn a_savepoint_that_is_left_half_way_spoils_the_transaction(db: Db) {
        let torn = db.write(|tx: Tx| async move {
            {
                let part = std::pin::pin!(tx.savepoint(|tx| async move {
                    tx.execute(insert("a")).await?;
                    std::future::pending::<Result<(), DbError>>().await
                }));
                let seen = async {
                    while tx.opt("SELECT id FROM things").await.unwrap().is_none() {}
                };
                tokio::select! { _ = part => {}, () = seen => {} }
            }
            Ok::<_, DbError>(())
        });
        assert_eq!(torn.await, Err(DbError::Aborted));
        assert!(ids(&db).await.is_empty());
    }

    async fn a_handle_that_was_kept_is_of_no_use(db: Db) {
        let kept = db.write(|tx| async move { Ok::<_, DbError>(tx) }).await.unwrap();
        assert_eq!(kept.execute(insert("late")).await, Err(DbError::Ended));
        add(&db, "a").await;
        assert_eq!(ids(&db).await, ["a"]);
    }

    async fn the_database_is_not_used_inside_its_own_write(db: Db) {
        let outer = &db;
        db.write(|_| async move {
            assert_eq!(outer.all("SELECT id FROM things").await.unwrap_err(), DbError::Nested);
            assert_eq!(write(outer, "DELETE FROM things").await, Err(DbError::Nested));
            Ok::<_, DbError>(())
        })
        .await
        .unwrap();
        assert!(ids(&db).await.is_empty());
    }

    async fn a_change_is_not_run_as_a_read(db: Db) {
        for text in [
            "INSERT INTO things (id, version) VALUES ('a', 1) RETURNING id",
            "\n update things SET version = 2 RETURNING id",
            "DELETE FROM things RETURNING id",
        ] {
            assert_eq!(db.all(text).await.unwrap_err(), DbError::NotARead);
        }
        assert!(ids(&db).await.is_empty());
    }

    async fn violations_are_told_apart(db: Db) {
        add(&db, "a").await;
        let unique = write(&db, "INSERT INTO things (id, version, note) VALUES ('b', 1, 'a')").await;
        assert!(unique.unwrap_err().is_unique_on("things_note_key", "things.note"));
        let primary = write(&db, "INSERT INTO things (id, version) VALUES ('a', 1)").await.unwrap_err();
        assert!(primary.is_unique_on("things_pkey", "things.id"), "{primary:?}");
        assert!(!primary.is_unique_on("things_note_key", "things.note"));
        let check = write(&db, "UPDATE things SET amount = -1").await;
        assert!(matches!(check, Err(DbError::Check(_))), "{check:?}");
        let null = write(&db, "UPDATE things SET version = NULL").await;
        assert!(matches!(null, Err(DbError::NotNull(_))), "{null:?}");
        let foreign = write(&db, "INSERT INTO parts (thing_id, position) VALUES ('x', 1)").await;
        assert!(matches!(foreign, Err(DbError::ForeignKey(_))), "{foreign:?}");
        let nonsense = write(&db, "UPDATE nothing SET x = 1").await;
        assert!(matches!(nonsense, Err(DbError::Failed(_))), "{nonsense:?}");
    }

    async fn an_error_shows_no_sql_but_to_the_log(db: Db) {
        let error = write(&db, "UPDATE nothing SET secret = 1").await.unwrap_err();
        assert_eq!(error.to_string(), "a statement failed");
        assert!(format!("{error:?}").contains("secret = 1"));
    }

    async fn on_conflict_do_nothing_tells_that_nothing_was_added(db: Db) {
        const ADD: &str = "INSERT INTO things (id, version) VALUES ('a', 1) ON CONFLICT DO NOTHING";
        assert_eq!(write(&db, ADD).await, Ok(1));
        assert_eq!(write(&db, ADD).await, Ok(0));
    }

    async fn statements_are_compiled_against_the_schema(db: Db) {
        assert_eq!(db.prepare("SELECT id FROM things WHERE version = $1").await, Ok(()));
        assert_eq!(db.prepare("UPDATE things SET version = $1 WHERE id = $2").await, Ok(()));
        let wrong = db.prepare("SELECT colour FROM things").await;
        assert!(matches!(wrong, Err(DbError::Failed(_))), "{wrong:?}");
        let text = db.pick("SELECT sqlite_version()", "SELECT current_schema()");
        assert_eq!(db.prepare(text).await, Ok(()));
    }

    async fn deleted_rows_can_be_purged_but_not_from_inside_a_write(db: Db) {
        add(&db, "a").await;
        write(&db, "DELETE FROM things").await.unwrap();
        assert_eq!(db.purge_deleted().await, Ok(()));
        let outer = &db;
        let inside = db.write(|_| async move { outer.purge_deleted().await });
        assert_eq!(inside.await, Err(DbError::Nested));
    }

    async fn a_closed_database_answers_with_an_error(db: Db) {
        db.close().await;
        let read = db.all("SELECT id FROM things").await;
        assert!(matches!(read, Err(DbError::Unavailable(_))), "{read:?}");
        let written = write(&db, "DELETE FROM things").await;
        assert!(matches!(written, Err(DbError::Unavailable(_))), "{written:?}");
    }
}
