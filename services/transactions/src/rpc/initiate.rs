//! Starts a transaction about a listing.

use crate::context::Context;
use crate::error::Error;
use crate::transition::{self, Initiate};
use stoa_policy::{Action, Resource};
use stoa_proto::transactions as pb;
use stoa_rpc::Caller;

pub(super) async fn initiate(
    context: &Context,
    caller: Caller,
    request: pb::InitiateRequest,
) -> Result<pb::Transaction, Error> {
    let action = Action::InitiateTransaction;
    let standing = context.standings.prepare(&caller).await?;
    stoa_policy::require(
        &caller.actor,
        action,
        &standing.as_standing(),
        &Resource::None,
    )?;
    let process = context.processes.of_alias(&request.process_alias).await?;
    let wanted = Initiate {
        caller: &caller,
        standing: &standing,
        action,
        process: &process,
        transition: &request.transition,
        params: &request.params,
    };
    Ok(transition::initiate(context, &wanted).await?.shown())
}

#[cfg(test)]
mod tests {
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use stoa_db::Db;
    use stoa_proto::{auth, users};
    use stoa_types::id::ListingId;
    use uuid::Uuid;

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: transactions T3, engine E24, E32
        async fn a_request_begins_with_one_entry_by_the_customer(db: Db) {
            let world = World::new(db).await;
            let params = format!(
                r#"{{"cardToken":"x","foo":[1],"protectedData":{{"note":"hi"}},{}"#,
                &request_params(LISTING)[1..]
            );
            let tx = world
                .initiate(&trusted(CUSTOMER), FREE_REQUEST, "transition/request", &params)
                .await
                .unwrap();
            assert_eq!(tx.state, "state/requested");
            assert_eq!((tx.process_name.as_str(), tx.process_version), ("free-request", 1));
            assert_eq!(tx.transitions.len(), 1);
            assert_eq!(tx.transitions[0].by, "customer");
            assert_eq!((tx.customer_id, tx.provider_id), (CUSTOMER.to_string(), PROVIDER.to_string()));
            assert_eq!(tx.payin_total.as_ref().unwrap().amount, 5000);
            assert_eq!(tx.protected_data, r#"{"note":"hi"}"#);
            let shown = world.show(&user(PROVIDER), &tx.id).await.unwrap();
            assert_eq!((shown.version, shown.state.as_str()), (1, "state/requested"));
            assert_eq!(shown.line_items, tx.line_items);
        }

        // contract: engine E19, E20, E23, E70, transactions T36, T39
        async fn a_start_that_is_refused_stores_nothing(db: Db) {
            let world = World::new(db).await;
            let params = request_params(LISTING);
            let start = async |actor: &stoa_policy::Actor, alias: &str, transition: &str, params: &str| {
                refusal(world.initiate(actor, alias, transition, params).await)
            };
            let closed = ListingId::new(Uuid::from_u128(0x12));
            world.put_listing(closed, PROVIDER, "closed");
            let me = trusted(CUSTOMER);
            let request = "transition/request";
            assert_eq!(
                start(&me, "free-request/none", request, &params).await,
                conflict("transaction-unknown-alias")
            );
            assert_eq!(start(&user(CUSTOMER), FREE_REQUEST, request, &params).await, forbidden());
            for transition in ["transition/accept", "transition/none", "transition/expire"] {
                assert_eq!(
                    start(&me, FREE_REQUEST, transition, &params).await,
                    conflict("transaction-invalid-transition")
                );
            }
            assert_eq!(start(&me, FREE_REQUEST, request, "{}").await, (400, "validation-missing-key".into()));
            for listing in [closed, ListingId::new(Uuid::from_u128(0x13))] {
                assert_eq!(
                    start(&me, FREE_REQUEST, request, &request_params(listing)).await,
                    conflict("transaction-listing-not-found")
                );
            }
            assert_eq!(
                start(&trusted(PROVIDER), FREE_REQUEST, request, &params).await,
                conflict("transaction-same-author-and-customer")
            );
            world.becomes(PROVIDER, "banned").await;
            assert_eq!(
                start(&me, FREE_REQUEST, request, &params).await,
                conflict("transaction-provider-banned-or-deleted")
            );
            assert_eq!(start(&trusted(PROVIDER), FREE_REQUEST, request, &params).await, forbidden());
            assert_eq!(world.count("SELECT count(*) FROM transactions").await, 0);
            assert!(world.envelopes().await.is_empty());
        }

        // contract: transactions T35, engine E37
        async fn who_waits_for_approval_or_lacks_the_permission_starts_nothing(db: Db) {
            let control = auth::AccessControl {
                require_permission_to_initiate_transactions: true,
                private: true,
                require_permission_to_read: true,
                ..auth::AccessControl::default()
            };
            let world = World::asking(db, control).await;
            let params = request_params(LISTING);
            let me = trusted(CUSTOMER);
            let start = async || {
                let real = world.initiate(&me, FREE_REQUEST, "transition/request", &params).await;
                let dry = world
                    .initiate_speculative(&me, FREE_REQUEST, "transition/request", &params)
                    .await;
                (real, dry)
            };
            world.becomes(CUSTOMER, "pendingApproval").await;
            let pending = (403, "permission-denied-pending-approval".to_owned());
            let (real, dry) = start().await;
            assert_eq!((refusal(real), refusal(dry)), (pending.clone(), pending));

            let denied = users::Permissions { read: true, ..users::Permissions::default() };
            world.set_user(CUSTOMER, "active", denied);
            world.drain().await;
            let (real, dry) = start().await;
            assert_eq!(refusal(real), (403, "permission-denied-initiate-transactions".into()));
            assert_eq!(dry.unwrap().state, "state/requested");

            let blind = users::Permissions { initiate_transactions: true, ..Default::default() };
            world.set_user(CUSTOMER, "active", blind);
            world.drain().await;
            let (real, dry) = start().await;
            let hidden = conflict("transaction-listing-not-found");
            assert_eq!((refusal(real), refusal(dry)), (hidden.clone(), hidden));
        }

        // contract: engine E21, E22
        async fn who_starts_decides_who_is_the_customer(db: Db) {
            const BOTH: &str = "{:format :v3 :transitions [
              {:name :transition/ask :actor :actor.role/customer :to :state/asked}
              {:name :transition/offer :actor :actor.role/provider :to :state/offered}]}";
            let world = World::new(db).await;
            world.install("both", BOTH).await;
            let params = format!(r#"{{"listingId":"{LISTING}"}}"#);
            let start = async |actor, transition| {
                world.initiate(&actor, "both/release-1", transition, &params).await
            };
            let offered = start(user(STRANGER), "transition/offer").await.unwrap();
            assert_eq!(offered.provider_id, STRANGER.to_string());
            assert_eq!(offered.customer_id, PROVIDER.to_string());
            assert_eq!(offered.transitions[0].by, "provider");
            let asked = start(user(STRANGER), "transition/ask").await.unwrap();
            assert_eq!(asked.customer_id, STRANGER.to_string());
            assert_eq!(
                refusal(start(user(PROVIDER), "transition/offer").await),
                conflict("transaction-same-author-and-customer")
            );
        }

