//! Makes a listing for any author, by an integration or operator. The marketplace's settings for
//! authors do not count here; the author must exist and not be banned.

use super::decode::fields;
use crate::core::Core;
use crate::domain::State;
use crate::error::Error;
use crate::store;
use stoa_feed::projections::actors;
use stoa_feed::{Origin, emit};
use stoa_policy::view::of_owned;
use stoa_policy::{Action, Resource, UserAccess, UserState, require};
use stoa_proto::listings as pb;
use stoa_rpc::Caller;
use stoa_types::id::{ListingId, UserId};
use stoa_types::{Problem, Problems, SourceKind};

pub(super) async fn create(
    core: &Core,
    caller: Caller,
    request: pb::CreateListingRequest,
) -> Result<pb::Listing, Error> {
    let mut problems = Vec::new();
    let author = read_author(&request.author_id)
        .map_err(|p| problems.push(p))
        .ok();
    let state = read_state(&request.state)
        .map_err(|p| problems.push(p))
        .ok();
    let has_images = request
        .fields
        .as_ref()
        .is_some_and(|f| !f.image_ids.is_empty());
    let fields = fields(request.fields, true)
        .map_err(|found| problems.extend_from_slice(found.as_slice()))
        .ok();
    Problems::check(problems)?;
    let (Some(author), Some(state), Some(fields)) = (author, state, fields) else {
        return Err(Error::Conflict);
    };

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

fn read_author(id: &str) -> Result<UserId, Problem> {
    let path = vec!["authorId".into()];
    if id.is_empty() {
        return Err(Problem::missing_key(SourceKind::Body, path));
    }
    UserId::parse(id).map_err(|why| Problem::invalid_value(SourceKind::Body, path, why.to_string()))
}

fn read_state(name: &str) -> Result<State, Problem> {
    let path = vec!["state".into()];
    match State::from_name(name) {
        Some(state @ (State::Published | State::PendingApproval)) => Ok(state),
        None if name.is_empty() => Err(Problem::missing_key(SourceKind::Body, path)),
        Some(State::Draft | State::Closed) | None => {
            let why = "must be published or pendingApproval";
            Err(Problem::invalid_value(SourceKind::Body, path, why))
        }
    }
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

    // contract: listings L22
    #[test]
    fn a_state_must_be_given_and_be_one_for_the_market() {
        assert_eq!(read_state("published").unwrap(), State::Published);
        assert_eq!(
            read_state("pendingApproval").unwrap(),
            State::PendingApproval
        );
        assert_eq!(read_state("").unwrap_err().code, "validation-missing-key");
        for bad in ["draft", "closed", "open"] {
            assert_eq!(
                read_state(bad).unwrap_err().code,
                "validation-invalid-value",
                "{bad}"
            );
        }
    }
}
