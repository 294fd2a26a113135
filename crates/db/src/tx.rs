//! The handle of one write transaction.

use crate::connection::{self, Connection, Failure};
use crate::measure::{Meter, Place};
use crate::postgres::Lease;
use crate::{DbError, Engine, FromRow, Row, Sql, sql};
use sqlx::SqliteConnection;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Mutex;

/// A write transaction, cheap to clone and handed to the closure by value.
///
/// It is owned, not borrowed, because a closure over `&mut Tx` that returns a `Send` future cannot
/// be written down in today's Rust. When the closure is over, `Db` takes the connection back; a
/// clone that was kept answers [`DbError::Ended`].
///
/// After a statement failed, everything else in the transaction fails with [`DbError::Aborted`]
/// and it can only roll back, on both engines. Run what may fail inside [`Tx::savepoint`], or use
/// `ON CONFLICT`.
#[derive(Clone)]
pub struct Tx {
    pub(crate) inner: Arc<Inner>,
}

/// The connection of a transaction, until it is taken back.
pub(crate) enum Raw {
    Sqlite(SqliteConnection),
    Postgres(Lease),
}

pub(crate) struct Inner {
    slot: Mutex<Option<Raw>>,
    engine: Engine,
    /// Its name tells the advisory locks of this schema apart from those of others.
    meter: Meter,
    /// A statement failed and no savepoint has undone it.
    aborted: AtomicBool,
    /// A savepoint's future was dropped half-way: what it wrote can no longer be told apart.
    torn: AtomicBool,
    wants_another_try: AtomicBool,
    wrote: AtomicBool,
    announced: AtomicBool,
}

impl Inner {
    pub(crate) fn new(raw: Raw, meter: Meter) -> Arc<Self> {
        let engine = match raw {
            Raw::Sqlite(_) => Engine::Sqlite,
            Raw::Postgres(_) => Engine::Postgres,
        };
        Arc::new(Self {
            slot: Mutex::new(Some(raw)),
            engine,
            meter,
            aborted: AtomicBool::new(false),
            torn: AtomicBool::new(false),
            wants_another_try: AtomicBool::new(false),
            wrote: AtomicBool::new(false),
            announced: AtomicBool::new(false),
        })
    }

    /// Takes the connection back; every later use of a `Tx` fails.
    pub(crate) async fn take(&self) -> Option<Raw> {
        self.slot.lock().await.take()
    }

    /// As [`Self::take`], from a destructor.
    pub(crate) fn take_now(&self) -> Option<Raw> {
        self.slot.try_lock().ok()?.take()
    }

    /// Whether what was written may be committed.
    pub(crate) fn is_sound(&self) -> bool {
        !self.aborted.load(Ordering::Relaxed) && !self.torn.load(Ordering::Relaxed)
    }

    pub(crate) fn wants_another_try(&self) -> bool {
        self.wants_another_try.load(Ordering::Relaxed)
    }

    pub(crate) fn wrote(&self) -> bool {
        self.wrote.load(Ordering::Relaxed)
    }

    pub(crate) fn announced(&self) -> bool {
        self.announced.load(Ordering::Relaxed)
    }

    fn note(&self, failure: Failure) -> DbError {
        if failure.wants_another_try {
            self.wants_another_try.store(true, Ordering::Relaxed);
        }
        // A list that is too long never reached the engine.
        if !matches!(failure.error, DbError::TooManyValues(_)) {
            self.aborted.store(true, Ordering::Relaxed);
        }
        failure.error
    }
}

/// Marks the transaction as torn unless the savepoint came to its end.
struct SavepointGuard<'t> {
    inner: &'t Inner,
    over: bool,
}

impl Drop for SavepointGuard<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.inner.torn.store(true, Ordering::Relaxed);
        }
    }
}

impl Tx {
    /// The row that the statement gives.
    ///
    /// # Errors
    /// [`DbError::NoRow`] when there is none, [`DbError::RowCount`] when there are several.
    pub async fn one(&self, sql: impl Into<Sql>) -> Result<Row, DbError> {
        connection::one(self.all(sql).await?)
    }

