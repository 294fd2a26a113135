//! The caller changes the own password: every other session dies in the same transaction.

use super::fields::Fields;
use super::{Cx, me, standing};
use crate::domain::view;
use crate::error::Error;
use crate::{events, store};
use stoa_policy::{Action, Denied, Resource, require};
use stoa_proto::users as pb;
use stoa_rpc::Caller;

pub(super) async fn change_password(
    cx: &Cx,
    caller: Caller,
    request: pb::ChangePasswordRequest,
) -> Result<pb::User, Error> {
    let id = me(&caller)?;
    let mut fields = Fields::of_body();
    let password = fields.new_password("newPassword", request.new_password);
    fields.finish()?;
    let password = password.ok_or(Error::WrongPassword)?;
    let settings = cx.settings_for(&caller).await?;
    let checked = cx
        .checked_password(
            &caller,
            Action::ChangePassword,
            settings,
            request.current_password,
        )
        .await?;
    let hash = cx.passwords.hash(password.into_text()).await?;
    let (caller, checked, hash) = (&caller, checked.as_str(), hash.as_str());
    let user = cx
        .db
        .write(|tx| async move {
            let user = store::users::user_locked(&tx, id).await?;
            let standing = standing(caller, settings, user.as_ref());
            require(
                &caller.actor,
                Action::ChangePassword,
                &standing,
                &Resource::None,
            )?;
            let user = user.ok_or(Denied::Forbidden)?;
            if !store::users::replace_password(&tx, id, checked, hash).await? {
                // Somebody changed it in the meantime: what was checked is not the password.
                return Err(Error::WrongPassword);
            }
            let next = user.with_new_password(caller.actor.session);
            store::users::replace(&tx, &next).await?;
            cx.emit(&tx, caller, events::epoch_raised(&next)).await?;
            Ok(next)
        })
        .await?;
    Ok(view::current(&user, settings))
}
