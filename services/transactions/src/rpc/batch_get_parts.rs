//! Reviews and messages of transactions that the caller may see.

use super::batch_get::visible;
use crate::context::Context;
use crate::domain::{Message, StoredReview};
use crate::error::Error;
use crate::store::{messages, reviews};
use stoa_proto::transactions as pb;
use stoa_rpc::Caller;

pub(super) async fn batch_get_parts(
    context: &Context,
    caller: Caller,
    request: pb::BatchGetPartsRequest,
) -> Result<pb::BatchGetPartsResponse, Error> {
    let visible = visible(context, &caller, &request.transaction_ids).await?;
    let ids: Vec<_> = visible.iter().map(|transaction| transaction.id).collect();
    let mut answer = pb::BatchGetPartsResponse::default();
    if request.reviews && !ids.is_empty() {
        let found: Vec<StoredReview> = context.db.all_as(reviews::of_transactions(&ids)).await?;
        answer.reviews = found
            .iter()
            .filter(|review| review.visible_to(&caller.actor))
            .map(|review| review.to_proto(&caller.actor))
            .collect();
    }
    if request.messages && !ids.is_empty() {
        let found: Vec<Message> = context.db.all_as(messages::of_transactions(&ids)).await?;
        answer.messages = found.iter().map(Message::to_proto).collect();
    }
    Ok(answer)
}
