//! The caller's own account, also while banned.

use super::{Cx, me};
use crate::domain::view;
use crate::error::Error;
use stoa_policy::{Action, Denied, Resource, require};
use stoa_proto::users as pb;
use stoa_rpc::Caller;

pub(super) async fn show_current(
    cx: &Cx,
    caller: Caller,
    _: pb::ShowCurrentUserRequest,
) -> Result<pb::User, Error> {
    let id = me(&caller)?;
    let settings = cx.settings_for(&caller).await?;
    let loaded = cx.load(&caller, &[id]).await?;
    let standing = loaded.standing(&caller, settings);
    require(
        &caller.actor,
        Action::ShowCurrentUser,
        &standing,
        &Resource::None,
    )?;
    let user = loaded.get(id).ok_or(Denied::Forbidden)?;
    Ok(view::current(user, settings))
}
