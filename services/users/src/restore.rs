//! After a restore: states that users had reached when the databases were lost.
//!
//! The host does it, before anything serves, from the ledger that is kept apart from the
//! databases; so nobody is asked for a right. It takes the way of the operators' commands, events
//! included, so that every other service does its part.

use crate::domain::user::User;
use crate::error::Error;
use crate::{Service, events, store};
use stoa_feed::Origin;
use stoa_feed::projections::settings;
use stoa_policy::{Actor, UserState};
use stoa_types::Problems;
use stoa_types::id::UserId;

/// A state that a user has to be in again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Banned by an operator.
    Banned,
    /// Not banned any more.
    Active,
    /// Deleted for good.
    Deleted,
}

/// A state could not be brought about; the problems say how, the log why.
#[derive(Debug, thiserror::Error)]
#[error("the state of {user} could not be restored: {why}")]
pub struct EnforceError {
    user: UserId,
    why: Problems,
}

impl Service {
    /// Bans, unbans or deletes the user, unless that is so already or there is no such user. True
    /// when anything changed.
    ///
    /// # Errors
    /// [`EnforceError`]; nothing is changed then.
    pub async fn enforce(&self, user: UserId, standing: Standing) -> Result<bool, EnforceError> {
        self.try_enforce(user, standing)
            .await
            .map_err(|error| EnforceError {
                user,
                why: error.into(),
            })
    }

    async fn try_enforce(&self, id: UserId, standing: Standing) -> Result<bool, Error> {
        let cx = self.cx();
        let settings = cx
            .settings
            .latest()
            .map_or_else(Default::default, |latest| settings::access_of(&latest));
        let texts = cx.settings.blanks_texts().unwrap_or_default();
        let changed = cx
            .db
            .write(|tx| async move {
                let Some(user) = store::users::user_locked(&tx, id).await? else {
                    return Ok(false);
                };
                let Some(next) = step(&user, standing)? else {
                    return Ok(false);
                };
                let told = match standing {
                    Standing::Banned => events::banned(&user, &next, settings),
                    Standing::Active => events::unbanned(&user, &next, settings),
                    Standing::Deleted => events::deleted(&user, &next, texts),
                };
                if standing == Standing::Deleted {
                    store::erasures::erase(&tx, &next, cx.clock.now()).await?;
                } else {
                    store::users::replace(&tx, &next).await?;
                }
                let origin = Origin::new(&Actor::system("restore"), None);
                let envelope = told.build(&origin, cx.clock.now(), &*cx.entropy);
                stoa_feed::emit(&tx, [envelope]).await?;
                Ok::<_, Error>(true)
            })
            .await?;
        if changed && standing == Standing::Deleted {
            cx.erased.notify_one();
        }
        Ok(changed)
    }
}

/// The account in that state, or nothing when it is in it, or beyond it.
fn step(user: &User, standing: Standing) -> Result<Option<User>, Error> {
    Ok(match (user.state(), standing) {
        (UserState::Deleted, _)
        | (UserState::Banned, Standing::Banned)
        | (UserState::Active | UserState::PendingApproval, Standing::Active) => None,
        (_, Standing::Deleted) => Some(user.deleted()?),
        (UserState::Active | UserState::PendingApproval, Standing::Banned) => Some(user.banned()?),
        (UserState::Banned, Standing::Active) => Some(user.unbanned()?),
    })
}
