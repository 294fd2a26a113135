//! `reviews/*`.

use crate::call::Call;
use crate::render::{Answer, Resource};
use stoa_proto::transactions::{QueryReviewsRequest, ShowReviewRequest};
use stoa_rpc::{Problem, Problems};

/// One review.
pub(crate) async fn show(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let id = call.required_id("id");
    call.finish()?;
    let mut transactions = call.gateway.peers().transactions();
    let request = call.credentials.request(ShowReviewRequest { id });
    let review = Call::ask(transactions.show_review(request)).await?;
    Ok(Answer::one(Resource::Review(review), show))
}

/// Reviews of a listing, a user or a transaction.
pub(crate) async fn query(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let message = QueryReviewsRequest {
        page: Some(call.page()),
        listing_id: call.optional_id("listingId"),
        subject_id: call.optional_id("subjectId"),
        transaction_id: call.optional_id("transactionId"),
        r#type: call.optional("type"),
        state: call.optional("state"),
    };
    let about = [
        &message.listing_id,
        &message.subject_id,
        &message.transaction_id,
    ];
    if about.into_iter().all(Option::is_none) {
        let why = "one of listingId, subjectId and transactionId is needed";
        call.query.refuse(Problem::invalid_params(why));
    }
    call.finish()?;
    let mut transactions = call.gateway.peers().transactions();
    let found = Call::ask(transactions.query_reviews(call.credentials.request(message))).await?;
    Ok(Answer::many(
        found.reviews.into_iter().map(Resource::Review),
        found.meta,
        show,
    ))
}
