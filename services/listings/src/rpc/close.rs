//! Takes a listing off the market, by its author or for the marketplace. It stays readable for its
//! author and in existing transactions.

use super::change::change;
use super::decode::body_id;
use crate::core::Core;
use crate::error::Error;
use stoa_policy::Action;
use stoa_proto::listings as pb;
use stoa_rpc::Caller;

pub(super) async fn close(
    core: &Core,
    caller: Caller,
    request: pb::ListingCommandRequest,
) -> Result<pb::Listing, Error> {
    let id = body_id(&request.id)?;
    change(core, &caller, id, Action::CloseListing, |listing, _| {
        Ok(Some(listing.close()?))
    })
    .await
}
