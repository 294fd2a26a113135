//! Makes a listing of the caller: on the market, or waiting for approval where the marketplace
//! asks for it.

use super::decode::own_listing;
use crate::core::Core;
use crate::domain::State;
use crate::domain::lifecycle::first_public_state;
use crate::error::Error;
use crate::store;
use stoa_feed::{Origin, OwnedStanding, emit};
use stoa_policy::view::of_owned;
use stoa_policy::{Action, Denied, Resource, require};
use stoa_proto::listings as pb;
use stoa_rpc::Caller;
use stoa_types::id::ListingId;

pub(super) async fn create_own(
    core: &Core,
    caller: Caller,
    request: pb::CreateOwnListingRequest,
) -> Result<pb::Listing, Error> {
    create_in(
        core,
        &caller,
        request,
        Action::CreateOwnListing,
        |standing| first_public_state(standing.settings.require_approval_to_publish),
    )
    .await
}

/// Makes a listing of the caller in the state that `state` gives.
pub(super) async fn create_in(
    core: &Core,
    caller: &Caller,
    request: pb::CreateOwnListingRequest,
    action: Action,
    state: impl Fn(&OwnedStanding) -> State + Send + Sync,
) -> Result<pb::Listing, Error> {
    let has_images = request
        .fields
        .as_ref()
        .is_some_and(|f| !f.image_ids.is_empty());
    let fields = own_listing(request.fields)?;
    let author = caller.actor.user.ok_or(Denied::Forbidden)?;
    core.standings.prepare(caller).await?;
    let id = ListingId::random(&*core.entropy);
    let (now, origin) = (core.clock.now(), Origin::of(caller));
    let (fields, origin, state) = (&fields, &origin, &state);
    let work = core.db.write(|tx| async move {
        let standing = core.standings.for_write(&tx, caller).await?;
        require(
            &caller.actor,
            action,
            &standing.as_standing(),
            &Resource::None,
        )?;
        if has_images {
            return Err(Error::ImageInvalid);
        }
        let listing = fields
            .clone()
            .into_listing(id, author, state(&standing), now);
        store::insert(&tx, &listing).await?;
        emit(&tx, [core.events(origin).created(&listing)]).await?;
        Ok(listing)
    });
    let listing = work.await?;
    core.committed(&listing);
    Ok(crate::message::encode(
        &listing,
        of_owned(&caller.actor, author),
    ))
}
