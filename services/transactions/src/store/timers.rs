//! Delayed transitions that wait for their time.
//!
//! A timer is claimed by compare-and-set on its lease, so of several replicas one runs it; its
//! due time is domain time, its lease real time.

use stoa_db::{Bind as _, DbError, FromRow, Row, Sql, SqlBuilder, sql, statements};
use stoa_process::engine::ScheduledTransition;
use stoa_types::id::TransactionId;
use stoa_types::{Entropy, Timestamp};
use uuid::Uuid;

statements! {
    /// Due and free, in the order they are to run.
    DUE =
        "SELECT id, transaction_id, transition, entry, tries, lease_until, due_at
           FROM timers
          WHERE status = 'scheduled' AND due_at <= $1 AND lease_until <= $2
          ORDER BY due_at, place, id
          LIMIT 100";
    CLAIM =
        "UPDATE timers
            SET lease_until = $1, tries = tries + 1
          WHERE id = $2 AND status = 'scheduled' AND lease_until = $3";
    /// Tries again not before a time; only under the own claim.
    POSTPONE =
        "UPDATE timers SET lease_until = $1, error = $2
          WHERE id = $3 AND status = 'scheduled' AND lease_until = $4";
    FAIL =
        "UPDATE timers SET status = 'failed', error = $1
          WHERE id = $2 AND status = 'scheduled' AND lease_until = $3";
    CANCEL_SCHEDULED =
        "UPDATE timers SET status = 'cancelled' WHERE transaction_id = $1 AND status = 'scheduled'";
    /// A transaction that moves on leaves every timer of its last state behind.
    CLEAR = "DELETE FROM timers WHERE transaction_id = $1";
    /// Only under the own claim.
    DROP_ONE = "DELETE FROM timers WHERE id = $1 AND lease_until = $2";
    /// The transition is still the one that scheduled it, under the own claim.
    HELD =
        "SELECT id FROM timers
          WHERE id = $1 AND status = 'scheduled' AND lease_until = $2 AND entry = $3";
}

/// A timer that may be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DueTimer {
    /// Its id.
    pub(crate) id: Uuid,
    /// The transaction to move.
    pub(crate) transaction: TransactionId,
    /// The transition to take.
    pub(crate) transition: String,
    /// Length of the history that scheduled it.
    pub(crate) entry: i64,
    /// How often it was tried before.
    pub(crate) tries: i64,
    /// The lease that was seen, or that this process has after its claim.
    pub(crate) lease_until: Timestamp,
    /// When the transition is to be taken, in domain time.
    pub(crate) due_at: Timestamp,
}

impl FromRow for DueTimer {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            id: row.get(0)?,
            transaction: row.get(1)?,
            transition: row.get(2)?,
            entry: row.get(3)?,
            tries: row.get(4)?,
            lease_until: row.get(5)?,
            due_at: row.get(6)?,
        })
    }
}

/// Timers due at `domain_now` that nobody holds at `real_now`.
pub(crate) fn due(domain_now: Timestamp, real_now: Timestamp) -> Sql {
    sql(DUE).bind(domain_now).bind(real_now)
}

/// Stores scheduled transitions of one transaction; there is at least one.
pub(crate) fn insert(
    transaction: TransactionId,
    scheduled: &[ScheduledTransition],
    entropy: &dyn Entropy,
) -> Sql {
    let mut q = SqlBuilder::new(
        "INSERT INTO timers (id, transaction_id, transition, due_at, place, entry, status, \
         tries, lease_until) VALUES ",
    );
    q.push_rows(scheduled.iter().zip(0_i64..), |(scheduled, place)| {
        [
            entropy.uuid().value(),
            transaction.value(),
            scheduled.transition.as_str().value(),
            scheduled.run_at.value(),
            place.value(),
            i64::try_from(scheduled.entry).unwrap_or(i64::MAX).value(),
            "scheduled".value(),
            0_i64.value(),
            0_i64.value(),
        ]
    });
    q.build()
}

/// Claims a timer up to `until`; changes one row when nobody was faster.
pub(crate) fn claim(timer: &DueTimer, until: Timestamp) -> Sql {
    sql(CLAIM)
        .bind(until)
        .bind(timer.id)
        .bind(timer.lease_until)
}

/// Leaves a claimed timer for a later try.
pub(crate) fn postpone(timer: &DueTimer, until: Timestamp, error: &str) -> Sql {
    sql(POSTPONE)
        .bind(until)
        .bind(error)
        .bind(timer.id)
        .bind(timer.lease_until)
}

/// Records that a claimed timer failed for good.
pub(crate) fn fail(timer: &DueTimer, error: &str) -> Sql {
    sql(FAIL).bind(error).bind(timer.id).bind(timer.lease_until)
}

/// Gives the row when the timer is still scheduled under the own claim.
pub(crate) fn held(timer: &DueTimer) -> Sql {
    sql(HELD)
        .bind(timer.id)
        .bind(timer.lease_until)
        .bind(timer.entry)
}

/// Cancels what is scheduled for a transaction.
pub(crate) fn cancel_scheduled(transaction: TransactionId) -> Sql {
    sql(CANCEL_SCHEDULED).bind(transaction)
}

/// Removes all timers of a transaction.
pub(crate) fn clear(transaction: TransactionId) -> Sql {
    sql(CLEAR).bind(transaction)
}

/// Removes one timer, unless another process has claimed it since.
pub(crate) fn drop_one(timer: &DueTimer) -> Sql {
    sql(DROP_ONE).bind(timer.id).bind(timer.lease_until)
}
