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
        transactions: found.iter().map(Transaction::shown).collect(),
        meta: Some(filter.page.meta(total)),
    })
}

#[cfg(test)]
mod tests {
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use stoa_db::Db;
    use stoa_policy::Actor;
    use stoa_proto::transactions::{IdList, QueryTransactionsRequest as Query};
    use stoa_proto::types::Page;
    use stoa_types::Clock;
    use stoa_types::id::ListingId;
    use uuid::Uuid;

    async fn found(world: &World, actor: &Actor, query: Query) -> Vec<String> {
        let answer = world.query(actor, query).await.unwrap();
        assert_eq!(
            answer.meta.unwrap().total_items,
            answer.transactions.len() as u64
        );
        answer.transactions.into_iter().map(|tx| tx.id).collect()
    }

    /// Three transactions a second apart: the customer buys the first two, one of them accepted,
    /// and sells the third, an inquiry without a price.
    async fn three(world: &World) -> [String; 3] {
        let first = world.requested().await.id;
        world.clock.advance_ms(1000);
        let second = world.requested().await.id;
        world
            .transition(&user(PROVIDER), &second, "transition/accept", "")
            .await
            .unwrap();
        world.clock.advance_ms(1000);
        let own = ListingId::new(Uuid::from_u128(0x99));
        world.put_listing(own, CUSTOMER, "published");
        let params = format!(r#"{{"listingId":"{own}"}}"#);
        let inquiry = "transition/inquire-without-payment";
        let third = world
            .initiate(
                &user(PROVIDER),
                "default-inquiry/release-1",
                inquiry,
                &params,
            )
            .await;
        [first, second, third.unwrap().id]
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: transactions T5, T6, T7, T8, T13
        async fn filters_are_and_and_their_lists_or(db: Db) {
            let world = World::new(db).await;
            let ids = three(&world).await;
            let [first, second, third] = ids.each_ref().map(String::as_str);
            world.send(&user(CUSTOMER), first, "hello").await.unwrap();
            let me = user(CUSTOMER);
            let all = integration();
            let only = |only: &str| Query { only: Some(only.into()), ..Query::default() };
            assert_eq!(found(&world, &me, only("sale")).await, [third]);
            assert_eq!(found(&world, &me, only("order")).await, [second, first]);
            assert_eq!(found(&world, &me, Query::default()).await.len(), 3);
            assert!(found(&world, &user(STRANGER), Query::default()).await.is_empty());

            let texts = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
            let by = async |query: Query| found(&world, &all, query).await;
            assert_eq!(
                by(Query { states: texts(&["state/accepted", "state/none", "\0"]), ..Query::default() }).await,
                [second]
            );
            assert_eq!(
                by(Query {
                    states: texts(&["state/accepted", "state/requested"]),
                    last_transitions: texts(&["transition/request"]),
                    ..Query::default()
                })
                .await,
                [first]
            );
            assert_eq!(
                by(Query { process_names: texts(&["default-inquiry", "x"]), ..Query::default() }).await,
                [third]
            );
            assert_eq!(by(Query { has_payin: Some(false), ..Query::default() }).await, [third]);
            assert_eq!(by(Query { has_message: Some(true), ..Query::default() }).await, [first]);
            assert_eq!(by(Query { has_message: Some(false), ..Query::default() }).await.len(), 2);
            let customer = Query { customer_id: Some(CUSTOMER.to_string()), ..Query::default() };
            assert_eq!(by(customer).await.len(), 2);
            let provider = Query { provider_id: Some(CUSTOMER.to_string()), ..Query::default() };
            assert_eq!(by(provider).await, [third]);
            let user_id = Query { user_id: Some(STRANGER.to_string()), ..Query::default() };
            assert!(by(user_id).await.is_empty());
            let listing = Query { listing_id: Some(LISTING.to_string()), ..Query::default() };
            assert_eq!(by(listing).await.len(), 2);
            let ids = |ids| Query { ids: Some(IdList { ids }), ..Query::default() };
            assert_eq!(by(ids(vec![first.to_owned()])).await, [first]);
            assert!(by(ids(Vec::new())).await.is_empty());
            let begun = world.clock.now().as_ms() - 2000;
            let range = Query {
                created_at_start_ms: Some(begun + 1000),
                created_at_end_ms: Some(begun + 2000),
                last_transitioned_at_start_ms: Some(begun),
                last_transitioned_at_end_ms: Some(begun + 1001),
                ..Query::default()
            };
            assert_eq!(by(range).await, [second]);
        }

        // contract: transactions T11, T12
        async fn the_newest_comes_first_and_what_is_missing_last(db: Db) {
            let world = World::new(db).await;
            let ids = three(&world).await;
            let [first, second, third] = ids.each_ref().map(String::as_str);
            world.send(&user(CUSTOMER), second, "one").await.unwrap();
            world.clock.advance_ms(1);
            world.send(&user(PROVIDER), first, "two").await.unwrap();
            let sorted = async |key: &str| {
                let query = Query { sort: vec![key.into()], ..Query::default() };
                found(&world, &user(CUSTOMER), query).await
            };
            let oldest = [first, second, third];
            assert_eq!(sorted("-createdAt").await, oldest);
            assert_eq!(sorted("createdAt").await, [third, second, first]);
            assert_eq!(sorted("lastMessageAt").await, oldest);
            assert_eq!(sorted("-lastMessageAt").await, [second, first, third]);
            assert_eq!(sorted("lastTransitionedAt").await[0], third);

            let page = async |page, per_page| {
                let query = Query { page: Some(Page { page, per_page }), ..Query::default() };
                world.query(&user(CUSTOMER), query).await
            };
            let last = page(3, 1).await.unwrap();
            assert_eq!((last.transactions[0].id.as_str(), last.meta.unwrap().total_items), (first, 3));
            let beyond = page(9, 100).await.unwrap();
            assert!(beyond.transactions.is_empty());
            assert_eq!((beyond.meta.unwrap().total_items, beyond.meta.unwrap().page), (3, 9));
            assert_eq!(refusal(page(1, 101).await), (400, "validation-invalid-value".into()));
        }
    }
}
