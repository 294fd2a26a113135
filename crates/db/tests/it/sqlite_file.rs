//! What only SQLite has: a file, its log, and one writer whose commits are shared.

use crate::{MIGRATIONS, add, ids, insert};
use futures::future::join_all;
use stoa_db::{Db, DbConfig, DbError, Synchronous, sql};

async fn open(folder: &tempfile::TempDir, synchronous: Synchronous) -> Db {
    let path = folder.path().join("x.sqlite");
    Db::open_migrated(&DbConfig::Sqlite { path, synchronous }, &MIGRATIONS)
        .await
        .unwrap()
}

#[tokio::test]
async fn the_connections_have_the_options_that_the_design_asks_for() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(&folder, Synchronous::Full).await;
    for (pragma, expected) in [
        ("PRAGMA synchronous", 2_i64),
        ("PRAGMA secure_delete", 1),
        ("PRAGMA foreign_keys", 1),
        ("PRAGMA busy_timeout", 5000),
    ] {
        let value = db.write(|tx| async move { tx.one(pragma).await?.get::<i64>(0) });
        assert_eq!(value.await, Ok(expected), "{pragma}");
    }
    let (mode,): (String,) = db.one_as("PRAGMA journal_mode").await.unwrap();
    assert_eq!(mode, "wal");
    let written = db
        .all("WITH x AS (SELECT 1) INSERT INTO things (id, version) VALUES ('a', 1)")
        .await;
    assert!(written.is_err(), "a reader cannot write");
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_read_the_file_and_its_log() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let db = open(&folder, Synchronous::Full).await;
    add(&db, "a").await;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.file_name());
    }
}

// contract: security S46
#[tokio::test]
async fn deleted_text_is_in_no_file_after_the_log_was_purged() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(&folder, Synchronous::Full).await;
    let secret = "alice@example.com".repeat(20);
    let found = |text: &str| {
        std::fs::read_dir(folder.path()).unwrap().any(|entry| {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            bytes.windows(17).any(|w| w == &text.as_bytes()[..17])
        })
    };
    add(&db, &secret).await;
    assert!(found(&secret));
    db.write(|tx| async move { tx.execute("DELETE FROM things").await })
        .await
        .unwrap();
    db.purge_deleted().await.unwrap();
    assert!(!found(&secret));
    add(&db, "b").await;
    assert_eq!(ids(&db).await, ["b"]);
}

#[tokio::test]
async fn writers_that_wait_share_a_commit() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(&folder, Synchronous::Full).await;
    let commits = db.on_commit();
    let names: Vec<String> = (0..200).map(|n| format!("n{n}")).collect();
    let one = async |name: &str| {
        db.write(|tx| async move { tx.execute(insert(name)).await })
            .await
    };
    for answer in join_all(names.iter().map(|name| one(name))).await {
        answer.unwrap();
    }
    assert_eq!(ids(&db).await.len(), 200);
    let count = *commits.borrow();
    assert!((4..100).contains(&count), "{count} commits for 200 writes");
}

#[tokio::test]
async fn a_closure_that_never_ends_is_rolled_back_and_the_next_one_runs() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(&folder, Synchronous::Full).await;
    let stuck = async {
        let stuck = db.write(|tx| async move {
            tx.execute(insert("lost")).await?;
            // From here on only the limit's timer is left, so the paused clock jumps to it.
            tokio::time::pause();
            std::future::pending::<Result<(), DbError>>().await
        });
        let answer = stuck.await;
        tokio::time::resume();
        answer
    };
    let next = db.write(|tx| async move { tx.execute(insert("a")).await });
    let (stuck, next) = tokio::join!(stuck, next);
    assert_eq!(stuck, Err(DbError::WriteTimeout));
    assert_eq!(next, Ok(1));
    assert_eq!(ids(&db).await, ["a"]);
}

#[tokio::test]
async fn another_process_waits_for_the_writer_and_both_are_stored() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (
        open(&folder, Synchronous::Full).await,
        open(&folder, Synchronous::Full).await,
    );
    let ids_of = |n: i64| sql("INSERT INTO parts (thing_id, position) VALUES ('a', $1)").bind(n);
    add(&one, "a").await;
    let write = async |db: &Db, n: i64| {
        db.write(|tx| async move { tx.execute(ids_of(n)).await })
            .await
    };
    let all = join_all((0..40).map(|n| write(if n % 2 == 0 { &one } else { &two }, n))).await;
    assert!(all.iter().all(|a| *a == Ok(1)), "{all:?}");
    let parts = two.all("SELECT position FROM parts").await.unwrap();
    assert_eq!(parts.len(), 40);
}

#[tokio::test]
async fn what_was_answered_survives_closing_and_opening() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(&folder, Synchronous::Full).await;
    add(&db, "a").await;
    db.close().await;
    assert_eq!(ids(&open(&folder, Synchronous::Normal).await).await, ["a"]);
}

#[tokio::test]
async fn a_full_disk_is_unavailable_leaves_nothing_half_written_and_passes() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(&folder, Synchronous::Full).await;
    add(&db, "before").await;
    // As many pages as there are: to the engine the disk is full.
    let limit = |pages: &'static str| db.write(move |tx| async move { tx.one(pages).await });
    limit("PRAGMA max_page_count = 1").await.unwrap();
    let large = "x".repeat(200_000);
    let large = &large;
    let write = async |id: &'static str| {
        db.write(|tx| async move {
            tx.execute(insert(id)).await?;
            let grow = sql("UPDATE things SET note = $1 WHERE id = $2");
            tx.execute(grow.bind(large.as_str()).bind(id)).await
        })
        .await
    };
    // Alone, and several that share a commit: the engine rolls all of it back by itself.
    let mut answers = vec![write("alone").await];
    answers.extend(join_all(["a", "b", "c", "d"].map(write)).await);
    for answer in answers {
        assert!(matches!(answer, Err(DbError::Unavailable(_))), "{answer:?}");
    }
    assert_eq!(ids(&db).await, ["before"]);
    limit("PRAGMA max_page_count = 1073741823").await.unwrap();
    assert_eq!(write("after").await, Ok(1));
    assert_eq!(ids(&db).await, ["after", "before"]);
}

#[tokio::test]
async fn who_shares_a_commit_with_the_one_that_fills_the_disk_is_not_told_it_was_stored() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(&folder, Synchronous::Full).await;
    let limit = |pages: &'static str| db.write(move |tx| async move { tx.one(pages).await });
    limit("PRAGMA max_page_count = 1").await.unwrap();
    let large = "x".repeat(200_000);
    let large = &large;
    let small = async |id: &'static str| {
        db.write(|tx| async move { tx.execute(insert(id)).await })
            .await
    };
    let too_large = async {
        let grown = db.write(|tx| async move {
            let row = sql("INSERT INTO things (id, version, amount, note) VALUES ('x', 1, 0, $1)");
            tx.execute(row.bind(large.as_str())).await
        });
        grown.await
    };
    let (a, full, b) = tokio::join!(small("a"), too_large, small("b"));
    assert!(matches!(full, Err(DbError::Unavailable(_))), "{full:?}");
    let stored = ids(&db).await;
    for (id, answer) in [("a", a), ("b", b)] {
        match answer {
            Ok(_) => assert!(stored.iter().any(|s| s == id), "{id} was acknowledged"),
            Err(DbError::Unavailable(_)) => assert!(!stored.iter().any(|s| s == id), "{id}"),
            other => panic!("{id}: {other:?}"),
        }
    }
}
