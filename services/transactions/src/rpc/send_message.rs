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
