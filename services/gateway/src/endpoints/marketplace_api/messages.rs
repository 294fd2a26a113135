//! `messages/*`. `query` serves the Integration API too.

use crate::call::Call;
use crate::render::{Answer, Resource};
use stoa_codec::Value;
use stoa_proto::transactions::{IdList, QueryMessagesRequest, SendMessageRequest};
use stoa_rpc::{Problem, Problems};

/// Messages of a transaction, newest first.
pub(crate) async fn query(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let message = QueryMessagesRequest {
        page: Some(call.page()),
        transaction_id: call.optional_id("transactionId"),
        ids: call.ids("ids").map(|ids| IdList { ids }),
    };
    if message.transaction_id.is_none() && message.ids.is_none() {
        let why = "one of transactionId and ids is needed";
        call.query.refuse(Problem::invalid_params(why));
    }
    call.finish()?;
    let mut transactions = call.gateway.peers().transactions();
    let found = Call::ask(transactions.query_messages(call.credentials.request(message))).await?;
    Ok(Answer::many(
        found.messages.into_iter().map(Resource::Message),
        found.meta,
        show,
    ))
}

/// A message to the other party.
pub(crate) async fn send(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let message = SendMessageRequest {
        transaction_id: call.body_id("transactionId"),
        content: call.body.required("content").unwrap_or_default(),
    };
    let attachments: Vec<Value> = call
        .body
        .nullable("publicFileAttachments")
        .value()
        .unwrap_or_default();
    if !attachments.is_empty() {
        // Nobody can have uploaded a file yet, so none of them is the caller's own.
        let why = "an attached file is not the caller's own";
        call.finish()?;
        return Err(Problem::conflict("conflict", "Conflict")
            .details(why)
            .into());
    }
    call.finish()?;
    let mut transactions = call.gateway.peers().transactions();
    let sent = Call::ask(transactions.send_message(call.credentials.request(message))).await?;
    Ok(Answer::command(Resource::Message(sent), show))
}
