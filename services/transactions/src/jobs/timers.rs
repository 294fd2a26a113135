//! Takes delayed transitions when they are due, in the order of their times.
//!
//! Several replicas may run this: a timer is claimed by compare-and-set on its lease, and before
//! the commit the claim and the length of the history are looked at again under the row's lock.
//! A timer that fails for a reason of the transaction is recorded and takes the other timers of
//! the state along; one that fails for a reason of ours is tried again.

use super::POLL;
use crate::context::Context;
use crate::error::Error;
use crate::store::timers::{self, DueTimer};
use crate::transition::{self, Caused, Step};
use stoa_feed::outbox::SOURCE_TRANSACTION;
use stoa_feed::{Origin, OwnedStanding};
use stoa_policy::{Action, Actor};
use stoa_proto::Class;
use stoa_rpc::Tasks;
use stoa_telemetry::metrics;
use stoa_telemetry::trace::Span;
use stoa_types::id::RequestId;

/// How long a claim lasts, in milliseconds of real time: longer than the calls of a transition, and
/// short enough that what a killed process had claimed is not late.
const LEASE_MS: i64 = 15_000;
/// Tries before a failure of ours counts as one of the transaction: about a day.
const MAX_TRIES: i64 = 27;

/// Runs timers until the process stops.
pub(crate) async fn run(context: Context, tasks: Tasks) {
    loop {
        match run_due(&context).await {
            Ok(_) => metrics().jobs.passed("transactions", "timers"),
            Err(error) => tracing::error!(error = ?error, "Due transitions could not be read"),
        }
        tokio::select! {
            () = tasks.stopping() => return,
            () = context.timer_due.notified() => {}
            () = tokio::time::sleep(POLL) => {}
        }
    }
}

/// Runs what is due, and what becomes due by that; true when there was anything.
///
/// # Errors
/// Those of the statements about timers. A transition that fails is noted with its timer.
pub(crate) async fn run_due(context: &Context) -> Result<bool, Error> {
    let mut any = false;
    loop {
        let now = context.clock.now();
        let due = timers::due(now, context.real_clock.now());
        let due: Vec<DueTimer> = context.db.all_as(due).await?;
        let oldest = due.first().map_or(0, |timer| now.ms_since(timer.due_at));
        metrics().jobs.timer_lag(oldest);
        if due.is_empty() {
            return Ok(any);
        }
        for timer in due {
            if let Some(claimed) = claim(context, timer).await? {
                any = true;
                Span::own("timer").around(take(context, &claimed)).await?;
            }
        }
    }
}

/// The timer under a lease of this process, or nothing when another one was faster.
async fn claim(context: &Context, timer: DueTimer) -> Result<Option<DueTimer>, Error> {
    let until = context.real_clock.now().plus_ms(LEASE_MS);
    let statement = timers::claim(&timer, until);
    let claimed = context
        .db
        .write(|tx| {
            let statement = statement.clone();
            async move { tx.execute(statement).await }
        })
        .await?;
    let held = DueTimer {
        lease_until: until,
        tries: timer.tries + 1,
        ..timer
    };
    Ok((claimed == 1).then_some(held))
}

/// Takes the transition of a claimed timer.
async fn take(context: &Context, timer: &DueTimer) -> Result<(), Error> {
    let cause = format!("timer {}", timer.id);
    let actor = Actor::system(cause.as_str());
    let request = RequestId::random(&*context.entropy);
    let caused = Caused {
        actor: &actor,
        standing: OwnedStanding::default(),
        action: Action::PrivilegedTransition,
        credentials: context.identity.system(&cause, Class::Read, request),
        origin: Origin::new(&actor, None).with_source(SOURCE_TRANSACTION),
        timer: Some(timer),
    };
    let wanted = Step {
        id: timer.transaction,
        transition: &timer.transition,
        params: "",
    };
    match transition::step(context, &caused, wanted).await {
        Ok(_) => Ok(()),
        // The transaction has moved on, or the timer is another process's now, which is then left
        // to that one.
        Err(Error::NotFound | Error::TransactionNotFound) => {
            change(context, timers::drop_one(timer)).await.map(drop)
        }
        Err(error) if error.is_infrastructure() && timer.tries < MAX_TRIES => {
            tracing::warn!(
                transaction = %timer.transaction,
                transition = timer.transition,
                tries = timer.tries,
                error = ?error,
                "A delayed transition will be tried again"
            );
            let until = context.real_clock.now().plus_ms(pause_ms(timer.tries));
            change(context, timers::postpone(timer, until, &error.to_string()))
                .await
                .map(drop)
        }
        Err(error) => fail(context, timer, &error).await,
    }
}

