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

#[cfg(test)]
mod tests {
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use stoa_db::Db;
    use stoa_proto::transactions::QueryReviewsRequest as Query;

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: transactions T32, T33, T34, engine E27
        async fn reviews_are_double_blind_until_both_are_written(db: Db) {
            let world = World::new(db).await;
            let id = world.requested().await.id;
            world.transition(&user(PROVIDER), &id, "transition/accept", "").await.unwrap();
            world.pass(7 * DAY).await;
            let first = "transition/review-1-by-provider";
            world.transition(&user(PROVIDER), &id, first, REVIEW).await.unwrap();
            assert_eq!(world.last_events().await, ["review/created", "transaction/transitioned"]);

            let of_listing = |state: Option<&str>| Query {
                listing_id: Some(LISTING.to_string()),
                state: state.map(str::to_owned),
                ..Query::default()
            };
            let found = async |actor, query| world.reviews(&actor, query).await.unwrap().reviews;
            assert!(found(anonymous(), of_listing(None)).await.is_empty());
            for actor in [anonymous(), user(CUSTOMER), user(STRANGER)] {
                assert!(found(actor, of_listing(Some("pending"))).await.is_empty());
            }
            let own = found(user(PROVIDER), of_listing(Some("pending"))).await;
            assert_eq!(own.len(), 1);
            assert_eq!((own[0].r#type.as_str(), own[0].transaction_id.as_ref()), ("ofCustomer", Some(&id)));
            assert_eq!(found(operator(), of_listing(Some("pending"))).await.len(), 1);
            assert_eq!(world.parts(&user(PROVIDER), &id).await.reviews.len(), 1);
            assert!(world.parts(&user(CUSTOMER), &id).await.reviews.is_empty());
            assert_eq!(refusal(world.show_review(&user(CUSTOMER), &own[0].id).await).0, 404);
            assert!(world.show_review(&user(PROVIDER), &own[0].id).await.is_ok());
            assert_eq!(refusal(world.show_review(&anonymous(), &id).await).0, 404);

            let wrong = world
                .transition(&user(CUSTOMER), &id, "transition/review-1-by-customer", REVIEW)
                .await;
            assert_eq!(refusal(wrong), conflict("transaction-invalid-transition"));
            world
                .transition(&user(CUSTOMER), &id, "transition/review-2-by-customer", REVIEW)
                .await
                .unwrap();
            assert_eq!(
                world.last_events().await,
                ["review/created", "review/updated", "review/updated", "transaction/transitioned"]
            );
            let public = found(anonymous(), of_listing(None)).await;
            assert_eq!(public.len(), 2);
            assert!(public.iter().all(|review| review.transaction_id.is_none()));
            let about = Query {
                subject_id: Some(PROVIDER.to_string()),
                r#type: Some("ofProvider".into()),
                ..Query::default()
            };
            let about = found(user(STRANGER), about).await;
            assert_eq!((about.len(), about[0].rating), (1, Some(5)));
            assert!(world.show_review(&anonymous(), &own[0].id).await.is_ok());

            let of_transaction = Query { transaction_id: Some(id), ..Query::default() };
            assert_eq!(found(user(CUSTOMER), of_transaction.clone()).await.len(), 2);
            assert!(found(user(STRANGER), of_transaction.clone()).await.is_empty());
            assert!(found(anonymous(), of_transaction).await.is_empty());
        }
    }
}
