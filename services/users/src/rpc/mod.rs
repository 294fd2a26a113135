//! The RPCs of this service, one file each.
//!
//! To add one: the proto, its action in `crates/policy`, a file here, a line below.

mod approve;
mod ban;
mod batch_get;
mod change_email;
mod change_password;
mod check_password;
mod create_current;
mod delete;
mod delete_current;
mod fields;
mod get_access;
mod get_protected_data;
mod query;
mod request_password_reset;
mod reset_password;
mod revoke_sessions;
mod send_verification_email;
mod show;
mod show_current;
mod unban;
mod update_current_profile;
mod update_permissions;
mod update_profile;
mod user_filter;
mod verify_current_email;
mod verify_email;

#[cfg(test)]
pub(crate) mod harness;

use crate::domain::user::User;
use crate::error::Error;
use crate::mail::Post;
use crate::store::totals::Totals;
use crate::{events, store};
use std::collections::HashMap;
use std::sync::Arc;
use stoa_credentials::PasswordHasher;
use stoa_db::{Db, Tx};
use stoa_feed::projections::{Settings, settings};
use stoa_feed::{EnvelopeBuilder, Origin, audit};
use stoa_policy::{AccessSettings, Action, Denied, Resource, Standing, require};
use stoa_proto::users::users_server;
use stoa_proto::{auth, users as pb};
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
    /// Told when a mail was queued.
    pub(crate) mailed: Arc<Notify>,
}

/// A password that was checked, with the account and the hash that it was checked against.
struct Checked {
    user: User,
    hash: String,
}

impl Cx {
    /// The settings that the caller was admitted with, or newer ones.
    async fn settings_for(&self, caller: &Caller) -> Result<AccessSettings, Error> {
        Ok(settings::access_of(&*self.all_settings_for(caller).await?))
    }

    /// The same, all of them.
    async fn all_settings_for(&self, caller: &Caller) -> Result<Arc<auth::Settings>, Error> {
        Ok(self.settings.at_least(caller.settings_version).await?)
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

    /// Checks `currentPassword`, outside of any transaction; the transaction that follows makes
    /// sure that the hash is still the one.
    async fn checked_password(
        &self,
        caller: &Caller,
        action: Action,
        settings: AccessSettings,
        password: String,
    ) -> Result<Checked, Error> {
        let found = store::users::user_and_password(&self.db, me(caller)?).await?;
        let (user, stored) = found.ok_or(Denied::Forbidden)?;
        let standing = standing(caller, settings, Some(&user));
        require(&caller.actor, action, &standing, &Resource::None)?;
        let verified = self.passwords.verify(password, stored.clone()).await?;
        let hash = stored.filter(|_| verified.ok);
        let hash = hash.ok_or(Error::WrongPassword)?;
        Ok(Checked { user, hash })
    }

    /// Stores the next version of an account and tells of it, unless nothing changed.
    async fn update(
        &self,
        tx: &Tx,
        caller: &Caller,
        old: &User,
        new: &User,
        settings: AccessSettings,
    ) -> Result<(), Error> {
        if old.version == new.version {
            return Ok(());
        }
        store::users::replace(tx, new).await?;
        self.emit(tx, caller, events::updated(old, new, settings))
            .await
    }

    /// Queues mails in a transaction; [`Cx::mail_queued`] follows its commit.
    fn post<'a>(&'a self, tx: &'a Tx) -> Post<'a> {
        Post {
            tx,
            now: self.clock.now(),
            entropy: &*self.entropy,
        }
    }

    /// Wakes the job that sends mails.
    fn mail_queued(&self) {
        self.mailed.notify_one();
    }

    /// Writes the envelope of a change.
    async fn emit(&self, tx: &Tx, caller: &Caller, envelope: EnvelopeBuilder) -> Result<(), Error> {
        let envelope = envelope.build(&Origin::of(caller), self.clock.now(), &*self.entropy);
        Ok(stoa_feed::emit(tx, [envelope]).await?)
    }

    /// Writes down an operator's command about a user that changed nothing.
    async fn note(
        &self,
        tx: &Tx,
        caller: &Caller,
        id: UserId,
        reason: Option<String>,
    ) -> Result<(), Error> {
        let (id, now) = (id.to_string(), self.clock.now());
        let about = [id.clone()];
        let origin = Origin::of(caller);
        let recorded = audit::recorded(&origin, "user", &id, reason, &about, now, &*self.entropy);
        Ok(stoa_feed::emit(tx, recorded).await?)
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

    async fn change_email(&self, request: Request<pb::ChangeEmailRequest>) -> Answer<pb::User> {
        unary(request, |caller, message| {
            change_email::change_email(&self.0, caller, message)
        })
        .await
    }

    async fn verify_current_email(
        &self,
        request: Request<pb::VerifyCurrentEmailRequest>,
    ) -> Answer<pb::User> {
        unary(request, |caller, message| {
            verify_current_email::verify_current_email(&self.0, caller, message)
        })
        .await
    }

    async fn send_verification_email(
        &self,
        request: Request<pb::SendVerificationEmailRequest>,
    ) -> Answer<pb::User> {
        unary(request, |caller, message| {
            send_verification_email::send_verification_email(&self.0, caller, message)
        })
        .await
    }

    async fn request_password_reset(
        &self,
        request: Request<pb::RequestPasswordResetRequest>,
    ) -> Answer<pb::PasswordReset> {
        unary(request, |caller, message| {
            request_password_reset::request_password_reset(&self.0, caller, message)
        })
        .await
    }

    async fn reset_password(
        &self,
        request: Request<pb::ResetPasswordRequest>,
    ) -> Answer<pb::PasswordReset> {
        unary(request, |caller, message| {
            reset_password::reset_password(&self.0, caller, message)
        })
        .await
    }

    async fn verify_email(&self, request: Request<pb::VerifyUserEmailRequest>) -> Answer<pb::User> {
        unary(request, |caller, message| {
            verify_email::verify_email(&self.0, caller, message)
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
