//! `listings/*` of the Integration API.

use crate::call::Call;
use crate::endpoints::marketplace_api::listings::search;
use crate::endpoints::marketplace_api::own_listings::{by_id, changes, new_fields};
use crate::render::{Answer, Resource};
use stoa_codec::params::Name;
use stoa_proto::listings::CreateListingRequest;
use stoa_rpc::Problems;

/// Search over listings in every state.
pub(crate) async fn query(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let message = search(&mut call);
    call.finish()?;
    let mut listings = call.gateway.peers().listings();
    let found = Call::ask(listings.query(call.credentials.request(message))).await?;
    Ok(Answer::many(
        found.listings.into_iter().map(Resource::Listing),
        found.meta,
        show,
    ))
}

/// A listing for any author.
pub(crate) async fn create(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let message = CreateListingRequest {
        fields: Some(new_fields(&mut call.body, true)),
        author_id: call.body_id("authorId"),
        state: call
            .body
            .required::<Name>("state")
            .map(|name| name.0)
            .unwrap_or_default(),
    };
    call.finish()?;
    let mut listings = call.gateway.peers().listings();
    let listing = Call::ask(listings.create(call.credentials.request(message))).await?;
    Ok(Answer::command(Resource::Listing(listing), show))
}

/// Changes of anyone's listing.
pub(crate) async fn update(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let message = changes(&mut call, true);
    call.finish()?;
    let mut listings = call.gateway.peers().listings();
    let listing = Call::ask(listings.update(call.credentials.request(message))).await?;
    Ok(Answer::command(Resource::Listing(listing), show))
}

/// A listing that waits for approval gets it.
pub(crate) async fn approve(call: Call) -> Result<Answer, Problems> {
    by_id(call, |mut listings, request| async move {
        listings.approve(request).await
    })
    .await
}
