//! `transactions/*` of the Integration API.

use crate::call::Call;
use crate::endpoints::marketplace_api::transactions::filters;
use crate::render::{Answer, Resource};
use stoa_proto::transactions::UpdateMetadataRequest;
use stoa_rpc::Problems;
use stoa_types::ExtendedData;

/// All transactions.
pub(crate) async fn query(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let mut message = filters(&mut call);
    message.customer_id = call.optional_id("customerId");
    message.provider_id = call.optional_id("providerId");
    call.finish()?;
    let mut transactions = call.gateway.peers().transactions();
    let found = Call::ask(transactions.query(call.credentials.request(message))).await?;
    let resources = found.transactions.into_iter().map(Resource::Transaction);
    Ok(Answer::many(resources, found.meta, show))
}

/// Metadata, merged without a transition.
pub(crate) async fn update_metadata(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let id = call.body_id("id");
    let metadata: Option<ExtendedData> = call.body.required("metadata");
    call.finish()?;
    let metadata = metadata.unwrap_or_default().to_json();
    let mut transactions = call.gateway.peers().transactions();
    let request = call
        .credentials
        .request(UpdateMetadataRequest { id, metadata });
    let transaction = Call::ask(transactions.update_metadata(request)).await?;
    Ok(Answer::command(Resource::Transaction(transaction), show))
}
