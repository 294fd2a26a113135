//! Makes a listing for any author, by an integration or operator. The marketplace's settings for
//! authors do not count here; the author must exist and not be banned.

use super::decode::listing_for;
use crate::core::Core;
use crate::error::Error;
use crate::store;
use stoa_feed::projections::actors;
use stoa_feed::{Origin, emit};
use stoa_policy::view::of_owned;
use stoa_policy::{Action, Resource, UserAccess, UserState, require};
use stoa_proto::listings as pb;
use stoa_rpc::Caller;
use stoa_types::id::ListingId;

pub(super) async fn create(
    core: &Core,
    caller: Caller,
    request: pb::CreateListingRequest,
) -> Result<pb::Listing, Error> {
    let has_images = request
        .fields
        .as_ref()
        .is_some_and(|f| !f.image_ids.is_empty());
    let (author, state, fields) = listing_for(request)?;
    core.standings.prepare(&caller).await?;
    // Asked before the write: whoever is unknown here may be a new user.
    check_author(core.standings.actors().known(author).await?.as_ref())?;
    let id = ListingId::random(&*core.entropy);
    let (now, origin) = (core.clock.now(), Origin::of(&caller));
    let (fields, origin, caller) = (&fields, &origin, &caller);
    let work = core.db.write(|tx| async move {
        let standing = core.standings.for_write(&tx, caller).await?;
        // Under the author's lock, as every write that gives the author something.
        let access = actors::read_for_write(&tx, author).await?;
        let version = store::actor_version(&tx, author).await?;
        require(
            &caller.actor,
            Action::CreateListing,
            &standing.as_standing(),
            &Resource::None,
        )?;
        let author_state = check_author(access.as_ref())?;
        if has_images {
            return Err(Error::ImageInvalid);
        }
        let listing = fields.clone().into_listing(id, author, state, now);
        store::insert(&tx, &listing).await?;
        emit(&tx, [core.events(origin).created(&listing)]).await?;
        Ok((listing, version, author_state))
    });
    let (listing, version, author_state) = work.await?;
    // The author may have been asked for just now, without an event.
    core.index
        .hide_author(author, version, author_state != UserState::Active);
    core.committed(&listing);
    Ok(crate::message::encode(
        &listing,
        of_owned(&caller.actor, author),
    ))
}

fn check_author(access: Option<&UserAccess>) -> Result<UserState, Error> {
    match access.map(|access| access.state) {
        None | Some(UserState::Deleted) => Err(Error::UserNotFound),
        Some(UserState::Banned) => Err(Error::UserIsBanned),
        Some(state @ (UserState::Active | UserState::PendingApproval)) => Ok(state),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_policy::Permissions;

    #[test]
    fn an_author_exists_and_is_not_banned() {
        let access = |state| UserAccess {
            state,
            epoch: 0,
            except_session: None,
            permissions: Permissions::ALL,
        };
        let check = |state| check_author(Some(&access(state)));
        assert!(check(UserState::Active).is_ok());
        assert!(check(UserState::PendingApproval).is_ok());
        assert!(matches!(check(UserState::Banned), Err(Error::UserIsBanned)));
        assert!(matches!(
            check(UserState::Deleted),
            Err(Error::UserNotFound)
        ));
        assert!(matches!(check_author(None), Err(Error::UserNotFound)));
    }
}
