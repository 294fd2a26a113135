//! The state of a user changed: a banned or deleted user's listings go, and only those of users
//! in good standing are public.
//!
//! The state itself is stored before this runs, in the same transaction, under the user's lock.
//! What remains to be done is written down here and done by the job `remove_listings`.

use crate::core::Core;
use crate::domain::Listing;
use crate::jobs::remove_listings::delete_batch;
use crate::store::{self, Removal};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use stoa_db::Tx;
use stoa_feed::Error;
use stoa_feed::projections::{UserChange, UserReaction, actors};
use stoa_policy::UserState;
use stoa_proto::events::{Envelope, envelope::Payload};
use tokio::sync::Notify;

/// The reaction of this service.
pub(crate) struct UserStates {
    pub(crate) core: Arc<Core>,
    /// Wakes the job.
    pub(crate) wake: Arc<Notify>,
    /// Markers written in a transaction that is not committed yet, by the envelope's id.
    pub(crate) written: Mutex<HashMap<String, Vec<Listing>>>,
}

#[tonic::async_trait]
impl UserReaction for UserStates {
    async fn apply(&self, tx: &Tx, change: UserChange<'_>) -> Result<(), Error> {
        let state = UserState::from_name(&change.access.state)
            .ok_or_else(|| Error::effect("unknown state of a user"))?;
        match state {
            UserState::Banned | UserState::Deleted => {
                let cause = Envelope {
                    id: change.envelope.id.clone(),
                    actor: change.envelope.actor.clone(),
                    traceparent: change.envelope.traceparent.clone(),
                    ..Envelope::default()
                };
                let removal = Removal {
                    user: change.user,
                    erase: state == UserState::Deleted,
                    cause,
                };
                store::request_removal(tx, &removal, self.core.clock.now()).await?;
            }
            UserState::Active | UserState::PendingApproval => {
                // The ban is over before its work was done. It must not reach what the user makes
                // from now on, so the rest is done here.
                if let Some(removal) = store::removal_of(tx, change.user).await? {
                    let mut markers = Vec::new();
                    loop {
                        let batch = delete_batch(tx, &self.core, &removal).await?;
                        if batch.is_empty() {
                            break;
                        }
                        markers.extend(batch);
                    }
                    store::finish_removal(tx, &removal).await?;
                    self.written
                        .lock()
                        .insert(change.envelope.id.clone(), markers);
                }
            }
        }
        Ok(())
    }

    fn committed(&self, envelope: &Envelope) {
        let written = self.written.lock().remove(&envelope.id);
        for marker in written.unwrap_or_default() {
            self.core.committed(&marker);
        }
        if let Some(Payload::User(access)) = &envelope.payload
            && let Ok((user, decoded)) = actors::decode(access)
        {
            let hidden = decoded.state != UserState::Active;
            self.core.index.hide_author(user, access.version, hidden);
        }
        self.wake.notify_one();
    }
}
