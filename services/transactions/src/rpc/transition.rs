//! Takes the next step of a transaction.

use super::id_in;
use crate::context::Context;
use crate::error::Error;
use crate::transition::{self, Caused, Step};
use stoa_feed::outbox::SOURCE_TRANSACTION;
use stoa_feed::{Origin, OwnedStanding};
use stoa_policy::{Action, Resource};
use stoa_proto::transactions as pb;
use stoa_rpc::Caller;
use stoa_types::SourceKind;
use stoa_types::id::TransactionId;

pub(super) async fn transition(
    context: &Context,
    caller: Caller,
    request: pb::TransitionRequest,
) -> Result<pb::Transaction, Error> {
    let action = Action::TransitionTransaction;
    let standing = context.standings.prepare(&caller).await?;
    stoa_policy::require(
        &caller.actor,
        action,
        &standing.as_standing(),
        &Resource::None,
    )?;
    let id = id_in(SourceKind::Body, "id", TransactionId::parse(&request.id))?;
    let caused = caused(&caller, standing, action);
    let wanted = Step {
        id,
        transition: &request.transition,
        params: &request.params,
    };
    Ok(transition::step(context, &caused, wanted).await?.shown())
}

/// A step that a caller asks for.
pub(super) fn caused(caller: &Caller, standing: OwnedStanding, action: Action) -> Caused<'_> {
    Caused {
        actor: &caller.actor,
        standing,
        action,
        credentials: caller.forward("transactions"),
        origin: Origin::of(caller).with_source(SOURCE_TRANSACTION),
        timer: None,
    }
}

#[cfg(test)]
mod tests {
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use futures::future::join_all;
    use stoa_db::Db;
    use stoa_proto::events::envelope::Payload;
    use stoa_proto::events::resource::Resource;
    use stoa_testkit::engine::Place;

