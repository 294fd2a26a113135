//! Lets a listing that waits for approval on the market.

use super::change::change;
use super::decode::body_id;
use crate::core::Core;
use crate::error::Error;
use stoa_policy::Action;
use stoa_proto::listings as pb;
use stoa_rpc::Caller;

pub(super) async fn approve(
    core: &Core,
    caller: Caller,
    request: pb::ListingCommandRequest,
) -> Result<pb::Listing, Error> {
    let id = body_id(&request.id)?;
    change(core, &caller, id, Action::ApproveListing, |listing, _| {
        Ok(Some(listing.approve()?))
    })
    .await
}
