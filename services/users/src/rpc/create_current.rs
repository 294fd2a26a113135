//! Sign-up with e-mail and password: account, address, password and event in one transaction. It
//! does not log in.

use super::fields::{Fields, merge_refused};
use super::{Cx, standing};
use crate::domain::profile::{Data, Profile};
use crate::domain::user::User;
use crate::domain::view;
use crate::error::Error;
use crate::{events, store};
use stoa_policy::{Action, Resource, require};
use stoa_proto::users as pb;
use stoa_rpc::Caller;
use stoa_types::id::UserId;

pub(super) async fn create_current(
    cx: &Cx,
    caller: Caller,
    request: pb::CreateCurrentUserRequest,
) -> Result<pb::User, Error> {
    let mut fields = Fields::of_body();
    let email = fields.email(&request.email);
    let password = fields.new_password("password", request.password);
    let first_name = fields.name("firstName", request.first_name);
    let last_name = fields.name("lastName", request.last_name);
    let display_name = fields.display_name(request.display_name);
    let bio = fields.bio(request.bio);
    let data = fields.data([
        request.public_data,
        request.protected_data,
        request.private_data,
        None,
    ]);
    fields.finish()?;
    let (Some(email), Some(password)) = (email, password) else {
        return Err(Error::Conflict);
    };
    let profile = Profile {
        first_name,
        last_name,
        display_name,
        bio,
        data: Data::default().merged(&data).map_err(merge_refused)?,
    };
    let settings = cx.settings_for(&caller).await?;
    let hash = cx.passwords.hash(password.into_text()).await?;
    let id = UserId::random(&*cx.entropy);
    let user = User::new(id, &email, profile, settings, cx.clock.now());
    let (caller, new, email, hash) = (&caller, &user, &email, hash.as_str());
    cx.db
        .write(|tx| async move {
            let actor = cx.caller_locked(&tx, caller).await?;
            let standing = standing(caller, settings, actor.as_ref());
            require(
                &caller.actor,
                Action::CreateCurrentUser,
                &standing,
                &Resource::None,
            )?;
            store::users::insert(&tx, new, hash).await?;
            if !store::addresses::take_primary(&tx, email.key(), new.id).await? {
                return Err(Error::EmailTaken);
            }
            cx.emit(&tx, caller, events::created(new, settings)).await
        })
        .await?;
    Ok(view::current(&user, settings))
}
