//! An operator ends a ban: the user is in the state from before it. Listings stay deleted.

use super::fields::user_id;
use super::{Cx, standing};
use crate::domain::user::User;
use crate::domain::view;
use crate::error::Error;
use crate::{events, store};
use stoa_policy::{Action, Resource, require};
use stoa_proto::users as pb;
use stoa_rpc::Caller;
use stoa_types::SourceKind;

pub(super) async fn unban(
    cx: &Cx,
    caller: Caller,
    request: pb::UserCommandRequest,
) -> Result<pb::User, Error> {
    let id = user_id(SourceKind::Body, &request.id)?;
    let settings = cx.settings_for(&caller).await?;
    let (caller, reason) = (&caller, &request.reason);
    let user = cx
        .db
        .write(|tx| async move {
            let user = store::users::user_locked(&tx, id).await?;
            let resource = user.as_ref().map_or(Resource::None, User::resource);
            let standing = standing(caller, settings, None);
            require(&caller.actor, Action::UnbanUser, &standing, &resource)?;
            let user = user.ok_or(Error::UserNotFound)?;
            let unbanned = user.unbanned()?;
            store::users::replace(&tx, &unbanned).await?;
            cx.emit(
                &tx,
                caller,
                events::unbanned(&user, &unbanned, settings).reason(reason.clone()),
            )
            .await?;
            Ok::<_, Error>(unbanned)
        })
        .await?;
    Ok(view::full(&user, settings))
}
