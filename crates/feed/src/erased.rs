//! What was removed of a deleted user, and when: counts that a report can be made of, no values.
//!
//! Each removal notes itself in its own transaction, so the report says what is true also when a
//! process ended in the middle.

use crate::store;
use stoa_db::{Db, DbError, Tx, sql};
use stoa_types::Timestamp;
use stoa_types::id::UserId;

/// What was removed of one user in one place of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erased {
    /// Where: `account`, `outbox`, `listings`, ...
    pub place: String,
    /// How many rows, files or values.
    pub items: u64,
    /// When the last of them went.
    pub at: Timestamp,
}

/// The place of what was left of deleted rows in files of the database: it is gone when this is
/// noted.
pub const DISK: &str = "disk";

/// Adds to what was removed of a user in a place of this service; nothing for no items.
///
/// # Errors
/// Those of the statement.
pub async fn note(
    tx: &Tx,
    user: UserId,
    place: &str,
    items: u64,
    now: Timestamp,
) -> Result<(), DbError> {
    if items == 0 {
        return Ok(());
    }
    let items = i64::try_from(items).unwrap_or(i64::MAX);
    let note = sql(store::NOTE_ERASED).bind(user).bind(place);
    tx.execute_expecting(1, note.bind(items).bind(now)).await
}

/// What this service has removed of a user, by place.
///
/// # Errors
/// Those of the statement.
pub async fn of_user(db: &Db, user: UserId) -> Result<Vec<Erased>, DbError> {
    let rows: Vec<(String, i64, Timestamp)> = db.all_as(sql(store::ERASED_OF).bind(user)).await?;
    Ok(rows
        .into_iter()
        .map(|(place, items, at)| Erased {
            place,
            items: u64::try_from(items).unwrap_or(0),
            at,
        })
        .collect())
}
