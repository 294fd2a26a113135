//! Listings that other resources refer to: closed ones in full, deleted ones as a marker, drafts
//! not at all but for integrations and operators. Unknown ids are left out.

use crate::core::Core;
use crate::domain::{Listing, State};
use crate::error::Error;
use crate::store;
use stoa_policy::view::{View, of_related};
use stoa_policy::{Action, Resource, require};
use stoa_proto::listings as pb;
use stoa_rpc::Caller;
use stoa_types::id::ListingId;
use stoa_types::{Problem, SourceKind};

/// More than one page of anything refers to.
const MAX_IDS: usize = 1000;

pub(super) async fn batch_get(
    core: &Core,
    caller: Caller,
    request: pb::BatchGetListingsRequest,
) -> Result<pb::BatchGetListingsResponse, Error> {
    let ids: Result<Vec<ListingId>, _> = request.ids.iter().map(|id| id.parse()).collect();
    let ids = ids.ok().filter(|ids| ids.len() <= MAX_IDS).ok_or_else(|| {
        Problem::invalid_value(
            SourceKind::Query,
            vec!["ids".into()],
            "must be at most 1000 ids",
        )
    })?;
    let standing = core.standings.for_read(&caller).await?;
    let action = Action::RelatedListings;
    require(
        &caller.actor,
        action,
        &standing.as_standing(),
        &Resource::None,
    )?;
    let view = of_related(&caller.actor);
    let related =
        |listing: &Listing| listing.deleted || view == View::Full || listing.state != State::Draft;
    let listings = match ids.is_empty() {
        true => Vec::new(),
        false => store::listings_by_id(&core.db, ids).await?,
    };
    Ok(pb::BatchGetListingsResponse {
        listings: listings
            .iter()
            .filter(|listing| related(listing))
            .map(|listing| crate::message::encode(listing, view))
            .collect(),
    })
}