    /// Reviews and protected data without waiting; the last transition always fails.
    const LOOP: &str = "{:format :v3 :transitions [
      {:name :transition/begin :actor :actor.role/customer :to :state/open
       :actions [{:name :action/update-protected-data}]}
      {:name :transition/note :actor :actor.role/provider :from :state/open :to :state/open
       :actions [{:name :action/update-protected-data}]}
      {:name :transition/both :actor :actor.role/customer :from :state/open :to :state/open
       :actions [{:name :action/post-review-by-customer} {:name :action/publish-reviews}]}
      {:name :transition/reveal :actor :actor.role/provider :from :state/open :to :state/open
       :actions [{:name :action/reveal-customer-protected-data
                  :config {:key-mapping {:phone :customerPhone}}}]}
      {:name :transition/break :actor :actor.role/customer :from :state/open :to :state/broken
       :actions [{:name :action/update-protected-data} {:name :action/fail}]}
      {:name :transition/book :actor :actor.role/customer :from :state/open :to :state/booked
       :actions [{:name :action/create-pending-booking}]}
      {:name :transition/pay :actor :actor.role/customer :from :state/open :to :state/paid
       :actions [{:name :action/privileged-set-line-items}
                 {:name :action/stripe-create-payment-intent}] :privileged? true}]}";

    async fn looping(world: &World) -> String {
        world.install("loop", LOOP).await;
        let params = format!(r#"{{"listingId":"{LISTING}","protectedData":{{"a":1,"b":2}}}}"#);
        let tx = world
            .initiate(
                &user(CUSTOMER),
                "loop/release-1",
                "transition/begin",
                &params,
            )
            .await;
        tx.unwrap().id
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: engine E25, E26, E28, E29, E70
        async fn only_the_right_actor_leaves_the_right_state(db: Db) {
            let world = World::new(db).await;
            let id = world.requested().await.id;
            let take = async |actor, transition| {
                refusal(world.transition(&actor, &id, transition, "").await)
            };
            let invalid = conflict("transaction-invalid-transition");
            for (actor, transition) in [
                (user(CUSTOMER), "transition/accept"),
                (user(PROVIDER), "transition/cancel-from-requested"),
                (trusted(PROVIDER), "transition/expire"),
                (user(PROVIDER), "transition/review-1-by-provider"),
                (user(PROVIDER), "transition/none"),
                (integration(), "transition/accept"),
                (operator(), "transition/expire"),
            ] {
                assert_eq!(take(actor, transition).await, invalid, "{transition}");
            }
            assert_eq!(take(user(STRANGER), "transition/accept").await, forbidden());
            let unknown = world.transition(&user(PROVIDER), &LISTING.to_string(), "transition/accept", "").await;
            assert_eq!(refusal(unknown), conflict("transaction-not-found"));
            let bad = world.transition(&user(PROVIDER), "x", "transition/accept", "").await;
            assert_eq!(refusal(bad), (400, "validation-invalid-value".into()));
            assert_eq!(world.tx(&id).await.version, 1);
        }

        // contract: engine E29, E61, E69 (F4)
        async fn an_operator_cancels_with_metadata_and_the_totals_become_zero(db: Db) {
            let world = World::new(db).await;
            let id = world.requested().await.id;
            world.transition(&user(PROVIDER), &id, "transition/accept", "{}").await.unwrap();
            let canceled = world
                .transition(&integration(), &id, "transition/cancel", r#"{"metadata":{"why":"x"}}"#)
                .await
                .unwrap();
            assert_eq!(canceled.state, "state/canceled");
            assert_eq!(canceled.transitions.last().unwrap().by, "operator");
            assert_eq!(canceled.metadata, r#"{"why":"x"}"#);
            assert_eq!(canceled.payin_total.unwrap().amount, 0);
            assert_eq!(canceled.line_items.len(), 2);
            assert_eq!(world.count("SELECT count(*) FROM timers").await, 0);

            let id = world.requested().await.id;
            world.transition(&operator(), &id, "transition/cancel-from-requested", "").await.unwrap();
            assert_eq!(world.stands(&id).await, ("state/canceled".into(), "operator".into()));
        }

        // contract: engine E69 (F2)
        async fn a_declined_request_is_taken_back(db: Db) {
            let world = World::new(db).await;
            let id = world.requested().await.id;
            let declined =
                world.transition(&user(PROVIDER), &id, "transition/decline", "").await.unwrap();
            assert_eq!(declined.state, "state/declined");
            assert!(declined.line_items[1].reversal);
            assert_eq!(declined.line_items[1].quantity.as_deref(), Some("-1"));
            assert_eq!(declined.payout_total.unwrap().amount, 0);
        }

        // contract: engine E60
        async fn events_tell_what_was_before(db: Db) {
            let world = World::new(db).await;
            let id = looping(&world).await;
            let patch = r#"{"protectedData":{"b":null,"c":{"d":1}}}"#;
            let tx = world.transition(&user(PROVIDER), &id, "transition/note", patch).await.unwrap();
            assert_eq!(tx.protected_data, r#"{"a":1,"c":{"d":1}}"#);
            assert!(tx.protected_data_writers.is_empty(), "never shown");
            let envelope = world.envelopes().await.pop().unwrap();
            assert_eq!(envelope.r#type, "transaction.transitioned");
            assert_eq!(envelope.aggregate_version, 2);
            let Some(Payload::Transaction(told)) = &envelope.payload else {
                panic!("a transaction")
            };
            assert_eq!(told.protected_data_writers["a"], CUSTOMER.to_string());
            assert_eq!(told.protected_data_writers["c"], PROVIDER.to_string());
            let [event] = envelope.public_events.as_slice() else { panic!("one event") };
            assert_eq!(
                event.previous_paths,
                [
                    "attributes.lastTransition",
                    "attributes.transitions",
                    "attributes.protectedData",
                ]
            );
            let previous = event.previous.as_ref().unwrap().resource.as_ref().unwrap();
            let Resource::Transaction(previous) = previous else { panic!("a transaction") };
            assert_eq!(previous.protected_data, r#"{"b":2,"c":null}"#);
            assert_eq!(previous.protected_data_writers["b"], CUSTOMER.to_string());
            assert_eq!(previous.transitions.len(), 1);
        }

        // contract: engine E57
        async fn a_review_that_is_published_at_once_is_told_before_the_transition(db: Db) {
            let world = World::new(db).await;
            let id = looping(&world).await;
            world.transition(&user(CUSTOMER), &id, "transition/both", REVIEW).await.unwrap();
            assert_eq!(
                world.last_events().await,
                ["review/created", "review/updated", "transaction/transitioned"]
            );
            let again = world.transition(&user(CUSTOMER), &id, "transition/both", REVIEW).await;
            assert_eq!(refusal(again), conflict("transaction-already-reviewed-by-customer"));
            assert_eq!(world.parts(&user(PROVIDER), &id).await.reviews[0].state, "public");
        }

        // contract: engine E59
        async fn only_mapped_keys_of_a_profile_are_revealed(db: Db) {
            let world = World::new(db).await;
            let id = looping(&world).await;
            let profile = r#"{"phone":"+1","secret":"x"}"#.to_owned();
            world.users.profiles.lock().insert(CUSTOMER.to_string(), profile);
            let tx = world.transition(&user(PROVIDER), &id, "transition/reveal", "").await.unwrap();
            assert_eq!(tx.protected_data, r#"{"a":1,"b":2,"customerPhone":"+1"}"#);
            let Some(Payload::Transaction(told)) = world.envelopes().await.pop().unwrap().payload
            else {
                panic!("a transaction")
            };
            assert_eq!(told.protected_data_writers["customerPhone"], CUSTOMER.to_string());
        }

        // contract: engine E71
        async fn what_cannot_run_leaves_no_trace_and_no_lock(db: Db) {
            let world = World::new(db).await;
            let id = looping(&world).await;
            let take = async |transition, params| {
                refusal(world.transition(&trusted(CUSTOMER), &id, transition, params).await)
            };
            assert_eq!(
                take("transition/break", r#"{"protectedData":{"x":1}}"#).await,
                conflict("conflict")
            );
            let booking = r#"{"bookingStart":"2026-05-01T00:00:00.000Z","bookingEnd":"2026-05-02T00:00:00.000Z"}"#;
            assert_eq!(take("transition/book", booking).await, conflict("conflict"));
            assert_eq!(take("transition/book", "{}").await, (400, "validation-missing-key".into()));
            assert_eq!(
                take("transition/pay", &request_params(LISTING)).await,
                conflict("stripe-missing-api-key")
            );
            let tx = world.tx(&id).await;
            assert_eq!((tx.version, tx.transitions.len(), tx.payin_total), (1, 1, None));
            assert_eq!(tx.protected_data, r#"{"a":1,"b":2}"#);
            assert_eq!(world.count("SELECT count(*) FROM attempts").await, 0);
            assert_eq!(
                world.count("SELECT count(*) FROM attempt_ends WHERE outcome = 'aborted'").await,
                2,
                "the booking and the payment were tried, what was malformed was not"
            );
            assert_eq!(world.envelopes().await.len(), 1);
        }

        // contract: transactions T38, T46, engine E66
        async fn a_ban_stops_the_parties_and_a_deletion_everybody(db: Db) {
            let world = World::new(db).await;
            let id = world.requested().await.id;
            let other = world.requested().await.id;
            world.becomes(CUSTOMER, "banned").await;
            let gone = conflict("transaction-customer-banned-or-deleted");
            let take = async |actor, id: &str, transition| {
                world.transition(&actor, id, transition, "").await
            };
            assert_eq!(refusal(take(user(PROVIDER), &id, "transition/accept").await), gone);
            assert_eq!(refusal(take(user(CUSTOMER), &id, "transition/accept").await), forbidden());
            take(integration(), &id, "transition/cancel-from-requested").await.unwrap();
            world.becomes(CUSTOMER, "deleted").await;
            assert_eq!(refusal(take(user(PROVIDER), &other, "transition/accept").await), gone);
            assert_eq!(
                refusal(take(operator(), &other, "transition/cancel-from-requested").await),
                gone
            );
            let dead = take(user(CUSTOMER), &other, "transition/accept").await;
            assert_eq!(refusal(dead), (401, "auth-invalid-access-token".into()));
            assert_eq!(world.tx(&other).await.state, "state/requested");
        }

        // contract: engine E50
        async fn of_many_transitions_at_once_exactly_one_wins(db: Db) {
            let world = World::new(db).await;
            for _ in 0..3 {
                let id = world.requested().await.id;
                let calls = (0..10).map(|n| {
                    let (world, id) = (&world, &id);
                    async move {
                        let transition =
                            if n % 2 == 0 { "transition/accept" } else { "transition/decline" };
                        world.transition(&user(PROVIDER), id, transition, "").await
                    }
                });
                let answers = join_all(calls).await;
                let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
                assert_eq!(won.len(), 1);
                for answer in lost {
                    assert_eq!(refusal(answer), conflict("transaction-invalid-transition"));
                }
                assert_eq!(world.tx(&id).await.transitions.len(), 2);
            }
        }

        // contract: engine E50 (two replicas)
        async fn of_64_writers_at_two_replicas_exactly_one_wins(place: Place) {
            let world = World::new(place.open().await).await;
            let other = world.replica(place.open().await).await;
            for _ in 0..3 {
                let id = world.requested().await.id;
                let calls = (0..64).map(|n| {
                    let replica = if n % 4 < 2 { &world } else { &other };
                    let transition =
                        if n % 2 == 0 { "transition/accept" } else { "transition/decline" };
                    let id = &id;
                    async move { replica.transition(&user(PROVIDER), id, transition, "").await }
                });
                let answers = join_all(calls).await;
                let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
                assert_eq!((won.len(), lost.len()), (1, 63));
                for answer in lost {
                    assert_eq!(refusal(answer), conflict("transaction-invalid-transition"));
                }
                let tx = world.tx(&id).await;
                assert_eq!(tx.state, won[0].as_ref().unwrap().state);
                assert_eq!((tx.version, tx.transitions.len()), (2, 2));
                let told = world.envelopes().await;
                assert_eq!(told.iter().filter(|e| e.aggregate_id == id).count(), 2);
            }
        }

        async fn a_transition_waits_for_no_attempt_and_has_a_fixed_number_of_statements(db: Db) {
            let world = World::new(db).await;
            let id = world.requested().await.id;
            let tx = stoa_types::id::TransactionId::parse(&id).unwrap();
            let now = world.cx().real_clock.now();
            let attempt = crate::store::attempts::Attempt {
                id: stoa_types::id::AttemptId::random(&*world.cx().entropy),
                transaction: tx,
                transition: "transition/pay".into(),
                started_at: now,
                lease_until: now.plus_ms(60_000),
            };
            let opened = &attempt;
            let opened = world.cx().db.write(|tx| async move {
                crate::store::attempts::open(&tx, opened).await
            });
            assert!(opened.await.unwrap());
            let accept = async || {
                let caller = world.caller(&user(PROVIDER)).await;
                let request = step(&id, "transition/accept", "");
                super::transition(world.cx(), caller, request).await
            };
            assert!(matches!(accept().await, Err(crate::error::Error::Locked)));
            let resolved = world.resolve_attempt(&attempt.id.to_string()).await.unwrap();
            assert_eq!(resolved.outcome, "aborted");
            let (done, statements) = stoa_db::accounting::scope(accept()).await;
            assert_eq!(done.unwrap().state, "state/accepted");
            // Caller, transaction; in the write: both parties, transaction, reviews,
            // transaction, old timers, new timer, envelope. PostgreSQL locks both parties.
            let expected = if world.is_postgres() { 12 } else { 10 };
            assert_eq!(statements.count, expected);
        }
    }
}
