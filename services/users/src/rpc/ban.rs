//! An operator bans a user. What follows elsewhere (sessions, listings) follows the event.

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

pub(super) async fn ban(
    cx: &Cx,
    caller: Caller,
    request: pb::UserCommandRequest,
) -> Result<pb::User, Error> {
    let id = user_id(SourceKind::Body, &request.id)?;
    let settings = cx.settings_for(&caller).await?;
    let caller = &caller;
    let user = cx
        .db
        .write(|tx| async move {
            let user = store::users::user_locked(&tx, id).await?;
            let resource = user.as_ref().map_or(Resource::None, User::resource);
            let standing = standing(caller, settings, None);
            require(&caller.actor, Action::BanUser, &standing, &resource)?;
            let user = user.ok_or(Error::UserNotFound)?;
            let banned = user.banned()?;
            store::users::replace(&tx, &banned).await?;
            cx.emit(&tx, caller, events::banned(&user, &banned, settings))
                .await?;
            Ok::<_, Error>(banned)
        })
        .await?;
    Ok(view::full(&user, settings))
}
