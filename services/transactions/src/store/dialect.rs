//! Statements that differ between the engines.

use super::transactions::COLUMNS;
use crate::domain::Transaction;
use stoa_db::{DbError, Engine, FromRow, Row, Tx, sql};
use stoa_types::Timestamp;
use stoa_types::id::{AttemptId, TransactionId};

/// The transaction, and whether somebody else's attempt on it is alive.
macro_rules! LOCKED {
    ($for_update:literal) => {
        concat!(
            "SELECT ",
            COLUMNS!(),
            ", EXISTS (
                SELECT 1 FROM attempts a
                 WHERE a.transaction_id = transactions.id AND a.id <> $2 AND a.lease_until > $3)
               FROM transactions
              WHERE id = $1",
            $for_update
        )
    };
}

/// SQLite has one writer and no clause for locks.
const LOCKED_SQLITE: &str = LOCKED!("");
/// PostgreSQL runs transitions of one transaction side by side, so the row is locked.
const LOCKED_POSTGRES: &str = LOCKED!(" FOR UPDATE");

/// A transaction under lock.
pub(crate) struct Locked {
    /// The transaction.
    pub(crate) transaction: Transaction,
    /// Another transition is under way outside of the database.
    pub(crate) attempted: bool,
}

impl FromRow for Locked {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            transaction: Transaction::from_row(row)?,
            attempted: row.get(17)?,
        })
    }
}

/// One transaction, locked until the end of the write. `own` is the caller's own attempt.
///
/// # Errors
/// Those of the statement.
pub(crate) async fn locked(
    tx: &Tx,
    id: TransactionId,
    own: Option<AttemptId>,
    real_now: Timestamp,
) -> Result<Option<Locked>, DbError> {
    let text = match tx.engine() {
        Engine::Sqlite => LOCKED_SQLITE,
        Engine::Postgres => LOCKED_POSTGRES,
    };
    let own = own.map(|id| id.to_string()).unwrap_or_default();
    tx.opt_as(sql(text).bind(id).bind(own).bind(real_now)).await
}

/// The statements of one engine, for the test that prepares them.
#[cfg(test)]
pub(super) fn of(engine: Engine) -> &'static [(&'static str, &'static str)] {
    match engine {
        Engine::Sqlite => &[("LOCKED_SQLITE", LOCKED_SQLITE)],
        Engine::Postgres => &[("LOCKED_POSTGRES", LOCKED_POSTGRES)],
    }
}
