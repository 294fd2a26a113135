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

#[cfg(test)]
mod tests {
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use stoa_db::Db;
    use stoa_proto::transactions::{IdList, QueryMessagesRequest as Query};

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: transactions T28, T29
        async fn messages_come_newest_first_to_parties_and_the_marketplace(db: Db) {
            let world = World::new(db).await;
            let id = world.requested().await.id;
            let mut ids = Vec::new();
            // Within one millisecond too.
            for text in ["one", "two", "three"] {
                ids.push(world.send(&user(CUSTOMER), &id, text).await.unwrap().id);
            }
            ids.reverse();
            let of = Query { transaction_id: Some(id.clone()), ..Query::default() };
            let by = Query { ids: Some(IdList { ids: ids[1..].to_vec() }), ..Query::default() };
            let found = async |actor, query: &Query| {
                let answer = world.messages(&actor, query.clone()).await.unwrap();
                assert_eq!(answer.meta.unwrap().total_items as usize, answer.messages.len());
                answer.messages.into_iter().map(|m| m.id).collect::<Vec<_>>()
            };
            for actor in [user(PROVIDER), integration()] {
                assert_eq!(found(actor.clone(), &of).await, ids);
                assert_eq!(found(actor, &by).await, ids[1..]);
            }
            assert_eq!(refusal(world.messages(&user(STRANGER), of).await), forbidden());
            assert!(found(user(STRANGER), &by).await.is_empty());
            let unknown = Query { transaction_id: Some(LISTING.to_string()), ..Query::default() };
            assert!(found(user(CUSTOMER), &unknown).await.is_empty());
            let nothing = world.messages(&user(CUSTOMER), Query::default()).await;
            assert_eq!(refusal(nothing), (400, "validation-invalid-params".into()));
            assert_eq!(world.parts(&user(PROVIDER), &id).await.messages.len(), 3);
            assert!(world.parts(&user(STRANGER), &id).await.messages.is_empty());
        }
    }
}
