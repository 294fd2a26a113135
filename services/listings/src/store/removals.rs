//! Users whose listings are to be deleted, and how far that is.

use super::statements as s;
use crate::domain::Listing;
use prost::Message as _;
use stoa_db::{Db, DbError, FromRow, Row, Tx, sql};
use stoa_proto::events::Envelope;
use stoa_types::Timestamp;
use stoa_types::id::UserId;

/// The listings of this user are to be deleted.
#[derive(Clone, Debug)]
pub(crate) struct Removal {
    pub(crate) user: UserId,
    /// The user is deleted for good: traces in the outbox go too.
    pub(crate) erase: bool,
    /// The event behind it, without its payload.
    pub(crate) cause: Envelope,
}

impl FromRow for Removal {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        let cause: Vec<u8> = row.get("cause")?;
        Ok(Self {
            user: row.get("user_id")?,
            erase: row.get("erase")?,
            cause: Envelope::decode(cause.as_slice())
                .map_err(|why| DbError::corrupt("cause", why))?,
        })
    }
}

/// Notes that the listings of a user are to be deleted; a deletion outweighs a ban.
pub(crate) async fn request_removal(
    tx: &Tx,
    removal: &Removal,
    now: Timestamp,
) -> Result<(), DbError> {
    let statement = sql(s::REQUEST_REMOVAL)
        .bind(removal.user)
        .bind(removal.erase)
        .bind(removal.cause.encode_to_vec())
        .bind(now);
    tx.execute(statement).await.map(drop)
}

/// The oldest removal that is not finished.
pub(crate) async fn first_removal(db: &Db) -> Result<Option<Removal>, DbError> {
    db.opt_as(s::FIRST_REMOVAL).await
}

/// The removal of a user's listings, if it is not finished.
pub(crate) async fn removal_of(tx: &Tx, user: UserId) -> Result<Option<Removal>, DbError> {
    tx.opt_as(sql(s::REMOVAL_OF).bind(user)).await
}

/// Nothing is left to do, unless a ban became a deletion in the meantime.
pub(crate) async fn finish_removal(tx: &Tx, removal: &Removal) -> Result<(), DbError> {
    let statement = sql(s::FINISH_REMOVAL)
        .bind(removal.user)
        .bind(removal.erase);
    tx.execute(statement).await.map(drop)
}

/// The next listings of a user that are not deleted.
pub(crate) async fn live_batch(tx: &Tx, user: UserId, limit: u32) -> Result<Vec<Listing>, DbError> {
    tx.all_as(sql(s::LIVE_BATCH).bind(user).bind(limit)).await
}
