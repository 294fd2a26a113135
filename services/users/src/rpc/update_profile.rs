//! An integration or operator changes anyone's profile, metadata included.

use super::fields::{merge_refused, patch, user_id};
use super::{Cx, standing};
use crate::domain::user::User;
use crate::domain::view;
use crate::error::Error;
use crate::{events, store};
use stoa_policy::{Action, Resource, UserState, require};
use stoa_proto::users as pb;
use stoa_rpc::Caller;
use stoa_types::SourceKind;

pub(super) async fn update_profile(
    cx: &Cx,
    caller: Caller,
    request: pb::UpdateUserProfileRequest,
) -> Result<pb::User, Error> {
    let id = user_id(SourceKind::Body, &request.id)?;
    let patch = patch(request.patch.unwrap_or_default(), true)?;
    let settings = cx.settings_for(&caller).await?;
    let (caller, patch) = (&caller, &patch);
    let user = cx
        .db
        .write(|tx| async move {
            let user = store::users::user_locked(&tx, id).await?;
            let user = user.filter(|user| user.state() != UserState::Deleted);
            let resource = user.as_ref().map_or(Resource::None, User::resource);
            let standing = standing(caller, settings, None);
            require(
                &caller.actor,
                Action::UpdateUserProfile,
                &standing,
                &resource,
            )?;
            let user = user.ok_or(Error::UserNotFound)?;
            let next = user.with_profile(patch).map_err(merge_refused)?;
            if next.version != user.version {
                store::users::replace(&tx, &next).await?;
                cx.emit(&tx, caller, events::updated(&user, &next, settings))
                    .await?;
            }
            Ok::<_, Error>(next)
        })
        .await?;
    Ok(view::full(&user, settings))
}
