//! An operator deletes a user for good.

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

pub(super) async fn delete(
    cx: &Cx,
    caller: Caller,
    request: pb::UserCommandRequest,
) -> Result<pb::User, Error> {
    let id = user_id(SourceKind::Body, &request.id)?;
    let settings = cx.settings_for(&caller).await?;
    let texts = cx.settings.blanks_texts()?;
    let (caller, reason) = (&caller, &request.reason);
    let gone = cx
        .db
        .write(|tx| async move {
            let user = store::users::user_locked(&tx, id).await?;
            let resource = user.as_ref().map_or(Resource::None, User::resource);
            let standing = standing(caller, settings, None);
            require(&caller.actor, Action::DeleteUser, &standing, &resource)?;
            let user = user.ok_or(Error::UserNotFound)?;
            let gone = user.deleted()?;
            store::erasures::erase(&tx, &gone, cx.clock.now()).await?;
            let told = events::deleted(&user, &gone, texts).reason(reason.clone());
            cx.emit(&tx, caller, told).await?;
            Ok::<_, Error>(gone)
        })
        .await?;
    cx.erased.notify_one();
    Ok(view::full(&gone, settings))
}
