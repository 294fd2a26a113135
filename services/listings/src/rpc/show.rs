//! Shows one listing: a published one to everybody, any to integrations and operators.

use super::decode::query_id;
use crate::core::{Core, resource};
use crate::error::Error;
use crate::store;
use stoa_policy::view::of_related;
use stoa_policy::{Action, require};
use stoa_proto::listings as pb;
use stoa_rpc::Caller;

pub(super) async fn show(
    core: &Core,
    caller: Caller,
    request: pb::ShowListingRequest,
) -> Result<pb::Listing, Error> {
    let id = query_id(&request.id)?;
    let standing = core.standings.for_read(&caller).await?;
    let found = store::shown(&core.db, id).await?;
    let (listing, author) = found.filter(|(l, _)| !l.deleted).ok_or(Error::NotFound)?;
    let on = resource(&listing, author);
    require(
        &caller.actor,
        Action::ShowListing,
        &standing.as_standing(),
        &on,
    )?;
    Ok(crate::message::encode(&listing, of_related(&caller.actor)))
}
