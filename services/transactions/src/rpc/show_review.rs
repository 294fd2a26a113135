//! One review: public, or the own one that waits.

use super::{id_in, require_read};
use crate::context::Context;
use crate::domain::StoredReview;
use crate::error::Error;
use crate::store::reviews;
use stoa_policy::{Action, Resource};
use stoa_proto::transactions as pb;
use stoa_rpc::Caller;
use stoa_types::SourceKind;
use stoa_types::id::ReviewId;

pub(super) async fn show_review(
    context: &Context,
    caller: Caller,
    request: pb::ShowReviewRequest,
) -> Result<pb::Review, Error> {
    let id = id_in(SourceKind::Query, "id", ReviewId::parse(&request.id))?;
    let found: Option<StoredReview> = context.db.opt_as(reviews::by_id(id)).await?;
    let resource = found
        .as_ref()
        .map_or(Resource::None, StoredReview::resource);
    require_read(context, &caller, Action::ShowReview, &resource).await?;
    Ok(found.ok_or(Error::NotFound)?.to_proto(&caller.actor))
}
