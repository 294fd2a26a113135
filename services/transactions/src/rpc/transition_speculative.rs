//! What a transition would do; nothing is stored.

use super::id_in;
use super::transition::caused;
use crate::context::Context;
use crate::error::Error;
use crate::transition::{self, Step};
use stoa_policy::{Action, Resource};
use stoa_proto::transactions as pb;
use stoa_rpc::Caller;
use stoa_types::SourceKind;
use stoa_types::id::TransactionId;

pub(super) async fn transition_speculative(
    context: &Context,
    caller: Caller,
    request: pb::TransitionRequest,
) -> Result<pb::Transaction, Error> {
    let action = Action::TransitionSpeculative;
    let standing = context.standings.prepare(&caller).await?;
    stoa_policy::require(
        &caller.actor,
        action,
        &standing.as_standing(),
        &Resource::None,
    )?;
    let id = id_in(SourceKind::Body, "id", TransactionId::parse(&request.id))?;
    let caused = caused(&caller, action);
    let wanted = Step {
        id,
        transition: &request.transition,
        params: &request.params,
    };
    Ok(transition::step_speculative(context, &caused, wanted)
        .await?
        .to_proto())
}
