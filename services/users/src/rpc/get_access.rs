//! State, permissions and epoch of one user, for gateways and services.

use super::Cx;
use super::fields::user_id;
use crate::domain::view;
use crate::error::Error;
use stoa_policy::{Action, Resource, require};
use stoa_proto::users as pb;
use stoa_rpc::Caller;
use stoa_types::SourceKind;

pub(super) async fn get_access(
    cx: &Cx,
    caller: Caller,
    request: pb::GetAccessRequest,
) -> Result<pb::UserAccess, Error> {
    let id = user_id(SourceKind::Query, &request.user_id)?;
    let loaded = cx.load(&caller, &[id]).await?;
    let standing = loaded.standing(&caller, cx.settings_if_known());
    require(
        &caller.actor,
        Action::UserAccess,
        &standing,
        &Resource::None,
    )?;
    Ok(view::access(loaded.get(id).ok_or(Error::NotFound)?))
}
