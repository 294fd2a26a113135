//! Deletes events that are older than the log keeps them. Every replica may run it.

use crate::domain::retention::keep_from;
use crate::error::Error;
use crate::store::retention;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use stoa_db::Db;
use stoa_feed::projections::Settings;
use stoa_rpc::Tasks;
use stoa_types::Clock;

/// How often it looks.
const POLL: Duration = Duration::from_secs(600);
/// Events deleted in one transaction.
const BATCH: u32 = 500;

/// The job. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ForgetOld {
    pub(crate) db: Db,
    /// The real time: a virtual clock that is moved must not empty the log.
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Settings,
    pub(crate) days: Option<NonZeroU32>,
    pub(crate) tasks: Tasks,
}

impl ForgetOld {
    /// Works until the process stops.
    pub(crate) async fn run(self) {
        while !self.tasks.is_stopping() {
            if let Err(error) = self.once().await {
                tracing::warn!(error = ?error, "Old events could not be deleted");
            }
            tokio::select! {
                () = self.tasks.stopping() => return,
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    /// Deletes what is too old now; true when there was anything. Before the settings are known
    /// nothing is deleted: a live marketplace keeps its events longer.
    pub(crate) async fn once(&self) -> Result<bool, Error> {
        if !self.settings.is_ready() {
            return Ok(false);
        }
        let environment = self.settings.environment()?;
        let from = keep_from(self.clock.now(), self.days, environment);
        let mut any = false;
        while !self.tasks.is_stopping()
            && self
                .db
                .write(|tx| async move { retention::forget(&tx, from, BATCH).await })
                .await?
                > 0
        {
            any = true;
        }
        Ok(any)
    }
}
