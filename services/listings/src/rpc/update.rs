//! Changes fields of a listing, by its author or for the marketplace. Its state stays.

use super::change::change;
use super::decode::{body_id, changes};
use crate::core::Core;
use crate::error::Error;
use stoa_policy::Action;
use stoa_proto::listings as pb;
use stoa_rpc::Caller;
use stoa_types::Problems;

pub(super) async fn update(
    core: &Core,
    caller: Caller,
    request: pb::UpdateListingRequest,
) -> Result<pb::Listing, Error> {
    let id = body_id(&request.id);
    let has_images = request
        .image_ids
        .as_ref()
        .is_some_and(|list| !list.ids.is_empty());
    let changes = changes(request, !caller.actor.level.is_user());
    let (id, changes) = match (id, changes) {
        (Ok(id), Ok(changes)) => (id, changes),
        (id, changes) => {
            let mut all = Vec::from_iter(id.err());
            all.extend(
                changes
                    .err()
                    .iter()
                    .flat_map(|p| p.as_slice().iter().cloned()),
            );
            return Err(Problems::check(all)
                .err()
                .map_or(Error::Conflict, Error::Invalid));
        }
    };
    change(core, &caller, id, Action::UpdateListing, |listing, _| {
        if has_images {
            return Err(Error::ImageInvalid);
        }
        Ok(listing.update(&changes)?)
    })
    .await
}
