//! What a handler's decision is made by, put together in one line.

use super::{Actors, Settings, actors, settings};
use crate::Error;
use stoa_db::Tx;
use stoa_policy::{AccessSettings, Level, Role, Standing, UserAccess};
use stoa_rpc::Caller;

/// The caller's standing, with the row it refers to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnedStanding {
    /// The marketplace's settings.
    pub settings: AccessSettings,
    /// The calling user; none for the levels without one, and for a user who does not exist.
    pub user: Option<UserAccess>,
    /// The calling operator's role.
    pub role: Option<Role>,
}

impl OwnedStanding {
    /// The form that `stoa_policy` takes.
    pub const fn as_standing(&self) -> Standing<'_> {
        Standing {
            settings: self.settings,
            user: self.user.as_ref(),
            role: self.role,
        }
    }
}

/// Puts standings together. Cheap to clone.
#[derive(Clone)]
pub struct Standings {
    settings: Settings,
    actors: Actors,
}

impl Standings {
    /// From the service's copies.
    pub fn new(settings: Settings, actors: Actors) -> Self {
        Self { settings, actors }
    }

    /// The marketplace's settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The states of users.
    pub fn actors(&self) -> &Actors {
        &self.actors
    }

    /// The caller's standing for a read. Asks the users service for a user who is unknown here.
    ///
    /// # Errors
    /// 503 when the settings that the caller was admitted with, or the user's state, cannot be
    /// had.
    pub async fn for_read(&self, caller: &Caller) -> Result<OwnedStanding, Error> {
        let settings = self.settings_for(caller).await?;
        let user = match caller.actor.user {
            Some(user) if caller.actor.level.is_user() => self.actors.known(user).await?,
            _ => None,
        };
        Ok(OwnedStanding {
            settings,
            user,
            role: caller.actor.role,
        })
    }

    /// Makes sure that [`Standings::for_write`] will find what it needs. Every command calls it
    /// before its write, where another service may still be asked. What it returns may decide
    /// early refusals; the decision that counts is made by `for_write`.
    ///
    /// # Errors
    /// Those of [`Standings::for_read`].
    pub async fn prepare(&self, caller: &Caller) -> Result<OwnedStanding, Error> {
        self.for_read(caller).await
    }

    /// The caller's standing inside of a write, the user's row read under the user's lock.
    ///
    /// # Errors
    /// Those of the statements; 503 when the settings are not here yet.
    pub async fn for_write(&self, tx: &Tx, caller: &Caller) -> Result<OwnedStanding, Error> {
        let settings = if is_internal(caller) {
            self.settings.access().unwrap_or_default()
        } else {
            self.settings.access()?
        };
        let user = match caller.actor.user {
            Some(user) if caller.actor.level.is_user() => actors::read_for_write(tx, user).await?,
            _ => None,
        };
        Ok(OwnedStanding {
            settings,
            user,
            role: caller.actor.role,
        })
    }

    async fn settings_for(&self, caller: &Caller) -> Result<AccessSettings, Error> {
        if is_internal(caller) {
            return Ok(self.settings.access().unwrap_or_default());
        }
        let latest = self.settings.at_least(caller.settings_version).await?;
        Ok(settings::access_of(&latest))
    }
}

/// Calls between services do not depend on the settings, and start before they arrived.
fn is_internal(caller: &Caller) -> bool {
    caller.actor.level == Level::System
}
