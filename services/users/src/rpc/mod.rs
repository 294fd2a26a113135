//! The RPCs of this service, one file each.
//!
//! To add one: the proto, its action in `crates/policy`, a file here, a line below.

mod approve;
mod ban;
mod batch_get;
mod change_password;
mod check_password;
mod create_current;
mod delete;
mod delete_current;
mod fields;
mod get_access;
mod get_protected_data;
mod query;
mod revoke_sessions;
mod show;
mod show_current;
mod unban;
mod update_current_profile;
mod update_permissions;
mod update_profile;
mod user_filter;

#[cfg(test)]
pub(crate) mod harness;

use crate::domain::user::User;
use crate::error::Error;
use crate::store;
use crate::store::totals::Totals;
use std::collections::HashMap;
use std::sync::Arc;
use stoa_credentials::PasswordHasher;
use stoa_db::{Db, Tx};
use stoa_feed::projections::{Settings, settings};
use stoa_feed::{EnvelopeBuilder, Origin};
use stoa_policy::{AccessSettings, Action, Denied, Resource, Standing, require};
use stoa_proto::users as pb;
use stoa_proto::users::users_server;
use stoa_rpc::{Caller, unary};
use stoa_types::id::UserId;
use stoa_types::{Clock, Entropy};
use tokio::sync::Notify;
use tonic::{Request, Response, Status};

/// What handlers work with.
pub(crate) struct Cx {
    pub(crate) db: Db,
    /// Domain time: `createdAt` and the times of events.
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) passwords: PasswordHasher,
    pub(crate) settings: Settings,
    /// Told when an account was deleted.
    pub(crate) erased: Arc<Notify>,
    /// How many users large selections have.
    pub(crate) totals: Totals,
}

impl Cx {
    /// The settings that the caller was admitted with, or newer ones.
    async fn settings_for(&self, caller: &Caller) -> Result<AccessSettings, Error> {
        let latest = self.settings.at_least(caller.settings_version).await?;
        Ok(settings::access_of(&latest))
    }

    /// The settings as far as they are known, for calls between services: they decide nothing by
    /// them, and begin before the settings arrive.
    fn settings_if_known(&self) -> AccessSettings {
        self.settings.access().unwrap_or_default()
    }

    /// The users with these ids and the caller's own, in one statement.
    async fn load(&self, caller: &Caller, ids: &[UserId]) -> Result<Loaded, Error> {
        let mut ids = ids.to_vec();
        ids.extend(me(caller).ok());
        ids.sort_unstable();
        ids.dedup();
        let found = store::users::users(&self.db, &ids).await?;
        Ok(Loaded(
            found.into_iter().map(|user| (user.id, user)).collect(),
        ))
    }

    /// The calling user's row inside of a write, locked; none for the levels without a user.
    async fn caller_locked(&self, tx: &Tx, caller: &Caller) -> Result<Option<User>, Error> {
        match me(caller) {
            Ok(id) => Ok(store::users::user_locked(tx, id).await?),
            Err(_) => Ok(None),
        }
    }

    /// Checks `currentPassword`, outside of any transaction, and gives the hash that it matched;
    /// the transaction that follows makes sure that this is still the one.
    async fn checked_password(
        &self,
        caller: &Caller,
        action: Action,
        settings: AccessSettings,
        password: String,
    ) -> Result<String, Error> {
        let found = store::users::user_and_password(&self.db, me(caller)?).await?;
        let (user, stored) = found.ok_or(Denied::Forbidden)?;
        let standing = standing(caller, settings, Some(&user));
        require(&caller.actor, action, &standing, &Resource::None)?;
        let verified = self.passwords.verify(password, stored.clone()).await?;
        stored.filter(|_| verified.ok).ok_or(Error::WrongPassword)
    }

    /// Writes the envelope of a change.
    async fn emit(&self, tx: &Tx, caller: &Caller, envelope: EnvelopeBuilder) -> Result<(), Error> {
        let envelope = envelope.build(&Origin::of(caller), self.clock.now(), &*self.entropy);
        Ok(stoa_feed::emit(tx, [envelope]).await?)
    }
}

/// Users by their ids.
struct Loaded(HashMap<UserId, User>);

impl Loaded {
    fn get(&self, id: UserId) -> Option<&User> {
        self.0.get(&id)
    }

    fn standing(&self, caller: &Caller, settings: AccessSettings) -> Standing<'_> {
        let user = me(caller).ok().and_then(|id| self.get(id));
        standing(caller, settings, user)
    }
}

/// What the decision about a caller is made by. `user` is the caller's own row: this service owns
/// the rows that others keep copies of.
fn standing<'u>(caller: &Caller, settings: AccessSettings, user: Option<&'u User>) -> Standing<'u> {
    Standing {
        settings,
        user: user.map(|user| &user.access),
        role: caller.actor.role,
    }
}

