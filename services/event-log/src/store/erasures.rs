//! Taking an erased person out of stored events.

use super::REWRITING;
use prost::Message as _;
use stoa_db::{Db, DbError, Tx, sql};
use stoa_feed::erase::{Erasure, strip_event};
use stoa_feed::erased;
use stoa_proto::events::PublicEvent;
use stoa_types::Timestamp;
use stoa_types::id::UserId;

stoa_db::statements! {
    /// Erasures that are not finished, oldest first.
    UNFINISHED =
        "SELECT user_id, texts
           FROM erased_users
          WHERE finished_at IS NULL
          ORDER BY erased_at, user_id
          LIMIT 1000";
    /// Events that hold personal data of one user.
    EVENTS_OF =
        "SELECT p.sequence_id, e.event
           FROM event_personal p
           JOIN events e ON e.sequence_id = p.sequence_id
          WHERE p.user_id = $1
          ORDER BY p.sequence_id
          LIMIT $2";
    REWRITE = "UPDATE events SET event = $2 WHERE sequence_id = $1";
    FORGET = "DELETE FROM event_personal WHERE user_id = $1 AND sequence_id = $2";
    FINISH = "UPDATE erased_users SET finished_at = $2 WHERE user_id = $1 AND finished_at IS NULL";
}

/// Users whose values may still be in the log or on the disk, at most 1,000.
pub(crate) async fn unfinished(db: &Db) -> Result<Vec<Erasure>, DbError> {
    let rows: Vec<(UserId, bool)> = db.all_as(UNFINISHED).await?;
    let gone = rows.into_iter();
    Ok(gone.map(|(user, texts)| Erasure { user, texts }).collect())
}

/// Strips up to `limit` stored events of the user and gives their number; 0: none is left.
pub(crate) async fn strip(
    tx: &Tx,
    erasure: Erasure,
    limit: u32,
    now: Timestamp,
) -> Result<usize, DbError> {
    let user = erasure.user;
    tx.lock_exclusive(REWRITING).await?;
    let rows: Vec<(i64, Vec<u8>)> = tx.all_as(sql(EVENTS_OF).bind(user).bind(limit)).await?;
    for (number, bytes) in &rows {
        let mut event = PublicEvent::decode(bytes.as_slice())
            .map_err(|why| DbError::corrupt("events.event", why))?;
        if strip_event(&mut event, erasure) {
            let bytes = event.encode_to_vec();
            tx.execute_expecting(1, sql(REWRITE).bind(*number).bind(bytes))
                .await?;
        }
        tx.execute_expecting(1, sql(FORGET).bind(user).bind(*number))
            .await?;
    }
    erased::note(tx, user, "events", rows.len() as u64, now).await?;
    Ok(rows.len())
}

/// Notes that nothing of these users is left.
pub(crate) async fn finish(tx: &Tx, gone: &[Erasure], now: Timestamp) -> Result<(), DbError> {
    for Erasure { user, .. } in gone {
        // Another replica may have been faster.
        if tx.execute(sql(FINISH).bind(*user).bind(now)).await? == 1 {
            erased::note(tx, *user, erased::DISK, 1, now).await?;
        }
    }
    Ok(())
}
