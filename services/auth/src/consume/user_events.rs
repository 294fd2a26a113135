//! Bans, deletions and raised epochs end sessions and go into the revocation log.
//!
//! | Event | Families | Entries |
//! |---|---|---|
//! | `user.banned` | end | `user_state` banned |
//! | `user.unbanned` | stay ended | `user_state` active |
//! | `user.deleted` | end | `user_state` deleted, `user` epoch |
//! | `user.epoch-raised` | end, but for the spared one | `user` epoch with the spared session |

use crate::domain::lifetimes::Lifetimes;
use crate::domain::revocation::Entry;
use crate::events;
use crate::store::{revocations, sessions};
use std::sync::Arc;
use stoa_db::Tx;
use stoa_feed::projections::actors::decode;
use stoa_feed::projections::{UserChange, UserReaction};
use stoa_feed::{Error, Origin};
use stoa_policy::UserState;
use stoa_types::{Clock, Entropy};

/// Reacts to the users feed.
pub(crate) struct UserEvents {
    pub(crate) lifetimes: Lifetimes,
    /// The real clock.
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
}

#[tonic::async_trait]
impl UserReaction for UserEvents {
    async fn apply(&self, tx: &Tx, change: UserChange<'_>) -> Result<(), Error> {
        let (user, access) = decode(change.access)?;
        let now = self.clock.now();
        let version = i64::try_from(change.access.version).map_err(Error::effect)?;
        let state = |state| Entry::user_state(user, state, version, &self.lifetimes, now);
        let epoch = || Entry::user_epoch(user, &access, &self.lifetimes, now);
        let entries = match change.kind {
            "user.banned" => {
                sessions::end_of_user(tx, user, None, "user-banned", now).await?;
                vec![state(UserState::Banned)]
            }
            "user.unbanned" => {
                let entry = state(access.state);
                revocations::end_bans(tx, user, entry.keep_until_ms).await?;
                vec![entry]
            }
            "user.deleted" => {
                let entry = state(UserState::Deleted);
                sessions::end_of_user(tx, user, None, "user-deleted", now).await?;
                revocations::end_bans(tx, user, entry.keep_until_ms).await?;
                vec![entry, epoch()]
            }
            "user.epoch-raised" => {
                let spared = access.except_session.map(|session| (session, access.epoch));
                sessions::end_of_user(tx, user, spared, "epoch-raised", now).await?;
                vec![epoch()]
            }
            _ => return Ok(()),
        };
        let origin = Origin::because_of(change.envelope);
        events::revoke(tx, &entries, &origin, &*self.entropy).await?;
        Ok(())
    }
}
