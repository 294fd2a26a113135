//! `process_transitions/query`.

use crate::call::Call;
use crate::render::{Answer, Resource};
use stoa_proto::transactions::QueryProcessTransitionsRequest;
use stoa_proto::types::PageMeta;
use stoa_rpc::{Problem, Problems};

/// What the caller may do next in a transaction, or the transitions of a process.
pub(crate) async fn query(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let message = QueryProcessTransitionsRequest {
        transaction_id: call.optional_id("transactionId"),
        process_alias: call.optional("processAlias"),
    };
    if message.transaction_id.is_some() == message.process_alias.is_some() {
        let why = "exactly one of transactionId and processAlias is needed";
        call.query.refuse(Problem::invalid_params(why));
    }
    call.finish()?;
    let mut transactions = call.gateway.peers().transactions();
    let request = call.credentials.request(message);
    let found = Call::ask(transactions.query_process_transitions(request)).await?;
    let count = found.transitions.len();
    let meta = PageMeta {
        total_items: count as u64,
        page: 1,
        per_page: u32::try_from(count.max(1)).unwrap_or(u32::MAX),
    };
    let resources = found
        .transitions
        .into_iter()
        .map(Resource::ProcessTransition);
    Ok(Answer::many(resources, Some(meta), show))
}
