//! The time of the database, for processes that share one.

use crate::{Db, DbError, Engine};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use stoa_types::{Clock, Timestamp};
use tokio::time::Instant;

/// How often the database is asked.
const EVERY: Duration = Duration::from_secs(5);
/// An answer that took longer says too little.
const SLOWEST: Duration = Duration::from_millis(500);

/// Tells the time of a PostgreSQL server: its last answer, and what has passed since then.
///
/// Replicas run on machines whose clocks differ, or are set while they run; timers, tokens and
/// the times of events must not. Before the first answer, and over SQLite, it is the clock below.
pub struct DatabaseClock {
    base: Arc<dyn Clock>,
    told: RwLock<Option<(Instant, Timestamp)>>,
}

impl DatabaseClock {
    /// A clock that was told nothing yet.
    pub fn over(base: Arc<dyn Clock>) -> Self {
        Self {
            base,
            told: RwLock::new(None),
        }
    }

    /// Asks the database once.
    ///
    /// # Errors
    /// Those of the statement; the clock goes on from its last answer.
    pub async fn ask(&self, db: &Db) -> Result<(), DbError> {
        if db.engine() == Engine::Sqlite {
            return Ok(());
        }
        let asked = Instant::now();
        let (now,): (Timestamp,) = db
            .one_as("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)")
            .await?;
        let took = asked.elapsed();
        let mut told = self.told.write().unwrap_or_else(PoisonError::into_inner);
        if told.is_none() || took <= SLOWEST {
            *told = Some((asked + took / 2, now));
        }
        Ok(())
    }

    /// Asks every five seconds; ends when it is dropped.
    pub async fn follow(&self, db: &Db) {
        loop {
            // An outage of the database shows elsewhere.
            let _ = self.ask(db).await;
            tokio::time::sleep(EVERY).await;
        }
    }
}

impl Clock for DatabaseClock {
    fn now(&self) -> Timestamp {
        match *self.told.read().unwrap_or_else(PoisonError::into_inner) {
            None => self.base.now(),
            Some((at, time)) => {
                time.plus_ms(i64::try_from(at.elapsed().as_millis()).unwrap_or(i64::MAX))
            }
        }
    }
}
