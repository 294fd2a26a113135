//! Copies of files that others write to.

use crate::{MIGRATIONS, add, ids};
use futures::future::join_all;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use stoa_db::{Copy, Db, DbConfig, DbError, Synchronous, copy_together, schema_versions};

async fn open(path: PathBuf) -> Db {
    let synchronous = Synchronous::Normal;
    Db::open_migrated(&DbConfig::Sqlite { path, synchronous }, &MIGRATIONS)
        .await
        .unwrap()
}

fn copy(folder: &Path, name: &str) -> Copy {
    Copy {
        of: folder.join(format!("{name}.sqlite")),
        to: folder.join(format!("{name}.copy")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_stand_at_one_instant_while_others_write() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["a", "b", "c"];
    let copies = names.map(|name| copy(folder.path(), name));
    let dbs = join_all(copies.iter().map(|copy| open(copy.of.clone()))).await;
    let stop = AtomicBool::new(false);
    // Each round writes into one after the other, so none may ever be ahead of the one before.
    let writer = async {
        let mut n = 0;
        while !stop.load(Ordering::SeqCst) {
            for db in &dbs {
                add(db, &format!("{n:06}")).await;
            }
            n += 1;
        }
        n
    };
    let copying = async {
        // More than fits into the cache of the copying connection.
        while ids(&dbs[0]).await.len() < 200 {
            tokio::task::yield_now().await;
        }
        let done = copy_together(&copies).await;
        stop.store(true, Ordering::SeqCst);
        done.unwrap();
    };
    let (written, ()) = tokio::join!(writer, copying);
    let mut counts = Vec::new();
    for copy in &copies {
        let db = open(copy.to.clone()).await;
        counts.push(ids(&db).await.len());
        db.close().await;
    }
    assert!(counts.is_sorted_by(|a, b| a >= b), "{counts:?}");
    assert!(counts[0] - counts[2] <= 1, "{counts:?}");
    assert!(counts[2] >= 199 && counts[0] <= written, "{counts:?}");
    // The originals go on.
    add(&dbs[0], "last").await;
}

#[tokio::test]
async fn a_file_that_is_missing_is_not_made_and_a_copy_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let missing = copy(folder.path(), "missing");
    let refused = copy_together(std::slice::from_ref(&missing)).await;
    assert!(matches!(refused, Err(DbError::Config(_))), "{refused:?}");
    assert!(schema_versions(&missing.of).await.is_err());
    assert!(!missing.of.exists());

    let there = copy(folder.path(), "there");
    let db = open(there.of.clone()).await;
    add(&db, "x").await;
    copy_together(std::slice::from_ref(&there)).await.unwrap();
    let before = std::fs::read(&there.to).unwrap();
    assert!(copy_together(std::slice::from_ref(&there)).await.is_err());
    assert_eq!(std::fs::read(&there.to).unwrap(), before);
    add(&db, "y").await;
}

#[tokio::test]
async fn a_copy_tells_which_migrations_it_has_had() {
    let folder = tempfile::tempdir().unwrap();
    let copy = copy(folder.path(), "a");
    open(copy.of.clone()).await.close().await;
    copy_together(std::slice::from_ref(&copy)).await.unwrap();
    let mut newest = MIGRATIONS.newest();
    newest.sort();
    assert_eq!(schema_versions(&copy.to).await.unwrap(), newest);
}
