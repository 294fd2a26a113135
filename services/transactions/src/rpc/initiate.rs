//! Starts a transaction about a listing.

use crate::context::Context;
use crate::error::Error;
use crate::transition::{self, Initiate};
use stoa_policy::{Action, Resource};
use stoa_proto::transactions as pb;
use stoa_rpc::Caller;

pub(super) async fn initiate(
    context: &Context,
    caller: Caller,
    request: pb::InitiateRequest,
) -> Result<pb::Transaction, Error> {
    let action = Action::InitiateTransaction;
    let standing = context.standings.prepare(&caller).await?;
    stoa_policy::require(
        &caller.actor,
        action,
        &standing.as_standing(),
        &Resource::None,
    )?;
    let process = context.processes.of_alias(&request.process_alias).await?;
    let wanted = Initiate {
        caller: &caller,
        standing: &standing,
        action,
        process: &process,
        transition: &request.transition,
        params: &request.params,
    };
    Ok(transition::initiate(context, &wanted).await?.to_proto())
}
