//! Reviews of a listing, about a user or of a transaction; the newest first.

use super::require_read;
use crate::context::Context;
use crate::domain::{PageRequest, ReviewFilter, StoredReview};
use crate::error::Error;
use crate::store::reviews;
use stoa_policy::{Action, Resource};
use stoa_proto::transactions as pb;
use stoa_rpc::Caller;

pub(super) async fn query_reviews(
    context: &Context,
    caller: Caller,
    request: pb::QueryReviewsRequest,
) -> Result<pb::QueryReviewsResponse, Error> {
    require_read(context, &caller, Action::QueryReviews, &Resource::None).await?;
    let Some(filter) = ReviewFilter::read(&request, &caller.actor)? else {
        let page = PageRequest::read(request.page.as_ref(), &mut Vec::new());
        return Ok(pb::QueryReviewsResponse {
            reviews: Vec::new(),
            meta: Some(page.meta(0)),
        });
    };
    let (total,): (i64,) = context.db.one_as(reviews::count(&filter)).await?;
    let found: Vec<StoredReview> = context.db.all_as(reviews::page(&filter)).await?;
    Ok(pb::QueryReviewsResponse {
        reviews: found
            .iter()
            .map(|review| review.to_proto(&caller.actor))
            .collect(),
        meta: Some(filter.page.meta(total)),
    })
}
