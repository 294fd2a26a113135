//! The caller deletes the own account: trusted token and password.

use super::{Cx, me, standing};
use crate::domain::view;
use crate::error::Error;
use crate::{events, store};
use stoa_policy::{Action, Denied, Resource, require};
use stoa_proto::users as pb;
use stoa_rpc::Caller;

pub(super) async fn delete_current(
    cx: &Cx,
    caller: Caller,
    request: pb::DeleteCurrentUserRequest,
) -> Result<pb::User, Error> {
    let id = me(&caller)?;
    let settings = cx.settings_for(&caller).await?;
    let checked = cx
        .checked_password(
            &caller,
            Action::DeleteCurrentUser,
            settings,
            request.current_password,
        )
        .await?;
    let (caller, checked) = (&caller, checked.as_str());
    let gone = cx
        .db
        .write(|tx| async move {
            let user = store::users::user_locked(&tx, id).await?;
            let standing = standing(caller, settings, user.as_ref());
            require(
                &caller.actor,
                Action::DeleteCurrentUser,
                &standing,
                &Resource::None,
            )?;
            let user = user.ok_or(Denied::Forbidden)?;
            if !store::users::has_password(&tx, id, checked).await? {
                return Err(Error::WrongPassword);
            }
            let gone = user.deleted()?;
            store::erasures::erase(&tx, &gone, cx.clock.now()).await?;
            cx.emit(&tx, caller, events::deleted(&user, &gone)).await?;
            Ok(gone)
        })
        .await?;
    cx.erased.notify_one();
    Ok(view::current(&gone, settings))
}
