//! A user is deleted: from this commit on nothing moves this person's transactions, and what the
//! person left in them is removed behind it.

use crate::store::erasures;
use std::sync::Arc;
use stoa_db::Tx;
use stoa_feed::Error;
use stoa_feed::erase::Erasure;
use stoa_feed::projections::{UserChange, UserReaction};
use stoa_proto::events::Envelope;
use tokio::sync::Notify;

/// Notes the erasure of a deleted user; a job does it.
pub(crate) struct UserGone {
    /// Wakes the job.
    pub(crate) erasure_due: Arc<Notify>,
}

#[tonic::async_trait]
impl UserReaction for UserGone {
    async fn apply(&self, tx: &Tx, change: UserChange<'_>) -> Result<(), Error> {
        if change.access.state == "deleted" {
            let erasure = Erasure {
                user: change.user,
                texts: change.access.erase_texts,
            };
            tx.execute(erasures::begin(erasure)).await?;
        }
        Ok(())
    }

    fn committed(&self, envelope: &Envelope) {
        if envelope.r#type == "user.deleted" {
            self.erasure_due.notify_one();
        }
    }
}
