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
    Ok(transaction.shown())
}

#[cfg(test)]
mod tests {
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use stoa_db::Db;

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: transactions T4, T38
        async fn parties_and_the_marketplace_see_a_transaction(db: Db) {
            let world = World::new(db).await;
            let id = world.requested().await.id;
            for actor in [user(CUSTOMER), user(PROVIDER), integration(), operator()] {
                assert_eq!(world.show(&actor, &id).await.unwrap().id, id);
            }
            assert_eq!(refusal(world.show(&user(STRANGER), &id).await), forbidden());
            let unknown = LISTING.to_string();
            assert_eq!(
                refusal(world.show(&user(CUSTOMER), &unknown).await),
                (404, "not-found".into())
            );
            assert_eq!(refusal(world.show(&user(CUSTOMER), "x").await).0, 400);
            world.becomes(PROVIDER, "deleted").await;
            assert!(world.show(&user(CUSTOMER), &id).await.is_ok());
            world.becomes(CUSTOMER, "banned").await;
            assert_eq!(refusal(world.show(&user(CUSTOMER), &id).await), forbidden());
        }

        async fn related_transactions_are_those_that_the_caller_may_see(db: Db) {
            let world = World::new(db).await;
            let id = world.requested().await.id;
            let unknown = LISTING.to_string();
            let ids = [id.as_str(), &unknown];
            assert_eq!(world.batch(&user(PROVIDER), &ids).await.len(), 1);
            assert_eq!(world.batch(&integration(), &ids).await.len(), 1);
            assert!(world.batch(&user(STRANGER), &ids).await.is_empty());
            assert!(world.batch(&anonymous(), &ids).await.is_empty());
            world.becomes(PROVIDER, "banned").await;
            assert!(world.batch(&user(PROVIDER), &ids).await.is_empty());
            assert!(world.parts(&user(PROVIDER), &id).await.reviews.is_empty());
        }
    }
}
