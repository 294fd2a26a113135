//! The time of the database, for processes that share one.

use crate::{Db, DbError, Engine};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use stoa_types::{Clock, Timestamp};
use tokio::time::Instant;

/// How often the database is asked.
const EVERY: Duration = Duration::from_secs(5);
/// What was told longer ago counts no more: the machine may have slept since.
const COUNTS: Duration = Duration::from_secs(60);
/// An answer that took longer says too little.
const SLOWEST: Duration = Duration::from_millis(500);

/// Tells the time of a PostgreSQL server: its last answer, and what has passed since then.
///
/// Replicas run on machines whose clocks differ, or are set while they run; timers, tokens and
/// the times of events must not. Before the first answer, a minute after the last one, and over
/// SQLite, it is the clock below.
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

    /// It is this time now, as somebody says who asked the database.
    pub fn tell(&self, now: Timestamp) {
        let mut told = self.told.write().unwrap_or_else(PoisonError::into_inner);
        *told = Some((Instant::now(), now));
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
            Some((at, time)) if at.elapsed() < COUNTS => {
                time.plus_ms(i64::try_from(at.elapsed().as_millis()).unwrap_or(i64::MAX))
            }
            _ => self.base.now(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_types::ManualClock;

    #[tokio::test(start_paused = true)]
    async fn what_was_told_goes_on_for_a_minute_whatever_the_clock_below_does() {
        let below = Arc::new(ManualClock::starting_at(Timestamp::from_ms(5)));
        let clock = DatabaseClock::over(below.clone());
        assert_eq!(clock.now().as_ms(), 5);
        clock.tell(Timestamp::from_ms(1000));
        below.advance_ms(3_600_000);
        tokio::time::advance(Duration::from_secs(59)).await;
        assert_eq!(clock.now().as_ms(), 60_000);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(clock.now().as_ms(), 3_600_005);
    }
}
