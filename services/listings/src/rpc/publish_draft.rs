//! Puts a draft on the market; where the marketplace asks for it, it waits for approval first.

use super::change::change;
use super::decode::body_id;
use crate::core::Core;
use crate::error::Error;
use stoa_policy::Action;
use stoa_proto::listings as pb;
use stoa_rpc::Caller;

pub(super) async fn publish_draft(
    core: &Core,
    caller: Caller,
    request: pb::ListingCommandRequest,
) -> Result<pb::Listing, Error> {
    let id = body_id(&request.id)?;
    change(
        core,
        &caller,
        id,
        Action::PublishDraft,
        |listing, standing| {
            let needs_approval = standing.settings.require_approval_to_publish;
            Ok(Some(listing.publish(needs_approval)?))
        },
    )
    .await
}
