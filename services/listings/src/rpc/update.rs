//! Changes fields of a listing, by its author or for the marketplace. Its state stays.

use super::change::change;
use super::decode::changes;
use crate::core::Core;
use crate::error::Error;
use stoa_policy::Action;
use stoa_proto::listings as pb;
use stoa_rpc::Caller;

pub(super) async fn update(
    core: &Core,
    caller: Caller,
    request: pb::UpdateListingRequest,
) -> Result<pb::Listing, Error> {
    let has_images = request
        .image_ids
        .as_ref()
        .is_some_and(|list| !list.ids.is_empty());
    let (id, changes) = changes(request, !caller.actor.level.is_user())?;
    change(core, &caller, id, Action::UpdateListing, |listing, _| {
        if has_images {
            return Err(Error::ImageInvalid);
        }
        Ok(listing.update(&changes)?)
    })
    .await
}
