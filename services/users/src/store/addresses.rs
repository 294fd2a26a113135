//! The addresses that live and banned accounts hold.

use crate::domain::email::EmailKey;
use stoa_db::{DbError, Tx, sql};
use stoa_types::id::UserId;

stoa_db::statements! {
    /// Takes an address, unless somebody has it.
    TAKE =
        "INSERT INTO addresses (email_key, user_id, kind)
         VALUES ($1, $2, $3)
         ON CONFLICT (email_key) DO NOTHING";
    /// Gives back the address that a user waits to have verified.
    FREE_PENDING = "DELETE FROM addresses WHERE user_id = $1 AND kind = 'pending'";
    /// Gives back all addresses of a user.
    FREE = "DELETE FROM addresses WHERE user_id = $1";
}

/// Takes an address as a user's primary one; false when somebody has it, also one who takes it
/// at the same time.
pub(crate) async fn take_primary(tx: &Tx, key: &EmailKey, user: UserId) -> Result<bool, DbError> {
    let take = sql(TAKE).bind(key.as_str()).bind(user).bind("primary");
    Ok(tx.execute(take).await? == 1)
}

/// Gives back the address that a user waits to have verified, if there is one.
pub(crate) async fn free_pending(tx: &Tx, user: UserId) -> Result<(), DbError> {
    tx.execute(sql(FREE_PENDING).bind(user)).await.map(drop)
}

/// Gives back all addresses of a user; how many those were.
pub(crate) async fn free(tx: &Tx, user: UserId) -> Result<u64, DbError> {
    tx.execute(sql(FREE).bind(user)).await
}
