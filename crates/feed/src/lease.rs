//! Leases: one replica at a time does a piece of work.
//!
//! PostgreSQL judges them by its own clock, so it does not matter what time the processes believe
//! it is. A SQLite file belongs to one process: it has every lease, also those of an earlier run.

use crate::store::dialect;
use crate::{Wiring, store};
use std::sync::Arc;
use std::time::Duration;
use stoa_db::{Db, DbError, Engine, sql};

/// How long a lease lasts without being renewed: longer than a short stall of a loaded machine,
/// and short enough that another replica goes on within 2 s.
const TTL: Duration = Duration::from_millis(1500);
/// How often the holder renews it.
pub(crate) const RENEWAL: Duration = Duration::from_millis(400);
/// How often others look whether it is free.
pub(crate) const LOOK: Duration = Duration::from_millis(200);

/// The right to do a named piece of work in this service, for 1.5 s at a time. Work under a lease
/// still guards its writes by compare-and-set: a process that was stopped for longer than the
/// lease does not know that it lost it.
#[derive(Clone)]
pub struct Lease {
    db: Db,
    name: Arc<str>,
    holder: Arc<str>,
}

impl Lease {
    /// A lease of that name for this process; not had yet.
    pub fn new(wiring: &Wiring, name: &str) -> Self {
        Self {
            db: wiring.db.clone(),
            name: name.into(),
            holder: wiring.entropy.uuid().to_string().into(),
        }
    }

    /// Takes or renews the lease for 1.5 s; false when another one has it.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn acquire(&self) -> Result<bool, DbError> {
        self.acquire_noting(0, None).await
    }

    /// As [`Lease::acquire`]; the others learn that the holder heard of `head`, and how long ago.
    pub(crate) async fn acquire_noting(
        &self,
        head: u64,
        heard: Option<Duration>,
    ) -> Result<bool, DbError> {
        if self.db.engine() == Engine::Sqlite {
            return Ok(true);
        }
        let statement = sql(dialect::LEASE)
            .bind(&*self.name)
            .bind(&*self.holder)
            .bind(ms(TTL))
            .bind(i64::try_from(head).unwrap_or(i64::MAX))
            .bind(heard.map(ms));
        let changed = self
            .db
            .write(|tx| {
                let statement = statement.clone();
                async move { tx.execute(statement).await }
            })
            .await?;
        Ok(changed == 1)
    }

    /// Gives the lease back, so that another one need not wait for its end.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn release(&self) -> Result<(), DbError> {
        if self.db.engine() == Engine::Sqlite {
            return Ok(());
        }
        let statement = sql(store::RELEASE).bind(&*self.name).bind(&*self.holder);
        self.db
            .write(|tx| {
                let statement = statement.clone();
                async move { tx.execute(statement).await.map(drop) }
            })
            .await
    }

    /// Does the work while renewing the lease, and gives it back. Nothing: another replica has
    /// it, or took it while this process was stopped; the work is dropped then.
    ///
    /// # Errors
    /// Those of the statements about the lease.
    pub(crate) async fn during<F: Future>(&self, work: F) -> Result<Option<F::Output>, DbError> {
        if !self.acquire().await? {
            return Ok(None);
        }
        if self.db.engine() == Engine::Sqlite {
            return Ok(Some(work.await));
        }
        let mut work = std::pin::pin!(work);
        let mut renewal = tokio::time::interval(RENEWAL);
        renewal.reset();
        loop {
            tokio::select! {
                done = &mut work => {
                    self.release().await?;
                    return Ok(Some(done));
                }
                _ = renewal.tick() => if !self.acquire().await? {
                    return Ok(None);
                },
            }
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn holder(&self) -> &str {
        &self.holder
    }
}

fn ms(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
