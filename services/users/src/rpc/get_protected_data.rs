//! The profile data that a process may reveal to the other party. Of a deleted user there is none.

use super::Cx;
use super::fields::user_id;
use crate::error::Error;
use stoa_policy::{Action, Resource, require};
use stoa_proto::users as pb;
use stoa_rpc::Caller;
use stoa_types::{ExtendedData, SourceKind};

pub(super) async fn get_protected_data(
    cx: &Cx,
    caller: Caller,
    request: pb::GetProtectedDataRequest,
) -> Result<pb::GetProtectedDataResponse, Error> {
    let id = user_id(SourceKind::Query, &request.user_id)?;
    let loaded = cx.load(&caller, &[id]).await?;
    let standing = loaded.standing(&caller, cx.settings_if_known());
    require(
        &caller.actor,
        Action::ProtectedData,
        &standing,
        &Resource::None,
    )?;
    let user = loaded.get(id).ok_or(Error::NotFound)?;
    let nothing = ExtendedData::empty();
    let data = user
        .account
        .as_ref()
        .map(|account| &account.profile.data.protected);
    Ok(pb::GetProtectedDataResponse {
        protected_data: data.unwrap_or(&nothing).to_json(),
    })
}
