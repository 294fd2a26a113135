//! The way that all commands on one listing go: load, authorize, decide, store, emit.

use crate::core::{Core, resource};
use crate::domain::Listing;
use crate::error::Error;
use crate::store;
use stoa_db::DbError;
use stoa_feed::{Origin, OwnedStanding, audit, emit};
use stoa_policy::view::of_owned;
use stoa_policy::{Action, require};
use stoa_proto::listings as pb;
use stoa_rpc::Caller;
use stoa_types::id::ListingId;

/// Changes a listing by `decide`, which gives its next version, or nothing when there is nothing
/// to change. Answers with the listing in the caller's view.
pub(super) async fn change(
    core: &Core,
    caller: &Caller,
    id: ListingId,
    action: Action,
    decide: impl Fn(&Listing, &OwnedStanding) -> Result<Option<Listing>, Error> + Send + Sync,
) -> Result<pb::Listing, Error> {
    core.standings.prepare(caller).await?;
    let origin = Origin::of(caller);
    let (origin, decide) = (&origin, &decide);
    let work = core.db.write(|tx| async move {
        let standing = core.standings.for_write(&tx, caller).await?;
        let old = store::listing(&tx, id)
            .await?
            .filter(|listing| !listing.deleted);
        let old = old.ok_or(Error::ListingNotFound)?;
        require(
            &caller.actor,
            action,
            &standing.as_standing(),
            &resource(&old, None),
        )?;
        let Some(next) = decide(&old, &standing)? else {
            // An operator's command is written down although it changed nothing.
            let (listing, about) = (id.to_string(), [old.author.to_string()]);
            let (now, entropy) = (core.clock.now(), &*core.entropy);
            emit(
                &tx,
                audit::recorded(origin, "listing", &listing, None, &about, now, entropy),
            )
            .await?;
            return Ok((old, false));
        };
        store::replace(&tx, &next)
            .await
            .map_err(|error| match error {
                DbError::RowCount { .. } => Error::Conflict,
                other => other.into(),
            })?;
        emit(&tx, [core.events(origin).changed(&old, &next)]).await?;
        Ok::<_, Error>((next, true))
    });
    let (listing, changed) = work.await?;
    if changed {
        core.committed(&listing);
    }
    let view = of_owned(&caller.actor, listing.author);
    Ok(crate::message::encode(&listing, view))
}