/// Records a failure; no further delayed transition leaves this state.
async fn fail(context: &Context, timer: &DueTimer, error: &Error) -> Result<(), Error> {
    tracing::warn!(
        transaction = %timer.transaction,
        transition = timer.transition,
        error = ?error,
        "A delayed transition failed"
    );
    let failed = timers::fail(timer, &error.to_string());
    context
        .db
        .write(|tx| {
            let failed = failed.clone();
            async move {
                // A transaction that has moved on meanwhile has other timers, which stay.
                if tx.execute(failed).await? == 1 {
                    tx.execute(timers::cancel_scheduled(timer.transaction))
                        .await?;
                }
                Ok::<_, Error>(())
            }
        })
        .await
}

async fn change(context: &Context, statement: stoa_db::Sql) -> Result<u64, Error> {
    let changed = context
        .db
        .write(|tx| {
            let statement = statement.clone();
            async move { tx.execute(statement).await }
        })
        .await?;
    Ok(changed)
}

/// Milliseconds before the next try: 1, 5 and 30 minutes, then an hour each.
const fn pause_ms(tries: i64) -> i64 {
    const MINUTE: i64 = 60_000;
    match tries {
        ..=1 => MINUTE,
        2 => 5 * MINUTE,
        3 => 30 * MINUTE,
        _ => 60 * MINUTE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use futures::future::join_all;
    use stoa_db::{Db, sql};
    use stoa_proto::transactions as pb;

    /// From `open` two delayed transitions leave, of which the earlier one always fails; from
    /// `passing` one that is due at once leads on to one that is past, and one that was past is
    /// not scheduled.
    const TIMED: &str = "{:format :v3 :transitions [
      {:name :transition/begin :actor :actor.role/customer :to :state/open}
      {:name :transition/first :from :state/open :to :state/failed
       :at {:fn/plus [{:fn/timepoint [:time/tx-initiated]} {:fn/period [\"P1D\"]}]}
       :actions [{:name :action/fail}]}
      {:name :transition/second :from :state/open :to :state/failed
       :at {:fn/plus [{:fn/timepoint [:time/tx-initiated]} {:fn/period [\"P2D\"]}]}}
      {:name :transition/go :actor :actor.role/customer :from :state/open :to :state/passing}
      {:name :transition/pass :from :state/passing :to :state/passed
       :at {:fn/timepoint [:time/first-entered-state :state/passing]}}
      {:name :transition/ignored :from :state/passed :to :state/failed
       :at {:fn/ignore-if-past [{:fn/minus
             [{:fn/timepoint [:time/tx-initiated]} {:fn/period [\"PT1S\"]}]}]}}
      {:name :transition/end :from :state/passed :to :state/ended
       :at {:fn/timepoint [:time/tx-initiated]}}]}";

    async fn take(
        world: &World,
        user_id: stoa_types::id::UserId,
        id: &str,
        name: &str,
    ) -> pb::Transaction {
        let params = if name.starts_with("review") {
            REVIEW
        } else {
            ""
        };
        let name = format!("transition/{name}");
        world
            .transition(&user(user_id), id, &name, params)
            .await
            .unwrap()
    }

    async fn timed(world: &World) -> String {
        world.install("timed", TIMED).await;
        let params = format!(r#"{{"listingId":"{LISTING}"}}"#);
        let begun = world
            .initiate(
                &user(CUSTOMER),
                "timed/release-1",
                "transition/begin",
                &params,
            )
            .await;
        begun.unwrap().id
    }

    async fn statuses(world: &World) -> Vec<(String, String)> {
        let all = "SELECT transition, status FROM timers ORDER BY due_at";
        world.cx().db.all_as(sql(all)).await.unwrap()
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: engine E69 (F1)
        async fn an_accepted_request_is_completed_by_time_and_reviewed_by_both(db: Db) {
            let world = World::new(db).await;
            let id = world.requested().await.id;
            world.pass(5 * DAY).await;
            take(&world, PROVIDER, &id, "accept").await;
            world.pass(7 * DAY - 1).await;
            assert_eq!(world.tx(&id).await.state, "state/accepted", "never before its time");
            world.pass(1).await;
            assert_eq!(world.stands(&id).await, ("state/completed".into(), "system".into()));
            let envelope = world.envelopes().await.pop().unwrap();
            let actor = envelope.actor.unwrap();
            assert_eq!((actor.level.as_str(), actor.user_id.as_str(), actor.client_id.as_str()), ("system", "", ""));
            assert!(actor.cause.starts_with("timer "));
            assert_eq!(envelope.public_events[0].source, "source/transaction");
            take(&world, CUSTOMER, &id, "review-1-by-customer").await;
            let done = take(&world, PROVIDER, &id, "review-2-by-provider").await;
            assert_eq!(done.state, "state/reviewed");
            let reviews = world.parts(&user(CUSTOMER), &id).await.reviews;
            assert!(reviews.len() == 2 && reviews.iter().all(|review| review.state == "public"));
            world.pass(100 * DAY).await;
            assert_eq!(world.tx(&id).await.transitions.len(), 5);
        }

        // contract: engine E69 (F3), transactions T46
        async fn an_unanswered_request_expires_also_when_a_party_is_banned(db: Db) {
            let world = World::new(db).await;
            let id = world.requested().await.id;
            world.becomes(CUSTOMER, "banned").await;
            world.pass(6 * DAY).await;
            let tx = world.tx(&id).await;
            assert_eq!(tx.state, "state/expired");
            assert_eq!(tx.transitions[1].by, "system");
            assert_eq!(tx.payin_total.unwrap().amount, 0);
        }

        // contract: engine E58, E69 (F5, F6)
        async fn the_time_for_reviews_ends_with_one_or_without_any(db: Db) {
            let world = World::new(db).await;
            let (one, none) = (world.requested().await.id, world.requested().await.id);
            for id in [&one, &none] {
                take(&world, PROVIDER, id, "accept").await;
            }
            world.pass(7 * DAY).await;
            world.pass(3 * DAY).await;
            take(&world, PROVIDER, &one, "review-1-by-provider").await;
            world.pass(4 * DAY).await;
            for id in [&one, &none] {
                assert_eq!(world.stands(id).await, ("state/reviewed".into(), "system".into()));
            }
            assert_eq!(world.parts(&anonymous(), &one).await.reviews.len(), 0);
            let reviews = world.parts(&user(CUSTOMER), &one).await.reviews;
            assert_eq!((reviews.len(), reviews[0].state.as_str()), (1, "public"));
            assert!(world.parts(&user(CUSTOMER), &none).await.reviews.is_empty());
        }

        // contract: engine E41
        async fn a_delayed_transition_that_fails_stops_the_others_of_its_state(db: Db) {
            let world = World::new(db).await;
            let id = timed(&world).await;
            world.pass(3 * DAY).await;
            assert_eq!(world.tx(&id).await.state, "state/open");
            assert_eq!(
                statuses(&world).await,
                [
                    ("transition/first".into(), "failed".into()),
                    ("transition/second".into(), "cancelled".into())
                ]
            );
            assert_eq!(take(&world, CUSTOMER, &id, "go").await.state, "state/passing");
        }

        // contract: engine E42, E43
        async fn what_is_due_at_once_runs_behind_the_answer(db: Db) {
            let world = World::new(db).await;
            let id = timed(&world).await;
            world.clock.advance_ms(1000);
            let answer = take(&world, CUSTOMER, &id, "go").await;
            assert_eq!(answer.state, "state/passing", "the answer shows the state before it");
            world.drain().await;
            let tx = world.tx(&id).await;
            assert_eq!((tx.state.as_str(), tx.transitions.len()), ("state/ended", 4));
            assert!(statuses(&world).await.is_empty());
        }

        // contract: engine E43
        async fn a_running_service_takes_an_immediate_transition_by_itself(db: Db) {
            let world = World::new(db).await;
            let id = timed(&world).await;
            world.service.start();
            take(&world, CUSTOMER, &id, "go").await;
            let ended = async {
                while world.tx(&id).await.state != "state/ended" {
                    tokio::task::yield_now().await;
                }
            };
            let in_time = std::time::Duration::from_secs(2);
            tokio::time::timeout(in_time, ended).await.unwrap();
            world.service.0.tasks.shut_down().await;
        }

        // contract: engine E46
        async fn overdue_timers_run_once_each_in_their_order_after_a_restart(db: Db) {
            let world = World::new(db).await;
            let mut ids = Vec::new();
            for _ in 0..3 {
                ids.push(world.requested().await.id);
                world.clock.advance_ms(1000);
            }
            // The last one was due first.
            let first = "UPDATE timers SET due_at = due_at - 9000 WHERE transaction_id = $1";
            let last = ids[2].as_str();
            let moved = world
                .cx()
                .db
                .write(|tx| async move { tx.execute(sql(first).bind(last)).await });
            assert_eq!(moved.await, Ok(1));
            let restarted = world.again().await;
            restarted.pass(30 * DAY).await;
            let expired: Vec<_> = restarted
                .envelopes()
                .await
                .into_iter()
                .filter(|envelope| envelope.r#type == "transaction.transitioned")
                .map(|envelope| envelope.aggregate_id)
                .collect();
            ids.rotate_right(1);
            assert_eq!(expired, ids);
        }

        // contract: engine E47
        async fn of_many_workers_one_runs_a_timer(db: Db) {
            let world = World::new(db).await;
            let mut ids = Vec::new();
            for _ in 0..5 {
                ids.push(world.requested().await.id);
            }
            let other = world.again().await;
            other.drain().await;
            world.clock.advance_ms(6 * DAY);
            let workers = [&world, &other, &world, &other];
            let runs = workers.map(|world| run_due(world.cx()));
            for ran in join_all(runs).await {
                ran.unwrap();
            }
            for id in ids {
                assert_eq!(world.tx(&id).await.transitions.len(), 2);
            }
            assert!(statuses(&world).await.is_empty());
        }

        // contract: engine E47 (clocks that differ)
        async fn who_lost_a_timer_to_another_leaves_it_to_that_one(db: Db) {
            let world = World::new(db).await;
            let id = world.requested().await.id;
            let other = world.ahead_by(3_600_000).await;
            other.drain().await;
            world.clock.advance_ms(6 * DAY);
            other.clock.advance_ms(6 * DAY);
            let mut held = Vec::new();
            for world in [&world, &other] {
                let cx = world.cx();
                let due = timers::due(cx.clock.now(), cx.real_clock.now());
                let due: Vec<DueTimer> = cx.db.all_as(due).await.unwrap();
                let [timer] = <[DueTimer; 1]>::try_from(due).unwrap();
                held.push(claim(cx, timer).await.unwrap().unwrap());
            }
            super::take(world.cx(), &held[0]).await.unwrap();
            assert_eq!(world.tx(&id).await.transitions.len(), 1);
            super::take(other.cx(), &held[1]).await.unwrap();
            assert_eq!(world.tx(&id).await.transitions.len(), 2);
            assert!(statuses(&world).await.is_empty());
        }

        // contract: engine E47 (clocks that differ)
        async fn timers_run_once_on_replicas_whose_clocks_are_an_hour_apart(db: Db) {
            let world = World::new(db).await;
            let mut ids = Vec::new();
            for _ in 0..5 {
                ids.push(world.requested().await.id);
            }
            let other = world.ahead_by(3_600_000).await;
            other.drain().await;
            world.clock.advance_ms(6 * DAY);
            other.clock.advance_ms(6 * DAY);
            let workers = [&world, &other, &world, &other];
            for ran in join_all(workers.map(|world| run_due(world.cx()))).await {
                ran.unwrap();
            }
            for id in ids {
                assert_eq!(world.tx(&id).await.transitions.len(), 2);
            }
            assert!(statuses(&world).await.is_empty());
        }

        async fn a_timer_whose_owner_died_is_taken_when_its_lease_is_over(db: Db) {
            let world = World::new(db).await;
            let id = world.requested().await.id;
            let now = world.cx().real_clock.now();
            let leased = world.cx().db.write(|tx| async move {
                tx.execute(sql("UPDATE timers SET lease_until = $1").bind(now.plus_ms(60_000))).await
            });
            assert_eq!(leased.await, Ok(1));
            world.pass(7 * DAY).await;
            assert_eq!(world.tx(&id).await.state, "state/requested");
            let over = world.cx().db.write(|tx| async move {
                tx.execute(sql("UPDATE timers SET lease_until = $1").bind(now.plus_ms(-1))).await
            });
            assert_eq!(over.await, Ok(1));
            world.drain().await;
            assert_eq!(world.tx(&id).await.state, "state/expired");
        }
    }

    #[test]
    fn pauses_grow_to_an_hour_and_tries_end_after_a_day() {
        let pauses: Vec<_> = (1..=5).map(|tries| pause_ms(tries) / 60_000).collect();
        assert_eq!(pauses, [1, 5, 30, 60, 60]);
        let all: i64 = (1..MAX_TRIES).map(pause_ms).sum();
        assert!((23 * DAY / 24..=25 * DAY / 24).contains(&all), "{all}");
    }
}
