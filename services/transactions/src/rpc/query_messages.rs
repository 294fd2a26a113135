//! Messages of a transaction, or messages by their ids; the newest first.

use super::{id_in, require_read, too_many};
use crate::context::Context;
use crate::domain::{Message, PageRequest, Transaction};
use crate::error::Error;
use crate::store::messages::{self, MessageFilter};
use crate::store::transactions;
use stoa_policy::{Action, Resource};
use stoa_proto::transactions as pb;
use stoa_rpc::Caller;
use stoa_types::id::{MessageId, TransactionId};
use stoa_types::{Problem, Problems, SourceKind};

/// Most ids in one query.
const MAX_IDS: usize = 100;

pub(super) async fn query_messages(
    context: &Context,
    caller: Caller,
    request: pb::QueryMessagesRequest,
) -> Result<pb::QueryMessagesResponse, Error> {
    let mut found = Vec::new();
    let page = PageRequest::read(request.page.as_ref(), &mut found);
    let transaction = request.transaction_id.as_deref().and_then(|id| {
        let parsed = id_in(SourceKind::Query, "transactionId", TransactionId::parse(id));
        parsed.map_err(|problem| found.push(problem)).ok()
    });
    let ids = request.ids.as_ref().and_then(|list| {
        read_ids(&list.ids)
            .map_err(|problem| found.push(problem))
            .ok()
    });
    if request.transaction_id.is_none() && request.ids.is_none() {
        let why = "at least one of transactionId and ids is required";
        found.push(Problem::invalid_params(why));
    }
    Problems::check(found)?;
    let resource = match transaction {
        Some(id) => {
            let known: Option<Transaction> = context.db.opt_as(transactions::by_id(id)).await?;
            known.map_or(Resource::None, |known| known.resource())
        }
        None => Resource::None,
    };
    require_read(context, &caller, Action::QueryMessages, &resource).await?;
    // Of messages by id a user gets those of the own transactions.
    let party = caller.actor.user.filter(|_| caller.actor.level.is_user());
    let filter = MessageFilter {
        transaction,
        ids,
        party,
        page,
    };
    let (total,): (i64,) = context.db.one_as(messages::count(&filter)).await?;
    let found: Vec<Message> = context.db.all_as(messages::page(&filter)).await?;
    Ok(pb::QueryMessagesResponse {
        messages: found.iter().map(Message::to_proto).collect(),
        meta: Some(page.meta(total)),
    })
}

fn read_ids(texts: &[String]) -> Result<Vec<MessageId>, Problem> {
    if texts.len() > MAX_IDS {
        return Err(too_many("ids", MAX_IDS));
    }
    let ids: Result<Vec<_>, _> = texts.iter().map(|id| MessageId::parse(id)).collect();
    id_in(SourceKind::Query, "ids", ids)
}
