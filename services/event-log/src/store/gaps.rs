//! Numbers that no event has.

use stoa_db::{DbError, Tx, sql};

stoa_db::statements! {
    /// Locks the counter, as those do who store events.
    SKIP =
        "UPDATE event_counter
            SET last_sequence_id = last_sequence_id + $1
          WHERE id = 1
      RETURNING last_sequence_id";
    NOTE = "INSERT INTO number_gaps (first_missing, last_missing) VALUES ($1, $2)";
}

/// Leaves out the next `count` numbers, one or more.
pub(crate) async fn skip(tx: &Tx, count: i64) -> Result<(), DbError> {
    let (last,): (i64,) = tx.one_as(sql(SKIP).bind(count)).await?;
    tx.execute_expecting(1, sql(NOTE).bind(last - count + 1).bind(last))
        .await
}
