//! One transaction, for its parties and for those who act for the marketplace.

use super::{id_in, require_read};
use crate::context::Context;
use crate::domain::Transaction;
use crate::error::Error;
use crate::store::transactions;
use stoa_policy::Action;
use stoa_proto::transactions as pb;
use stoa_rpc::Caller;
use stoa_types::SourceKind;
use stoa_types::id::TransactionId;

pub(super) async fn show(
    context: &Context,
    caller: Caller,
    request: pb::ShowTransactionRequest,
) -> Result<pb::Transaction, Error> {
    let id = id_in(SourceKind::Query, "id", TransactionId::parse(&request.id))?;
    let found: Option<Transaction> = context.db.opt_as(transactions::by_id(id)).await?;
    let transaction = found.ok_or(Error::NotFound)?;
    require_read(
        context,
        &caller,
        Action::ShowTransaction,
        &transaction.resource(),
    )
    .await?;
    Ok(transaction.to_proto())
}