        // contract: engine E18
        async fn a_transaction_keeps_its_version_when_the_alias_moves(db: Db) {
            const SECOND: &str = "{:format :v3 :transitions [
              {:name :transition/request :actor :actor.role/customer :to :state/other}]}";
            let world = World::new(db).await;
            let old = world.requested().await;
            let moved = world.cx().db.write(|tx| async move {
                let second = "INSERT INTO processes (name, version, edn, created_at) VALUES ('free-request', 2, $1, 0)";
                tx.execute(stoa_db::sql(second).bind(SECOND)).await?;
                tx.execute("UPDATE process_aliases SET version = 2 WHERE process_name = 'free-request'").await
            });
            assert_eq!(moved.await, Ok(1));
            let params = format!(r#"{{"listingId":"{LISTING}"}}"#);
            let new = world
                .initiate(&user(CUSTOMER), FREE_REQUEST, "transition/request", &params)
                .await
                .unwrap();
            assert_eq!((new.process_version, new.state.as_str()), (2, "state/other"));
            let accepted =
                world.transition(&user(PROVIDER), &old.id, "transition/accept", "").await.unwrap();
            assert_eq!((accepted.process_version, accepted.state.as_str()), (1, "state/accepted"));
        }

        async fn an_author_who_is_unknown_here_is_asked_for(db: Db) {
            let world = World::new(db).await;
            let newcomer = stoa_types::id::UserId::new(Uuid::from_u128(0x77));
            let listing = ListingId::new(Uuid::from_u128(0x78));
            world.put_listing(listing, newcomer, "published");
            let start = async || {
                world
                    .initiate(
                        &trusted(CUSTOMER),
                        FREE_REQUEST,
                        "transition/request",
                        &request_params(listing),
                    )
                    .await
            };
            assert_eq!(refusal(start().await), conflict("transaction-provider-banned-or-deleted"));
            // The feed has told of the newcomer, and this service has not consumed it.
            world.set_user(newcomer, "active", users::Permissions::default());
            assert_eq!(start().await.unwrap().provider_id, newcomer.to_string());
        }

        async fn an_initiation_tells_others_once_and_has_seven_statements(db: Db) {
            let world = World::new(db).await;
            // The definition is parsed by now, and both parties are known.
            world.requested().await;
            let caller = world.caller(&trusted(CUSTOMER)).await;
            let request = initiate(FREE_REQUEST, "transition/request", &request_params(LISTING));
            let call = super::initiate(world.cx(), caller, request);
            let (tx, statements) = stoa_db::accounting::scope(call).await;
            let tx = tx.unwrap();
            // Caller, alias; in the write: two parties, transaction, timer, envelope. PostgreSQL
            // takes a lock for each party.
            let expected = if world.is_postgres() { 9 } else { 7 };
            assert_eq!(statements.count, expected);

            let envelopes = world.envelopes().await;
            let last = envelopes.last().unwrap();
            assert_eq!(envelopes.len(), 2);
            assert_eq!(last.r#type, "transaction.initiated");
            assert_eq!((last.aggregate_id.as_str(), last.aggregate_version), (tx.id.as_str(), 1));
            let [event] = last.public_events.as_slice() else { panic!("one event") };
            assert_eq!(event.event_type, "transaction/initiated");
            assert_eq!(event.source, "source/transaction");
            assert!(event.previous.is_none() && event.previous_paths.is_empty());
            assert_eq!(event.related_ids, [tx.listing_id, tx.customer_id, tx.provider_id]);
            let actor = last.actor.as_ref().unwrap();
            assert_eq!(actor.level, "trusted");
            assert_eq!(actor.user_id, CUSTOMER.to_string());
            assert!(!actor.client_id.is_empty() && !actor.request_id.is_empty());
        }
    }
}