    /// The row that the statement gives, if any.
    ///
    /// # Errors
    /// [`DbError::RowCount`] when there are several.
    pub async fn opt(&self, sql: impl Into<Sql>) -> Result<Option<Row>, DbError> {
        connection::opt(self.all(sql).await?)
    }

    /// All rows that the statement gives.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn all(&self, sql: impl Into<Sql>) -> Result<Vec<Row>, DbError> {
        let sql = sql.into();
        let mut slot = self.slot().await?;
        let rows = connection(&mut slot)?
            .rows(&sql, &self.inner.meter, Place::Transaction)
            .await
            .map_err(|f| self.inner.note(f))?;
        if sql.may_write() && !rows.is_empty() {
            self.inner.wrote.store(true, Ordering::Relaxed);
        }
        Ok(rows)
    }

    /// [`Tx::one`], read as a `T`.
    ///
    /// # Errors
    /// Those of [`Tx::one`] and [`DbError::Corrupt`].
    pub async fn one_as<T: FromRow>(&self, sql: impl Into<Sql>) -> Result<T, DbError> {
        T::from_row(&self.one(sql).await?)
    }

    /// [`Tx::opt`], read as a `T`.
    ///
    /// # Errors
    /// Those of [`Tx::opt`] and [`DbError::Corrupt`].
    pub async fn opt_as<T: FromRow>(&self, sql: impl Into<Sql>) -> Result<Option<T>, DbError> {
        self.opt(sql).await?.as_ref().map(T::from_row).transpose()
    }

    /// [`Tx::all`], read as `T`s.
    ///
    /// # Errors
    /// Those of [`Tx::all`] and [`DbError::Corrupt`].
    pub async fn all_as<T: FromRow>(&self, sql: impl Into<Sql>) -> Result<Vec<T>, DbError> {
        self.all(sql).await?.iter().map(T::from_row).collect()
    }

    /// Runs the statement and gives the number of rows that it changed.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn execute(&self, sql: impl Into<Sql>) -> Result<u64, DbError> {
        let sql = sql.into();
        let mut slot = self.slot().await?;
        let affected = connection(&mut slot)?
            .execute(&sql, &self.inner.meter, Place::Transaction)
            .await
            .map_err(|f| self.inner.note(f))?;
        if affected > 0 && sql.may_write() {
            self.inner.wrote.store(true, Ordering::Relaxed);
        }
        Ok(affected)
    }

    /// Runs the statement, which must change exactly `expected` rows.
    ///
    /// # Errors
    /// [`DbError::RowCount`] when it changed another number; the change is not undone by itself,
    /// the closure passes the error on.
    pub async fn execute_expecting(
        &self,
        expected: u64,
        sql: impl Into<Sql>,
    ) -> Result<(), DbError> {
        let actual = self.execute(sql).await?;
        if actual == expected {
            Ok(())
        } else {
            Err(DbError::RowCount { expected, actual })
        }
    }

    /// Runs a part that may fail without taking the transaction along: an `Err` undoes what the
    /// part wrote, and the transaction goes on. Run one at a time.
    ///
    /// # Errors
    /// What `part` gives, and those of the savepoint itself. [`DbError::Aborted`] when `part`
    /// swallowed the failure of a statement.
    pub async fn savepoint<T, E, F, Fut>(&self, part: F) -> Result<T, E>
    where
        F: FnOnce(Self) -> Fut + Send,
        Fut: Future<Output = Result<T, E>> + Send,
        T: Send,
        E: From<DbError> + Send,
    {
        self.control("SAVEPOINT part").await?;
        let mut guard = SavepointGuard {
            inner: &self.inner,
            over: false,
        };
        let mut result = part(self.clone()).await;
        if result.is_ok() && self.inner.aborted.load(Ordering::Relaxed) {
            result = Err(DbError::Aborted.into());
        }
        if result.is_err() {
            // The part began in a sound transaction, so undoing it gives a sound one back.
            self.inner.aborted.store(false, Ordering::Relaxed);
            self.control("ROLLBACK TO SAVEPOINT part").await?;
        }
        self.control("RELEASE SAVEPOINT part").await?;
        guard.over = true;
        result
    }

    /// Keeps others from taking the exclusive lock on this key until the transaction ends; held
    /// by every write of an actor.
    ///
    /// PostgreSQL: a transaction advisory lock on a hash of schema and key, so two keys can share
    /// a lock, which only costs time. SQLite has one writer: nothing to do.
    ///
    /// # Errors
    /// [`DbError::Busy`] when the lock is not had in time.
    pub async fn lock_shared(&self, key: &str) -> Result<(), DbError> {
        self.lock("SELECT pg_advisory_xact_lock_shared($1)", key)
            .await
    }

    /// Waits for every transaction that holds this key, and keeps others from taking it until
    /// this one ends; held by the consumer of a ban or deletion.
    ///
    /// # Errors
    /// [`DbError::Busy`] when the lock is not had in time.
    pub async fn lock_exclusive(&self, key: &str) -> Result<(), DbError> {
        self.lock("SELECT pg_advisory_xact_lock($1)", key).await
    }

    /// The engine below.
    pub fn engine(&self) -> Engine {
        self.inner.engine
    }

    /// Says that this transaction brings what somebody waits for at
    /// [`Db::on_announced`](crate::Db::on_announced); they wake when it commits. Without it a
    /// commit wakes nobody there: most change nothing that others wait for.
    pub fn announce(&self) {
        self.inner.announced.store(true, Ordering::Relaxed);
    }

    async fn lock(&self, statement: &'static str, key: &str) -> Result<(), DbError> {
        match self.inner.engine {
            Engine::Sqlite => Ok(()),
            Engine::Postgres => {
                let hash = fnv1a(&[self.inner.meter.name().as_bytes(), b"\0", key.as_bytes()]);
                self.execute(sql(statement).bind(hash)).await.map(drop)
            }
        }
    }

    async fn slot(&self) -> Result<tokio::sync::MutexGuard<'_, Option<Raw>>, DbError> {
        if !self.inner.is_sound() {
            return Err(DbError::Aborted);
        }
        Ok(self.inner.slot.lock().await)
    }

    /// Runs a statement of the transaction's own machinery, which is not counted.
    async fn control(&self, text: &'static str) -> Result<(), DbError> {
        let mut slot = self.slot().await?;
        match slot.as_mut() {
            None => return Err(DbError::Ended),
            Some(Raw::Sqlite(c)) => Box::pin(sqlx::query(text).execute(c)).await.map(drop),
            Some(Raw::Postgres(lease)) => lease
                .ask(|connection| sqlx::query(text).execute(connection))
                .await
                .map(drop),
        }
        .map_err(|e| {
            self.inner.aborted.store(true, Ordering::Relaxed);
            crate::error::classify(e, text)
        })
    }
}

fn connection(slot: &mut Option<Raw>) -> Result<Connection<'_>, DbError> {
    match slot {
        None => Err(DbError::Ended),
        Some(Raw::Sqlite(c)) => Ok(Connection::Sqlite(c)),
        Some(Raw::Postgres(lease)) => Ok(Connection::Postgres(lease)),
    }
}

/// FNV-1a. Written out because every replica, of whatever build, must get the same number.
fn fnv1a(parts: &[&[u8]]) -> i64 {
    let hash = parts
        .iter()
        .copied()
        .flatten()
        .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
            (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3)
        });
    i64::from_ne_bytes(hash.to_ne_bytes())
}

#[cfg(test)]
mod tests {
    #[test]
    fn hashes_of_lock_keys_never_change() {
        // Published vectors of FNV-1a, 64 bit.
        assert_eq!(super::fnv1a(&[]) as u64, 0xcbf2_9ce4_8422_2325);
        assert_eq!(
            super::fnv1a(&[b"foo", b"bar"]) as u64,
            0x8594_4171_f739_67e8
        );
    }
}
