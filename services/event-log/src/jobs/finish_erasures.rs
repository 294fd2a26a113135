//! Takes erased persons out of what was stored before. It starts from the tombstones, so it
//! survives a restart, and doing it twice does no harm, so every replica may run it.

use crate::error::Error;
use crate::store::erasures;
use std::sync::Arc;
use std::time::Duration;
use stoa_db::Db;
use stoa_rpc::Tasks;
use stoa_types::Clock;
use tokio::sync::Notify;

/// How often it looks for what is left over: from before a restart, after a failure, or told to
/// another replica.
const POLL: Duration = Duration::from_secs(5);
/// Events rewritten in one transaction.
const BATCH: u32 = 50;

/// The job. Cheap to clone.
#[derive(Clone)]
pub(crate) struct FinishErasures {
    pub(crate) db: Db,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tasks: Tasks,
    /// Told when a tombstone was written.
    pub(crate) erased: Arc<Notify>,
}

impl FinishErasures {
    /// Works until the process stops.
    pub(crate) async fn run(self) {
        while !self.tasks.is_stopping() {
            if let Err(error) = self.once().await {
                tracing::warn!(error = ?error, "An erasure is not finished yet");
            }
            tokio::select! {
                () = self.tasks.stopping() => return,
                () = self.erased.notified() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    /// Finishes what is there now; true when there was anything.
    pub(crate) async fn once(&self) -> Result<bool, Error> {
        let users = erasures::unfinished(&self.db).await?;
        if users.is_empty() {
            return Ok(false);
        }
        for user in &users {
            while self
                .db
                .write(|tx| async move { erasures::strip(&tx, *user, BATCH).await })
                .await?
                > 0
            {}
        }
        self.db.purge_deleted().await?;
        let (users, now) = (users.as_slice(), self.clock.now());
        self.db
            .write(|tx| async move { erasures::finish(&tx, users, now).await })
            .await?;
        Ok(true)
    }
}