/// The calling user, on the levels that have one.
fn me(caller: &Caller) -> Result<UserId, Denied> {
    let user = caller.actor.user.filter(|_| caller.actor.level.is_user());
    user.ok_or(Denied::Forbidden)
}

/// The service `stoa.users.v1.Users`.
#[derive(Clone)]
pub(crate) struct Users(pub(crate) Arc<Cx>);

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl users_server::Users for Users {
    async fn show(&self, request: Request<pb::ShowUserRequest>) -> Answer<pb::User> {
        unary(request, |caller, message| {
            show::show(&self.0, caller, message)
        })
        .await
    }

    async fn query(
        &self,
        request: Request<pb::QueryUsersRequest>,
    ) -> Answer<pb::QueryUsersResponse> {
        unary(request, |caller, message| {
            query::query(&self.0, caller, message)
        })
        .await
    }

    async fn update_profile(
        &self,
        request: Request<pb::UpdateUserProfileRequest>,
    ) -> Answer<pb::User> {
        unary(request, |caller, message| {
            update_profile::update_profile(&self.0, caller, message)
        })
        .await
    }

    async fn approve(&self, request: Request<pb::UserCommandRequest>) -> Answer<pb::User> {
        unary(request, |caller, message| {
            approve::approve(&self.0, caller, message)
        })
        .await
    }

    async fn update_permissions(
        &self,
        request: Request<pb::UpdateUserPermissionsRequest>,
    ) -> Answer<pb::User> {
        unary(request, |caller, message| {
            update_permissions::update_permissions(&self.0, caller, message)
        })
        .await
    }

    async fn revoke_sessions(&self, request: Request<pb::UserCommandRequest>) -> Answer<pb::User> {
        unary(request, |caller, message| {
            revoke_sessions::revoke_sessions(&self.0, caller, message)
        })
        .await
    }

    async fn ban(&self, request: Request<pb::UserCommandRequest>) -> Answer<pb::User> {
        unary(request, |caller, message| {
            ban::ban(&self.0, caller, message)
        })
        .await
    }

    async fn unban(&self, request: Request<pb::UserCommandRequest>) -> Answer<pb::User> {
        unary(request, |caller, message| {
            unban::unban(&self.0, caller, message)
        })
        .await
    }

    async fn delete(&self, request: Request<pb::UserCommandRequest>) -> Answer<pb::User> {
        unary(request, |caller, message| {
            delete::delete(&self.0, caller, message)
        })
        .await
    }

    async fn show_current(&self, request: Request<pb::ShowCurrentUserRequest>) -> Answer<pb::User> {
        unary(request, |caller, message| {
            show_current::show_current(&self.0, caller, message)
        })
        .await
    }

    async fn create_current(
        &self,
        request: Request<pb::CreateCurrentUserRequest>,
    ) -> Answer<pb::User> {
        unary(request, |caller, message| {
            create_current::create_current(&self.0, caller, message)
        })
        .await
    }

    async fn update_current_profile(
        &self,
        request: Request<pb::UpdateCurrentProfileRequest>,
    ) -> Answer<pb::User> {
        unary(request, |caller, message| {
            update_current_profile::update_current_profile(&self.0, caller, message)
        })
        .await
    }

    async fn change_password(
        &self,
        request: Request<pb::ChangePasswordRequest>,
    ) -> Answer<pb::User> {
        unary(request, |caller, message| {
            change_password::change_password(&self.0, caller, message)
        })
        .await
    }

    async fn delete_current(
        &self,
        request: Request<pb::DeleteCurrentUserRequest>,
    ) -> Answer<pb::User> {
        unary(request, |caller, message| {
            delete_current::delete_current(&self.0, caller, message)
        })
        .await
    }

    async fn batch_get(
        &self,
        request: Request<pb::BatchGetUsersRequest>,
    ) -> Answer<pb::BatchGetUsersResponse> {
        unary(request, |caller, message| {
            batch_get::batch_get(&self.0, caller, message)
        })
        .await
    }

    async fn get_access(&self, request: Request<pb::GetAccessRequest>) -> Answer<pb::UserAccess> {
        unary(request, |caller, message| {
            get_access::get_access(&self.0, caller, message)
        })
        .await
    }

    async fn check_password(
        &self,
        request: Request<pb::CheckPasswordRequest>,
    ) -> Answer<pb::CheckPasswordResponse> {
        unary(request, |caller, message| {
            check_password::check_password(&self.0, caller, message)
        })
        .await
    }

    async fn get_protected_data(
        &self,
        request: Request<pb::GetProtectedDataRequest>,
    ) -> Answer<pb::GetProtectedDataResponse> {
        unary(request, |caller, message| {
            get_protected_data::get_protected_data(&self.0, caller, message)
        })
        .await
    }
}
