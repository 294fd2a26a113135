//! `listings/*`: what the marketplace shows.

use crate::call::Call;
use crate::render::{Answer, Resource};
use stoa_codec::params::LatLngBounds;
use stoa_proto::listings::{Bounds, DataFilter, IdList, QueryListingsRequest, ShowListingRequest};
use stoa_rpc::{Problem, Problems};
use stoa_types::LatLng;

/// One listing, in the form that the caller may see.
pub(crate) async fn show(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let id = call.required_id("id");
    call.finish()?;
    let mut listings = call.gateway.peers().listings();
    let listing =
        Call::ask(listings.show(call.credentials.request(ShowListingRequest { id }))).await?;
    Ok(Answer::one(Resource::Listing(listing), show))
}

/// Search over published listings; unknown parameters are ignored.
pub(crate) async fn query(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let mut message = search(&mut call);
    // The public sees published listings only, whatever a search page passes on.
    message.states.clear();
    call.finish_ignoring_unknown()?;
    let mut listings = call.gateway.peers().listings();
    let found = Call::ask(listings.query(call.credentials.request(message))).await?;
    Ok(Answer::many(
        found.listings.into_iter().map(Resource::Listing),
        found.meta,
        show,
    ))
}

/// The parameters of every listing search.
pub(crate) fn search(call: &mut Call) -> QueryListingsRequest {
    let mut filters = Vec::new();
    for prefix in ["pub", "meta"] {
        for (key, value) in call.query.with_prefix(&format!("{prefix}_")) {
            filters.push(DataFilter {
                prefix: prefix.to_owned(),
                key,
                value,
            });
        }
    }
    if filters.len() > 20 {
        call.query
            .refuse(Problem::invalid_params("there may be at most 20 filters"));
    }
    let bounds: Option<LatLngBounds> = call.optional("bounds");
    let origin: Option<LatLng> = call.optional("origin");
    QueryListingsRequest {
        page: Some(call.page()),
        ids: call.ids("ids").map(|ids| IdList { ids }),
        author_id: call.optional_id("authorId"),
        states: call.words("states"),
        keywords: call
            .optional::<String>("keywords")
            .filter(|words| !words.is_empty()),
        origin: origin.map(Into::into),
        bounds: bounds.map(|b| Bounds {
            ne: Some(b.ne.into()),
            sw: Some(b.sw.into()),
        }),
        price: call
            .optional::<String>("price")
            .filter(|range| !range.is_empty()),
        created_at_start_ms: call.instant("createdAtStart"),
        created_at_end_ms: call.instant("createdAtEnd"),
        filters,
        sort: call.words("sort"),
    }
}
