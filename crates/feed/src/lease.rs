//! Leases: one replica at a time does a piece of work.

use crate::{Wiring, store};
use std::sync::Arc;
use std::time::Duration;
use stoa_db::{Db, DbError, sql};
use stoa_types::Clock;

/// How long a lease lasts without being renewed. Renew it after a third of that.
pub(crate) const TTL: Duration = Duration::from_secs(5);

/// The right to do a named piece of work in this service, for a few seconds at a time. Work under
/// a lease still guards its writes by compare-and-set: a process that was stopped for longer than
/// the lease does not know that it lost it.
#[derive(Clone)]
pub struct Lease {
    db: Db,
    clock: Arc<dyn Clock>,
    name: Arc<str>,
    holder: Arc<str>,
}

impl Lease {
    /// A lease of that name for this process; not had yet.
    pub fn new(wiring: &Wiring, name: &str) -> Self {
        Self {
            db: wiring.db.clone(),
            clock: Arc::clone(&wiring.clock),
            name: name.into(),
            holder: wiring.entropy.uuid().to_string().into(),
        }
    }

    /// Takes or renews the lease for five seconds; false when another one has it.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn acquire(&self) -> Result<bool, DbError> {
        let now = self.clock.now();
        let until = expiry(now);
        let statement = sql(store::LEASE)
            .bind(&*self.name)
            .bind(&*self.holder)
            .bind(until)
            .bind(now);
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
        let statement = sql(store::RELEASE).bind(&*self.name).bind(&*self.holder);
        self.db
            .write(|tx| {
                let statement = statement.clone();
                async move { tx.execute(statement).await.map(drop) }
            })
            .await
    }
}

/// When a lease that is taken now ends.
pub(crate) fn expiry(now: stoa_types::Timestamp) -> stoa_types::Timestamp {
    now.plus_ms(i64::try_from(TTL.as_millis()).unwrap_or(i64::MAX))
}
