//! The caller changes the own profile.

use super::fields::{merge_refused, patch};
use super::{Cx, standing};
use crate::domain::view;
use crate::error::Error;
use crate::{events, store};
use stoa_policy::{Action, Denied, Resource, require};
use stoa_proto::users as pb;
use stoa_rpc::Caller;

pub(super) async fn update_current_profile(
    cx: &Cx,
    caller: Caller,
    request: pb::UpdateCurrentProfileRequest,
) -> Result<pb::User, Error> {
    let patch = patch(request.patch.unwrap_or_default(), false)?;
    let settings = cx.settings_for(&caller).await?;
    let (caller, patch) = (&caller, &patch);
    let user = cx
        .db
        .write(|tx| async move {
            let user = cx.caller_locked(&tx, caller).await?;
            let standing = standing(caller, settings, user.as_ref());
            require(
                &caller.actor,
                Action::UpdateCurrentProfile,
                &standing,
                &Resource::None,
            )?;
            let user = user.ok_or(Denied::Forbidden)?;
            let next = user.with_profile(patch).map_err(merge_refused)?;
            if next.version != user.version {
                store::users::replace(&tx, &next).await?;
                cx.emit(&tx, caller, events::updated(&user, &next, settings))
                    .await?;
            }
            Ok::<_, Error>(next)
        })
        .await?;
    Ok(view::current(&user, settings))
}
