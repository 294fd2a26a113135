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
use stoa_feed::Origin;
use stoa_feed::outbox::SOURCE_TRANSACTION;
use stoa_policy::{Action, Actor};
use stoa_proto::Class;
use stoa_rpc::Tasks;
use stoa_types::id::RequestId;

/// How long a claim lasts, in milliseconds of real time.
const LEASE_MS: i64 = 60_000;
/// Tries before a failure of ours counts as one of the transaction: about a day.
const MAX_TRIES: i64 = 27;

/// Runs timers until the process stops.
pub(crate) async fn run(context: Context, tasks: Tasks) {
    loop {
        if let Err(error) = run_due(&context).await {
            tracing::error!(error = ?error, "Due transitions could not be read");
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
        let due = timers::due(context.clock.now(), context.real_clock.now());
        let due: Vec<DueTimer> = context.db.all_as(due).await?;
        if due.is_empty() {
            return Ok(any);
        }
        for timer in due {
            if let Some(claimed) = claim(context, timer).await? {
                any = true;
                take(context, &claimed).await?;
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
        // The transaction has moved on.
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
