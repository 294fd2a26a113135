//! Merges metadata without a transition: for integrations and operators.

use super::id_in;
use crate::context::Context;
use crate::domain::Transaction;
use crate::error::Error;
use crate::events;
use crate::store::{dialect, transactions};
use stoa_db::Tx;
use stoa_feed::{Origin, audit};
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
    Ok(after.shown())
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
    // No transition stands behind it, so its source is the API of the caller.
    let origin = Origin::of(caller);
    let (now, entropy) = (context.clock.now(), &*context.entropy);
    if metadata == before.run.metadata {
        let about = [
            before.run.customer.to_string(),
            before.run.provider.to_string(),
        ];
        let id = id.to_string();
        let nothing = audit::recorded(&origin, "transaction", &id, None, &about, now, entropy);
        stoa_feed::emit(tx, nothing).await?;
        return Ok(before);
    }
    let mut run = before.run.clone();
    run.metadata = metadata;
    let after = before.moved_to(run);
    tx.execute_expecting(1, transactions::update(&after))
        .await?;
    let envelope = events::updated(&before, &after).build(&origin, now, entropy);
    stoa_feed::emit(tx, [envelope]).await?;
    Ok(after)
}

#[cfg(test)]
mod tests {
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use stoa_db::Db;
    use stoa_proto::events::resource::Resource;

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: transactions T14, integration I16
        async fn metadata_merges_without_a_transition(db: Db) {
            let world = World::new(db).await;
            let id = world.requested().await.id;
            world.update_metadata(&integration(), &id, r#"{"a":1}"#).await.unwrap();
            let updated = world.update_metadata(&operator(), &id, r#"{"b":2,"a":null}"#).await;
            let updated = updated.unwrap();
            assert_eq!(updated.metadata, r#"{"b":2}"#);
            assert_eq!((updated.version, updated.transitions.len()), (3, 1));
            let envelope = world.envelopes().await.pop().unwrap();
            assert_eq!(envelope.r#type, "transaction.updated");
            let [event] = envelope.public_events.as_slice() else { panic!("one event") };
            assert_eq!(event.event_type, "transaction/updated");
            assert_eq!(event.source, "source/console");
            assert_eq!(event.previous_paths, ["attributes.metadata"]);
            let previous = event.previous.as_ref().unwrap().resource.as_ref().unwrap();
            let Resource::Transaction(previous) = previous else { panic!("a transaction") };
            assert_eq!(previous.metadata, r#"{"a":1,"b":null}"#);

            world.update_metadata(&operator(), &id, r#"{"b":2}"#).await.unwrap();
            assert_eq!(world.tx(&id).await.version, 3, "nothing changed");
            // The timers of the state still stand.
            world.pass(6 * DAY).await;
            assert_eq!(world.tx(&id).await.state, "state/expired");
        }

        async fn metadata_of_nothing_or_too_much_is_refused(db: Db) {
            let world = World::new(db).await;
            let id = world.requested().await.id;
            let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(60_000));
            let refused = world.update_metadata(&integration(), &id, &large).await;
            assert_eq!(refusal(refused), (400, "validation-invalid-value".into()));
            let unknown = world.update_metadata(&integration(), &LISTING.to_string(), "{}").await;
            assert_eq!(refusal(unknown), conflict("transaction-not-found"));
        }
    }
}
