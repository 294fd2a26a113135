//! Transactions that messages and reviews refer to, as far as the caller may see them.

use crate::context::Context;
use crate::domain::Transaction;
use crate::error::Error;
use crate::store::transactions;
use stoa_policy::{Action, Resource};
use stoa_proto::transactions as pb;
use stoa_rpc::Caller;
use stoa_types::SourceKind;
use stoa_types::id::TransactionId;

/// Most ids in one call: a page.
const MAX_IDS: usize = 1000;

pub(super) async fn batch_get(
    context: &Context,
    caller: Caller,
    request: pb::BatchGetTransactionsRequest,
) -> Result<pb::BatchGetTransactionsResponse, Error> {
    let transactions = visible(context, &caller, &request.ids).await?;
    Ok(pb::BatchGetTransactionsResponse {
        transactions: transactions.iter().map(Transaction::shown).collect(),
    })
}

/// Those of the named transactions that the caller may show, in no order; none for a banned user,
/// who sees what anybody sees.
///
/// # Errors
/// 400 when a text is no id or there are too many; those of the statement.
pub(super) async fn visible(
    context: &Context,
    caller: &Caller,
    ids: &[String],
) -> Result<Vec<Transaction>, Error> {
    let standing = context.standings.for_read(caller).await?;
    let standing = standing.as_standing();
    let actor = &caller.actor;
    stoa_policy::require(
        actor,
        Action::RelatedTransactions,
        &standing,
        &Resource::None,
    )?;
    if ids.len() > MAX_IDS {
        return Err(super::too_many("ids", MAX_IDS).into());
    }
    let ids: Result<Vec<_>, _> = ids.iter().map(|id| TransactionId::parse(id)).collect();
    let ids = super::id_in(SourceKind::Query, "ids", ids)?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut found: Vec<Transaction> = context.db.all_as(transactions::by_ids(&ids)).await?;
    found.retain(|found| {
        let resource = found.resource();
        stoa_policy::require(actor, Action::ShowTransaction, &standing, &resource).is_ok()
    });
    Ok(found)
}
