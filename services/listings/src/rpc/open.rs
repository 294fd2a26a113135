//! Puts a closed listing back on the market, by its author or for the marketplace.

use super::change::change;
use super::decode::body_id;
use crate::core::Core;
use crate::error::Error;
use stoa_policy::Action;
use stoa_proto::listings as pb;
use stoa_rpc::Caller;

pub(super) async fn open(
    core: &Core,
    caller: Caller,
    request: pb::ListingCommandRequest,
) -> Result<pb::Listing, Error> {
    let id = body_id(&request.id)?;
    change(core, &caller, id, Action::OpenListing, |listing, _| {
        Ok(Some(listing.open()?))
    })
    .await
}
