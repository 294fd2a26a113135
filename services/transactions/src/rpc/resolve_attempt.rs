//! How an attempt ended. Asking ends one that is open: a later commit of it fails.

use super::id_in;
use crate::context::Context;
use crate::error::Error;
use crate::store::attempts::{self, Outcome};
use stoa_policy::{Action, Resource};
use stoa_proto::transactions as pb;
use stoa_rpc::Caller;
use stoa_types::SourceKind;
use stoa_types::id::AttemptId;

pub(super) async fn resolve_attempt(
    context: &Context,
    caller: Caller,
    request: pb::ResolveAttemptRequest,
) -> Result<pb::ResolveAttemptResponse, Error> {
    let standing = context.standings.prepare(&caller).await?;
    let action = Action::ResolveAttempt;
    stoa_policy::require(
        &caller.actor,
        action,
        &standing.as_standing(),
        &Resource::None,
    )?;
    let id = id_in(
        SourceKind::Body,
        "attemptId",
        AttemptId::parse(&request.attempt_id),
    )?;
    let now = context.real_clock.now();
    let outcome = context
        .db
        .write(|tx| async move { attempts::end(&tx, id, Outcome::Aborted, now).await })
        .await?;
    Ok(pb::ResolveAttemptResponse {
        outcome: outcome.as_str().to_owned(),
    })
}
