//! Copies of several SQLite files as they stand at one instant, while others write to them.
//!
//! Copied one after the other they would not fit together: of two services that consume each
//! other's feeds one would have a cursor ahead of the other's head, whatever the order. So the
//! writers of all files are held, each copy takes its snapshot, and the writers go on; what
//! follows reads from the snapshots.

use crate::connection::Connection;
use crate::error::classify;
use crate::measure::{Meter, Place};
use crate::{DbError, SqlBuilder, sqlite};
use futures::future::{join_all, try_join_all};
use sqlx::{Connection as _, SqliteConnection};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest wait for a writer to finish what it is at.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked whether every copy has its snapshot.
const POLL: Duration = Duration::from_millis(1);

/// One file and the copy of it that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// A database file, in use or not.
    pub of: PathBuf,
    /// The copy: a compact file without log. There must be no such file yet.
    pub to: PathBuf,
}

/// Copies the files, all as they stand at the same instant. Writers of other processes wait until
/// every snapshot is taken: a few milliseconds, or as long as copying takes for files of a few
/// megabytes. What was deleted is not in the copies.
///
/// # Errors
/// [`DbError::Config`] when a file is missing, [`DbError::Busy`] when a writer does not let go
/// within half a minute, and what the engine says. Half-made copies are left behind.
pub async fn copy_together(copies: &[Copy]) -> Result<(), DbError> {
    for copy in copies {
        // Opening would make an empty one.
        if !copy.of.is_file() {
            let path = copy.of.display();
            return Err(DbError::Config(format!("{path}: no such database")));
        }
    }
    let mut holds = Vec::with_capacity(copies.len());
    for copy in copies {
        holds.push(hold(&copy.of).await?);
    }
    let copying = try_join_all(copies.iter().map(vacuum_into));
    let held = async {
        // A snapshot is taken before the first byte is written.
        while !copies.iter().all(|copy| has_begun(&copy.to)) {
            tokio::time::sleep(POLL).await;
        }
        release(holds).await;
    };
    tokio::pin!(copying, held);
    tokio::select! {
        // Every copy is complete, or one failed: the holds end with their connections.
        done = &mut copying => done.map(drop),
        () = &mut held => copying.await.map(drop),
    }
}

/// Which migrations a file has had: the number of the last one of each room whose tables are in it,
/// by the name of the table that remembers them. The file is only read.
///
/// # Errors
/// [`DbError::Config`] when there is no such file, and what the engine says.
pub async fn schema_versions(path: &Path) -> Result<Vec<(String, i64)>, DbError> {
    const TABLES: &str = "SELECT name FROM sqlite_schema
                           WHERE type = 'table' AND name LIKE '\\_migrations\\_%' ESCAPE '\\'
                           ORDER BY name";
    if !path.is_file() {
        let path = path.display();
        return Err(DbError::Config(format!("{path}: no such database")));
    }
    let mut connection = sqlite::besides(path, PATIENCE).await?;
    let tables: Vec<String> = sqlx::query_scalar(TABLES)
        .fetch_all(&mut connection)
        .await
        .map_err(|e| classify(e, TABLES))?;
    let meter = Meter::of_file(path);
    let mut versions = Vec::with_capacity(tables.len());
    for table in tables {
        let mut newest = SqlBuilder::new("SELECT COALESCE(MAX(version), 0) FROM ");
        newest.push_table(&table);
        let row = Connection::Sqlite(&mut connection)
            .rows(&newest.into(), &meter, Place::Read)
            .await
            .map_err(|failure| failure.error)?;
        versions.push((table, crate::connection::one(row)?.get(0)?));
    }
    connection.close().await.map_err(|e| classify(e, TABLES))?;
    Ok(versions)
}

/// Waits for the file's writer and holds it off.
async fn hold(path: &Path) -> Result<SqliteConnection, DbError> {
    const HOLD: &str = "BEGIN IMMEDIATE";
    let mut connection = sqlite::besides(path, PATIENCE).await?;
    sqlx::query(HOLD)
        .execute(&mut connection)
        .await
        .map_err(|e| classify(e, HOLD))?;
    Ok(connection)
}

async fn release(holds: Vec<SqliteConnection>) {
    join_all(holds.into_iter().map(|mut hold| async move {
        // Nothing was written; closing alone would end it, too.
        let _ = sqlx::query("ROLLBACK").execute(&mut hold).await;
        let _ = hold.close().await;
    }))
    .await;
}

async fn vacuum_into(copy: &Copy) -> Result<(), DbError> {
    const COPY: &str = "VACUUM INTO $1";
    let to = copy.to.to_str().ok_or_else(|| {
        let path = copy.to.display();
        DbError::Config(format!("{path}: the path is not UTF-8"))
    })?;
    let mut connection = sqlite::besides(&copy.of, PATIENCE).await?;
    sqlx::query(COPY)
        .bind(to)
        .execute(&mut connection)
        .await
        .map_err(|e| classify(e, COPY))?;
    connection.close().await.map_err(|e| classify(e, COPY))
}

fn has_begun(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.len() > 0)
}
