//! A message from one party to the other, in any state of the transaction.

use super::id_in;
use crate::context::Context;
use crate::domain::{Message, MessageText, Transaction};
use crate::error::Error;
use crate::events;
use crate::store::{messages, transactions};
use crate::transition::{Parties, Strict, knowing};
use stoa_db::{Tx, sql};
use stoa_feed::Origin;
use stoa_policy::{Action, Denied, Resource};
use stoa_process::engine::StepError;
use stoa_proto::transactions as pb;
use stoa_rpc::Caller;
use stoa_types::SourceKind;
use stoa_types::id::{MessageId, TransactionId, UserId};

const ACTION: Action = Action::SendMessage;

pub(super) async fn send_message(
    context: &Context,
    caller: Caller,
    request: pb::SendMessageRequest,
) -> Result<pb::Message, Error> {
    let standing = context.standings.prepare(&caller).await?;
    stoa_policy::require(
        &caller.actor,
        ACTION,
        &standing.as_standing(),
        &Resource::None,
    )?;
    let id = TransactionId::parse(&request.transaction_id);
    let id = id_in(SourceKind::Body, "transactionId", id)?;
    let text = MessageText::parse(request.content)?;
    let found: Option<Transaction> = context.db.opt_as(transactions::by_id(id)).await?;
    let transaction = found.ok_or(Error::TransactionNotFound)?;
    stoa_policy::require(
        &caller.actor,
        ACTION,
        &standing.as_standing(),
        &transaction.resource(),
    )?;
    let message = Message {
        id: MessageId::random(&*context.entropy),
        transaction: id,
        sender: caller.actor.user.ok_or(Denied::Forbidden)?,
        content: text.as_str().to_owned(),
        created_at: context.clock.now(),
    };
    let (caller, transaction, sent) = (&caller, &transaction, &message);
    knowing(context, |strict: Strict| {
        context.db.write(move |tx| async move {
            store(&tx, context, caller, transaction, (sent, strict)).await
        })
    })
    .await?;
    Ok(message.to_proto())
}

async fn store(
    tx: &Tx,
    context: &Context,
    caller: &Caller,
    transaction: &Transaction,
    (message, strict): (&Message, Strict),
) -> Result<(), Error> {
    let [customer, provider] = transaction.parties();
    let parties = Parties::locked(tx, customer, provider).await?;
    strict.check(&parties)?;
    let standing = parties.standing(&caller.actor, context.standings.settings().access()?);
    stoa_policy::require(
        &caller.actor,
        ACTION,
        &standing.as_standing(),
        &transaction.resource(),
    )?;
    recipient_there(transaction, &parties, message.sender)?;
    let count = sql(transactions::COUNT_MESSAGE)
        .bind(message.created_at)
        .bind(message.transaction);
    let (number,): (i64,) = tx.one_as(count).await?;
    tx.execute_expecting(1, messages::insert(message, number))
        .await?;
    let envelope = events::message_created(message).build(
        &Origin::of(caller),
        message.created_at,
        &*context.entropy,
    );
    stoa_feed::emit(tx, [envelope]).await?;
    Ok(())
}

/// Nobody writes to somebody who is banned or deleted.
fn recipient_there(
    transaction: &Transaction,
    parties: &Parties,
    sender: UserId,
) -> Result<(), Error> {
    let recipient = transaction
        .run
        .party_of(sender)
        .ok_or(Denied::Forbidden)?
        .other();
    if parties.is_gone(recipient) {
        return Err(StepError::PartyGone(recipient).into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use stoa_db::Db;
    use stoa_proto::transactions as pb;

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: transactions T26, T27, T30
        async fn parties_write_to_each_other_in_any_state(db: Db) {
            let world = World::new(db).await;
            let id = world.requested().await.id;
            world.transition(&user(PROVIDER), &id, "transition/decline", "").await.unwrap();
            let before = world.tx(&id).await;
            world.clock.advance_ms(1000);
            let text = " line\n<b>ü</b> ";
            let sent = world.send(&user(CUSTOMER), &id, text).await.unwrap();
            assert_eq!((sent.content.as_deref(), sent.deleted), (Some(text), false));
            assert_eq!((sent.sender_id, sent.transaction_id.as_str()), (CUSTOMER.to_string(), &*id));
            assert_eq!(world.tx(&id).await, before, "the transaction itself stays");
            let envelope = world.envelopes().await.pop().unwrap();
            assert_eq!(envelope.r#type, "message.created");
            assert_eq!(envelope.public_events[0].event_type, "message/created");
            assert_eq!(envelope.public_events[0].source, "source/marketplace-api");

            assert_eq!(refusal(world.send(&user(STRANGER), &id, "x").await), forbidden());
            assert_eq!(refusal(world.send(&user(CUSTOMER), &id, " ").await).0, 400);
            let unknown = world.send(&user(CUSTOMER), &LISTING.to_string(), "x").await;
            assert_eq!(refusal(unknown), conflict("transaction-not-found"));
            assert_eq!(world.count("SELECT count(*) FROM messages").await, 1);
        }

        async fn a_message_has_a_fixed_number_of_statements(db: Db) {
            let world = World::new(db).await;
            let id = world.requested().await.id;
            let caller = world.caller(&user(CUSTOMER)).await;
            let request = pb::SendMessageRequest { transaction_id: id, content: "x".into() };
            let call = super::send_message(world.cx(), caller, request);
            let (sent, statements) = stoa_db::accounting::scope(call).await;
            sent.unwrap();
            // Caller, transaction; in the write: both parties, count, message, envelope, whose words
            // it holds.
            assert_eq!(statements.count, if world.is_postgres() { 10 } else { 8 });
        }

        // contract: transactions T31, T35
        async fn nobody_writes_to_who_is_gone_and_a_banned_user_to_nobody(db: Db) {
            let world = World::new(db).await;
            let id = world.requested().await.id;
            world.becomes(CUSTOMER, "pendingApproval").await;
            world.send(&user(CUSTOMER), &id, "still here").await.unwrap();
            for state in ["banned", "deleted"] {
                world.becomes(CUSTOMER, state).await;
                let refused = refusal(world.send(&user(PROVIDER), &id, "x").await);
                assert_eq!(refused, conflict("transaction-customer-banned-or-deleted"), "{state}");
                let own = refusal(world.send(&user(CUSTOMER), &id, "x").await).0;
                assert_eq!(own, if state == "banned" { 403 } else { 401 });
            }
            assert_eq!(world.count("SELECT count(*) FROM messages").await, 1);
        }
    }
}
