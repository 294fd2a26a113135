//! Merges metadata without a transition: for integrations and operators.

use super::id_in;
use crate::context::Context;
use crate::domain::Transaction;
use crate::error::Error;
use crate::events;
use crate::store::{dialect, transactions};
use stoa_db::Tx;
use stoa_feed::Origin;
use stoa_feed::outbox::SOURCE_TRANSACTION;
use stoa_policy::Action;
use stoa_proto::transactions as pb;
use stoa_rpc::Caller;
use stoa_types::extended_data::NotExtendedData;
use stoa_types::id::TransactionId;
use stoa_types::{ExtendedData, Problem, SourceKind};

pub(super) async fn update_metadata(
    context: &Context,
    caller: Caller,
    request: pb::UpdateMetadataRequest,
) -> Result<pb::Transaction, Error> {
    context.standings.prepare(&caller).await?;
    let id = id_in(SourceKind::Body, "id", TransactionId::parse(&request.id))?;
    let patch = ExtendedData::parse(&request.metadata).map_err(refused)?;
    let (caller, patch) = (&caller, &patch);
    let after = context
        .db
        .write(move |tx| async move { store(&tx, context, caller, id, patch).await })
        .await?;
    Ok(after.to_proto())
}

fn refused(why: NotExtendedData) -> Problem {
    Problem::invalid_value(SourceKind::Body, vec!["metadata".into()], why.to_string())
}

async fn store(
    tx: &Tx,
    context: &Context,
    caller: &Caller,
    id: TransactionId,
    patch: &ExtendedData,
) -> Result<Transaction, Error> {
    let standing = context.standings.for_write(tx, caller).await?;
    let locked = dialect::locked(tx, id, None, context.real_clock.now()).await?;
    // An attempt that is under way reads the row again before it commits.
    let before = locked.ok_or(Error::TransactionNotFound)?.transaction;
    let metadata = before.run.metadata.merged(patch).map_err(refused)?;
    let action = Action::UpdateTransactionMetadata;
    stoa_policy::require(
        &caller.actor,
        action,
        &standing.as_standing(),
        &before.resource(),
    )?;
    if metadata == before.run.metadata {
        return Ok(before);
    }
    let mut run = before.run.clone();
    run.metadata = metadata;
    let after = before.moved_to(run);
    tx.execute_expecting(1, transactions::update(&after))
        .await?;
    let origin = Origin::of(caller).with_source(SOURCE_TRANSACTION);
    let envelope =
        events::updated(&before, &after).build(&origin, context.clock.now(), &*context.entropy);
    stoa_feed::emit(tx, [envelope]).await?;
    Ok(after)
}
