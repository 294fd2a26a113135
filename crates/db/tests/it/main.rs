//! What the layer promises, on both engines.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod accounting;
mod clock;
mod concurrency;
mod copies;
mod grants;
mod migrations;
mod silence;
mod sqlite_file;
mod values;
mod writes;

use stoa_db::{Db, DbError, MigrationSet, Sql, sql};

/// The tables `things` and `parts`.
const MIGRATIONS: MigrationSet = stoa_db::migrations!("0001_things");

/// Adds a thing with this id and note.
fn insert(id: &str) -> Sql {
    sql("INSERT INTO things (id, version, amount, note) VALUES ($1, 1, 0, $1)").bind(id)
}

async fn add(db: &Db, id: &str) {
    db.write(|tx| async move { tx.execute_expecting(1, insert(id)).await })
        .await
        .unwrap();
}

async fn ids(db: &Db) -> Vec<String> {
    let rows: Vec<(String,)> = db
        .all_as("SELECT id FROM things ORDER BY id")
        .await
        .unwrap();
    rows.into_iter().map(|(id,)| id).collect()
}

async fn amount(db: &Db, id: &'static str) -> Result<i64, DbError> {
    let (amount,) = db
        .one_as(sql("SELECT amount FROM things WHERE id = $1").bind(id))
        .await?;
    Ok(amount)
}

/// Runs `work` in a task of its own.
#[expect(clippy::disallowed_methods, reason = "the test waits for it")]
fn spawn<F>(work: F) -> tokio::task::JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    tokio::task::spawn(work)
}

#[test]
fn the_futures_of_statements_stay_small() {
    // A command awaits a dozen of them, one within the other.
    fn size<F, G: Fn(&'static Db, stoa_db::Tx) -> F>(_: G) -> usize {
        size_of::<F>()
    }
    assert!(
        size(|db, _| db.all("SELECT 1")) < 1024,
        "{}",
        size(|db, _| db.all("SELECT 1"))
    );
}
