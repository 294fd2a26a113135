//! Searches the caller's own listings. They come from the store, so that an author sees each own
//! change at once, wherever it was made.

use crate::core::Core;
use crate::domain::Listing;
use crate::error::Error;
use crate::search::parse::parse;
use crate::search::{Audience, Hits, MemoryIndex, Query, SearchIndex as _};
use crate::store;
use std::collections::HashMap;
use stoa_policy::view::View;
use stoa_policy::{Action, Denied, Resource, require};
use stoa_proto::listings as pb;
use stoa_rpc::Caller;
use stoa_types::id::{ListingId, UserId};

pub(super) async fn query_own(
    core: &Core,
    caller: Caller,
    request: pb::QueryListingsRequest,
) -> Result<pb::QueryListingsResponse, Error> {
    let standing = core.standings.for_read(&caller).await?;
    let action = Action::QueryOwnListings;
    require(
        &caller.actor,
        action,
        &standing.as_standing(),
        &Resource::None,
    )?;
    let author = caller.actor.user.ok_or(Denied::Forbidden)?;
    let (mut query, page) = parse(&request, Audience::Insider, &core.index.schemas())?;
    query.author = None;
    let (listings, total) = if is_plain(&query) {
        let states = query.states.as_deref();
        store::own_page(&core.db, author, states, query.offset, query.limit).await?
    } else {
        search(core, author, &query).await?
    };
    let encode = |listing| crate::message::encode(listing, View::Own);
    Ok(pb::QueryListingsResponse {
        listings: listings.iter().map(encode).collect(),
        meta: Some(page.meta(total)),
    })
}

/// Whether the query is one that pages of rows can answer.
fn is_plain(query: &Query) -> bool {
    query.ids.is_none()
        && query.words.is_none()
        && query.origin.is_none()
        && query.bounds.is_none()
        && query.price.is_none()
        && query.created_at.is_none()
        && query.filters.is_empty()
        && query.sort.is_empty()
}

/// Answers any other query by an index of its own over the author's few listings.
async fn search(core: &Core, author: UserId, query: &Query) -> Result<(Vec<Listing>, u64), Error> {
    let listings = store::live_of_author(&core.db, author).await?;
    let index = MemoryIndex::new(core.index.schemas());
    for listing in &listings {
        index.apply(listing);
    }
    let Hits { page, total } = index.query(query);
    let mut by_id: HashMap<ListingId, Listing> = listings
        .into_iter()
        .map(|listing| (listing.id, listing))
        .collect();
    let page = page
        .iter()
        .filter_map(|hit| by_id.remove(&hit.id))
        .collect();
    Ok((page, total))
}
