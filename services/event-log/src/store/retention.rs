//! Letting old events go.

use super::REWRITING;
use stoa_db::{DbError, Tx, sql};
use stoa_types::Timestamp;

stoa_db::statements! {
    OLDEST = "SELECT sequence_id, stored_at FROM events ORDER BY sequence_id LIMIT $1";
    FORGET_RELATED = "DELETE FROM event_related WHERE sequence_id <= $1";
    FORGET_PERSONAL = "DELETE FROM event_personal WHERE sequence_id <= $1";
    FORGET_EVENTS = "DELETE FROM events WHERE sequence_id <= $1";
}

/// Deletes up to `limit` events that were stored before `keep_from`, from the oldest number up to
/// the first that stays, so that the numbers of what is left have no gaps. Gives how many went.
pub(crate) async fn forget(tx: &Tx, keep_from: Timestamp, limit: u32) -> Result<u64, DbError> {
    tx.lock_exclusive(REWRITING).await?;
    let oldest: Vec<(i64, Timestamp)> = tx.all_as(sql(OLDEST).bind(limit)).await?;
    let old = oldest
        .iter()
        .take_while(|(_, stored_at)| *stored_at < keep_from);
    let Some((last, _)) = old.last() else {
        return Ok(0);
    };
    tx.execute(sql(FORGET_RELATED).bind(*last)).await?;
    tx.execute(sql(FORGET_PERSONAL).bind(*last)).await?;
    tx.execute(sql(FORGET_EVENTS).bind(*last)).await
}
