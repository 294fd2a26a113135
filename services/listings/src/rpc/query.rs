//! Searches listings: published ones for everybody, all for integrations and operators.

use crate::core::Core;
use crate::domain::State;
use crate::error::Error;
use crate::search::Audience;
use crate::search::parse::parse;
use stoa_policy::view::{View, of_related};
use stoa_policy::{Action, Resource, require};
use stoa_proto::listings as pb;
use stoa_rpc::Caller;

pub(super) async fn query(
    core: &Core,
    caller: Caller,
    request: pb::QueryListingsRequest,
) -> Result<pb::QueryListingsResponse, Error> {
    let standing = core.standings.for_read(&caller).await?;
    let action = Action::QueryListings;
    require(
        &caller.actor,
        action,
        &standing.as_standing(),
        &Resource::None,
    )?;
    let view = of_related(&caller.actor);
    let audience = match view {
        View::Public => Audience::Public,
        View::Own | View::Full => Audience::Insider,
    };
    let (query, page) = parse(&request, audience, &core.index.schemas())?;
    let hits = core.index.query(&query);
    let listings = core.shown.page(&core.db, &hits.page).await?;
    // A row may be newer than the index.
    let visible = |state| audience == Audience::Insider || state == State::Published;
    Ok(pb::QueryListingsResponse {
        listings: listings
            .iter()
            .filter(|listing| visible(listing.state))
            .map(|listing| crate::message::encode(listing, view))
            .collect(),
        meta: Some(page.meta(hits.total)),
    })
}
