//! `own_listings/*`: the caller's own listings. `open` and `close` serve the Integration API too,
//! where the same commands work on anyone's.

use crate::call::Call;
use crate::render::{Answer, Resource};
use stoa_codec::Value;
use stoa_codec::params::{Body, Given};
use stoa_proto::listings::{
    CreateOwnListingRequest, IdList, LatLngPatch, Listing, ListingCommandRequest, ListingFields,
    MoneyPatch, ShowListingRequest, UpdateListingRequest,
};
use stoa_proto::types::TextPatch;
use stoa_rpc::Problems;
use stoa_types::{ExtendedData, LatLng, Money};
use uuid::Uuid;

/// One own listing in any state.
pub(crate) async fn show(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let id = call.required_id("id");
    call.finish()?;
    let mut listings = call.gateway.peers().listings();
    let request = call.credentials.request(ShowListingRequest { id });
    let listing = Call::ask(listings.show_own(request)).await?;
    Ok(Answer::one(Resource::Listing(listing), show))
}

/// Own listings in every state; unknown parameters are ignored.
pub(crate) async fn query(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let mut message = super::listings::search(&mut call);
    message.author_id = None;
    call.finish_ignoring_unknown()?;
    let mut listings = call.gateway.peers().listings();
    let found = Call::ask(listings.query_own(call.credentials.request(message))).await?;
    Ok(Answer::many(
        found.listings.into_iter().map(Resource::Listing),
        found.meta,
        show,
    ))
}

/// A new listing on the market.
pub(crate) async fn create(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let fields = Some(new_fields(&mut call.body, false));
    call.finish()?;
    let mut listings = call.gateway.peers().listings();
    let request = call.credentials.request(CreateOwnListingRequest { fields });
    let listing = Call::ask(listings.create_own(request)).await?;
    Ok(Answer::command(Resource::Listing(listing), show))
}

/// A new draft.
pub(crate) async fn create_draft(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let fields = Some(new_fields(&mut call.body, false));
    call.finish()?;
    let mut listings = call.gateway.peers().listings();
    let request = call.credentials.request(CreateOwnListingRequest { fields });
    let listing = Call::ask(listings.create_draft(request)).await?;
    Ok(Answer::command(Resource::Listing(listing), show))
}

/// Changes of a listing.
pub(crate) async fn update(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let message = changes(&mut call, false);
    call.finish()?;
    let mut listings = call.gateway.peers().listings();
    let listing = Call::ask(listings.update(call.credentials.request(message))).await?;
    Ok(Answer::command(Resource::Listing(listing), show))
}

/// A draft goes on the market.
pub(crate) async fn publish_draft(call: Call) -> Result<Answer, Problems> {
    by_id(call, |mut listings, request| async move {
        listings.publish_draft(request).await
    })
    .await
}

/// A draft is thrown away; the answer is always its reference.
pub(crate) async fn discard_draft(call: Call) -> Result<Answer, Problems> {
    let answer = by_id(call, |mut listings, request| async move {
        listings.discard_draft(request).await
    })
    .await?;
    Ok(answer.reference_only())
}

/// A closed listing comes back.
pub(crate) async fn open(call: Call) -> Result<Answer, Problems> {
    by_id(call, |mut listings, request| async move {
        listings.open(request).await
    })
    .await
}

/// A listing goes off the market.
pub(crate) async fn close(call: Call) -> Result<Answer, Problems> {
    by_id(call, |mut listings, request| async move {
        listings.close(request).await
    })
    .await
}

/// A command that takes an `id` and nothing else.
pub(crate) async fn by_id<F, Fut>(mut call: Call, command: F) -> Result<Answer, Problems>
where
    F: FnOnce(crate::service::Listings, tonic::Request<ListingCommandRequest>) -> Fut,
    Fut: Future<Output = Result<tonic::Response<Listing>, tonic::Status>>,
{
    let show = call.presentation();
    let id = call.body_id("id");
    call.finish()?;
    let request = call.credentials.request(ListingCommandRequest { id });
    let listing = Call::ask(command(call.gateway.peers().listings(), request)).await?;
    Ok(Answer::command(Resource::Listing(listing), show))
}

/// The fields of a new listing; `metadata` only where the API has it.
pub(crate) fn new_fields(body: &mut Body, metadata: bool) -> ListingFields {
    let data = |given: Given<ExtendedData>| given.value().map(|data| data.to_json());
    ListingFields {
        title: body.required("title").unwrap_or_default(),
        description: body.nullable("description").value(),
        geolocation: body
            .nullable::<LatLng>("geolocation")
            .value()
            .map(Into::into),
        price: body.nullable::<Money>("price").value().map(Into::into),
        availability_plan: plan(body).value(),
        public_data: data(body.nullable("publicData")),
        private_data: data(body.nullable("privateData")),
        metadata: if metadata {
            data(body.nullable("metadata"))
        } else {
            None
        },
        image_ids: image_ids(body).unwrap_or_default(),
    }
}

/// The changes of an update; `metadata` only where the API has it.
pub(crate) fn changes(call: &mut Call, metadata: bool) -> UpdateListingRequest {
    let id = call.body_id("id");
    let body = &mut call.body;
    let data = |given: Option<ExtendedData>| given.map(|data| data.to_json());
    UpdateListingRequest {
        id,
        title: body.optional("title"),
        description: patch(body.nullable("description"), |value| TextPatch { value }),
        geolocation: patch(body.nullable::<LatLng>("geolocation"), |value| {
            LatLngPatch {
                value: value.map(Into::into),
            }
        }),
        price: patch(body.nullable::<Money>("price"), |value| MoneyPatch {
            value: value.map(Into::into),
        }),
        availability_plan: patch(plan(body), |value| TextPatch { value }),
        public_data: data(body.optional("publicData")),
        private_data: data(body.optional("privateData")),
        metadata: if metadata {
            data(body.optional("metadata"))
        } else {
            None
        },
        image_ids: image_ids(body).map(|ids| IdList { ids }),
    }
}

/// Absent stays, null clears, a value sets.
pub(crate) fn patch<T, P>(given: Given<T>, make: impl FnOnce(Option<T>) -> P) -> Option<P> {
    match given {
        Given::Absent => None,
        Given::Null => Some(make(None)),
        Given::Value(value) => Some(make(Some(value))),
    }
}

fn plan(body: &mut Body) -> Given<String> {
    body.nullable::<Value>("availabilityPlan")
        .map(|plan| plan.to_json_text())
}

fn image_ids(body: &mut Body) -> Option<Vec<String>> {
    let ids: Option<Vec<Uuid>> = body.nullable("images").value();
    ids.map(|ids| ids.iter().map(ToString::to_string).collect())
}
