//! Takes the next step of a transaction.

use super::id_in;
use crate::context::Context;
use crate::error::Error;
use crate::transition::{self, Caused, Step};
use stoa_feed::Origin;
use stoa_feed::outbox::SOURCE_TRANSACTION;
use stoa_policy::{Action, Resource};
use stoa_proto::transactions as pb;
use stoa_rpc::Caller;
use stoa_types::SourceKind;
use stoa_types::id::TransactionId;

pub(super) async fn transition(
    context: &Context,
    caller: Caller,
    request: pb::TransitionRequest,
) -> Result<pb::Transaction, Error> {
    let action = Action::TransitionTransaction;
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
    Ok(transition::step(context, &caused, wanted).await?.to_proto())
}

/// A step that a caller asks for.
pub(super) fn caused(caller: &Caller, action: Action) -> Caused<'_> {
    Caused {
        actor: &caller.actor,
        action,
        credentials: caller.forward("transactions"),
        origin: Origin::of(caller).with_source(SOURCE_TRANSACTION),
        timer: None,
    }
}
