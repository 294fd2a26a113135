//! Makes a draft of the caller, which nobody else sees.

use super::create_own::create_in;
use crate::core::Core;
use crate::domain::State;
use crate::error::Error;
use stoa_policy::Action;
use stoa_proto::listings as pb;
use stoa_rpc::Caller;

pub(super) async fn create_draft(
    core: &Core,
    caller: Caller,
    request: pb::CreateOwnListingRequest,
) -> Result<pb::Listing, Error> {
    create_in(core, &caller, request, Action::CreateDraft, |_| {
        State::Draft
    })
    .await
}
