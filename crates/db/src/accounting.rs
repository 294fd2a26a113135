//! Counts the statements of a request and the time they took.
//!
//! A request has a fixed number of statements, and tests assert it, so that
//! an accidental loop is seen at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

tokio::task_local! {
    static COUNTERS: Arc<Counters>;
}

#[derive(Default)]
struct Counters {
    count: AtomicU64,
    micros: AtomicU64,
}

/// What a piece of work asked of the database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statements {
    /// Statements run. BEGIN, COMMIT and savepoints are not counted: whether they are sent
    /// depends on what others do at the same time.
    pub count: u64,
    /// Microseconds spent waiting for the database, for turns and commits too.
    pub micros: u64,
}

/// Runs `work` and tells what it asked of the database. A scope inside a scope counts for itself
/// only.
pub async fn scope<F: Future>(work: F) -> (F::Output, Statements) {
    let counters = Arc::new(Counters::default());
    let out = COUNTERS.scope(Arc::clone(&counters), work).await;
    let statements = Statements {
        count: counters.count.load(Ordering::Relaxed),
        micros: counters.micros.load(Ordering::Relaxed),
    };
    (out, statements)
}

/// Makes `work` count for the scope it was made in, wherever it runs: wrap what is handed to
/// another task. Outside of any scope it changes nothing.
pub fn carry<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let counters = COUNTERS.try_with(Arc::clone).ok();
    async move {
        match counters {
            Some(counters) => COUNTERS.scope(counters, work).await,
            None => work.await,
        }
    }
}

pub(crate) fn add(count: u64, took: Duration) {
    // Outside of a scope nobody asks.
    let _ = COUNTERS.try_with(|c| {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        c.count.fetch_add(count, Ordering::Relaxed);
        c.micros.fetch_add(micros, Ordering::Relaxed);
    });
}
