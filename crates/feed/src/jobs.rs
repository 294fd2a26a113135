//! Work in the background that one replica at a time does: erasures, pruning.

use crate::{Lease, Wiring, lease};
use std::sync::Arc;
use std::time::Duration;
use stoa_db::DbError;
use stoa_rpc::Tasks;
use tokio::sync::Notify;

/// Runs a piece of work whenever it is woken, and by itself every so often: for what is left over
/// from before a restart or a failure, or was told to another replica. One replica at a time does
/// it, under a lease; it may be dropped at any point, so it goes by transactions that note how
/// far they came. Cheap to clone.
#[derive(Clone)]
pub struct Job {
    service: &'static str,
    name: &'static str,
    every: Duration,
    wake: Arc<Notify>,
    lease: Lease,
    tasks: Tasks,
}

impl Job {
    /// A job of that name, unique in its service.
    pub fn new(wiring: &Wiring, name: &'static str, every: Duration) -> Self {
        Self {
            service: wiring.identity.name(),
            name,
            every,
            wake: Arc::default(),
            lease: Lease::new(wiring, &format!("job {name}")),
            tasks: wiring.tasks.clone(),
        }
    }

    /// The same job; each notice lets the work be done soon, here if no other replica is at it.
    #[must_use]
    pub fn woken_by(mut self, wake: Arc<Notify>) -> Self {
        self.wake = wake;
        self
    }

    /// Works until the process stops. A failure is logged and the work tried again the next time.
    pub async fn run<W, Fut, E>(self, work: W)
    where
        W: Fn() -> Fut + Send,
        Fut: Future<Output = Result<bool, E>> + Send,
        E: std::fmt::Debug + Send,
    {
        while !self.tasks.is_stopping() {
            let pause = tokio::select! {
                () = self.tasks.stopping() => break,
                pause = self.once(&work) => pause,
            };
            tokio::select! {
                () = self.tasks.stopping() => break,
                () = self.wake.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        // Dropped in the middle of its work it still has the lease.
        if let Err(error) = self.lease.release().await {
            tracing::warn!(job = self.name, error = ?error, "A job's lease will run out by itself");
        }
    }

    /// Works if no other replica does; gives the pause behind it.
    async fn once<W, Fut, E>(&self, work: &W) -> Duration
    where
        W: Fn() -> Fut,
        Fut: Future<Output = Result<bool, E>>,
        E: std::fmt::Debug,
    {
        let done: Result<Option<Result<bool, E>>, DbError> = self.lease.during(work()).await;
        match done {
            Ok(Some(Ok(_))) => stoa_telemetry::metrics()
                .jobs
                .passed(self.service, self.name),
            // What woke this one may have come after the other one looked.
            Ok(None) => return lease::LOOK.min(self.every),
            Ok(Some(Err(error))) => {
                tracing::warn!(job = self.name, error = ?error, "A job is not done yet");
            }
            Err(error) => {
                tracing::warn!(job = self.name, error = ?error, "A job's lease cannot be judged");
            }
        }
        self.every
    }
}
