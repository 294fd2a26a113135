//! Throws a draft away: it is deleted for good.

use super::change::change;
use super::decode::body_id;
use crate::core::Core;
use crate::error::Error;
use stoa_policy::Action;
use stoa_proto::listings as pb;
use stoa_rpc::Caller;

pub(super) async fn discard_draft(
    core: &Core,
    caller: Caller,
    request: pb::ListingCommandRequest,
) -> Result<pb::Listing, Error> {
    let id = body_id(&request.id)?;
    change(core, &caller, id, Action::DiscardDraft, |listing, _| {
        Ok(Some(listing.discard()?))
    })
    .await
}
