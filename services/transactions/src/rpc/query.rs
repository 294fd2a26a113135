//! Transactions by filter: the own ones, or all for those who act for the marketplace.

use super::require_read;
use crate::context::Context;
use crate::domain::{Transaction, TransactionFilter};
use crate::error::Error;
use crate::store::search;
use stoa_policy::{Action, Resource};
use stoa_proto::transactions as pb;
use stoa_rpc::Caller;

pub(super) async fn query(
    context: &Context,
    caller: Caller,
    request: pb::QueryTransactionsRequest,
) -> Result<pb::QueryTransactionsResponse, Error> {
    require_read(context, &caller, Action::QueryTransactions, &Resource::None).await?;
    let filter = TransactionFilter::read(&request, &caller.actor)?;
    let (total,): (i64,) = context.db.one_as(search::count(&filter)).await?;
    let found: Vec<Transaction> = context.db.all_as(search::page(&filter)).await?;
    Ok(pb::QueryTransactionsResponse {
        transactions: found.iter().map(Transaction::to_proto).collect(),
        meta: Some(filter.page.meta(total)),
    })
}
