//! Transitions that need an outside call: who tries, and how it ended.
//!
//! The row in `attempt_ends` decides, and the first one stays: a commit after an abort finds it
//! and fails.

use stoa_db::{DbError, Sql, Tx, sql, statements};
use stoa_types::Timestamp;
use stoa_types::id::{AttemptId, TransactionId};

statements! {
    OPEN =
        "INSERT INTO attempts (id, transaction_id, transition, started_at, lease_until)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT DO NOTHING";
    END =
        "INSERT INTO attempt_ends (attempt_id, outcome, at) VALUES ($1, $2, $3)
         ON CONFLICT DO NOTHING";
    OUTCOME = "SELECT outcome FROM attempt_ends WHERE attempt_id = $1";
    CLOSE = "DELETE FROM attempts WHERE id = $1";
    STALE = "SELECT count(*) FROM attempts WHERE lease_until <= $1";
    ABORT_STALE =
        "INSERT INTO attempt_ends (attempt_id, outcome, at)
         SELECT id, 'aborted', CAST($1 AS BIGINT) FROM attempts WHERE lease_until <= $1
         ON CONFLICT DO NOTHING";
    FORGET =
        "DELETE FROM attempt_ends
          WHERE attempt_id IN (SELECT attempt_id FROM attempt_ends WHERE at < $1 LIMIT 500)";
    CLOSE_STALE = "DELETE FROM attempts WHERE lease_until <= $1";
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Its effects are stored.
    Committed,
    /// It has no effects and never will.
    Aborted,
}

impl Outcome {
    /// The name in the database and for other services.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Aborted => "aborted",
        }
    }
}

/// An attempt to be opened; times are real.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    /// Its id.
    pub(crate) id: AttemptId,
    /// The transaction that it moves, or will make.
    pub(crate) transaction: TransactionId,
    /// The transition.
    pub(crate) transition: String,
    /// When it began.
    pub(crate) started_at: Timestamp,
    /// When it counts as dead.
    pub(crate) lease_until: Timestamp,
}

/// Opens an attempt; false when the transaction has one that is alive.
///
/// # Errors
/// Those of the statements.
pub(crate) async fn open(tx: &Tx, attempt: &Attempt) -> Result<bool, DbError> {
    sweep(tx, attempt.started_at).await?;
    let opened = sql(OPEN)
        .bind(attempt.id)
        .bind(attempt.transaction)
        .bind(attempt.transition.as_str())
        .bind(attempt.started_at)
        .bind(attempt.lease_until);
    Ok(tx.execute(opened).await? == 1)
}

/// Forgets up to 500 ends from before this time; gives their number.
///
/// # Errors
/// Those of the statement.
pub(crate) async fn forget(tx: &Tx, before: Timestamp) -> Result<u64, DbError> {
    tx.execute(sql(FORGET).bind(before)).await
}

/// Ends an attempt and gives how it ended: with `outcome`, unless it had ended before.
///
/// # Errors
/// Those of the statements.
pub(crate) async fn end(
    tx: &Tx,
    id: AttemptId,
    outcome: Outcome,
    at: Timestamp,
) -> Result<Outcome, DbError> {
    let inserted = tx
        .execute(sql(END).bind(id).bind(outcome.as_str()).bind(at))
        .await?;
    tx.execute(sql(CLOSE).bind(id)).await?;
    if inserted == 1 {
        return Ok(outcome);
    }
    let (ended,): (String,) = tx.one_as(sql(OUTCOME).bind(id)).await?;
    [Outcome::Committed, Outcome::Aborted]
        .into_iter()
        .find(|outcome| outcome.as_str() == ended)
        .ok_or_else(|| DbError::corrupt("outcome", "neither committed nor aborted"))
}

/// How many attempts have lost their process.
pub(crate) fn stale(real_now: Timestamp) -> Sql {
    sql(STALE).bind(real_now)
}

/// Aborts attempts whose process died; gives how many.
///
/// # Errors
/// Those of the statements.
pub(crate) async fn sweep(tx: &Tx, real_now: Timestamp) -> Result<u64, DbError> {
    tx.execute(sql(ABORT_STALE).bind(real_now)).await?;
    tx.execute(sql(CLOSE_STALE).bind(real_now)).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MIGRATIONS;
    use stoa_db::Db;
    use stoa_types::{Entropy, SeededEntropy};

    fn attempt(entropy: &SeededEntropy, transaction: TransactionId, at: i64) -> Attempt {
        Attempt {
            id: AttemptId::new(entropy.uuid()),
            transaction,
            transition: "transition/pay".into(),
            started_at: Timestamp::from_ms(at),
            lease_until: Timestamp::from_ms(at + 60_000),
        }
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: engine E72
        async fn a_commit_that_comes_after_an_abort_finds_it(db: Db) {
            let entropy = SeededEntropy::new(1);
            let transaction = TransactionId::new(entropy.uuid());
            let [first, second, third] = [0, 1000, 70_000].map(|at| attempt(&entropy, transaction, at));
            let at = Timestamp::from_ms(5);
            let ended = db
                .write(|tx| {
                    let (first, second, third) = (first.clone(), second.clone(), third.clone());
                    async move {
                        assert!(open(&tx, &first).await?);
                        assert!(!open(&tx, &second).await?, "one attempt is alive");
                        assert!(open(&tx, &third).await?, "the dead one made place");
                        assert_eq!(
                            end(&tx, third.id, Outcome::Committed, at).await?,
                            Outcome::Committed
                        );
                        assert_eq!(
                            end(&tx, third.id, Outcome::Aborted, at).await?,
                            Outcome::Committed,
                            "who asks later learns of the commit"
                        );
                        end(&tx, first.id, Outcome::Committed, at).await
                    }
                })
                .await;
            assert_eq!(ended, Ok(Outcome::Aborted));
        }
    }
}
