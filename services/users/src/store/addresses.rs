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
    /// Gives back one address of a user.
    RELEASE = "DELETE FROM addresses WHERE user_id = $1 AND kind = $2";
    /// The address that waited becomes the primary one.
    PROMOTE = "UPDATE addresses SET kind = 'primary' WHERE user_id = $1 AND kind = 'pending'";
    /// Gives back all addresses of a user.
    FREE = "DELETE FROM addresses WHERE user_id = $1";
}

/// Takes an address as a user's primary one; false when somebody has it, also one who takes it
/// at the same time.
pub(crate) async fn take_primary(tx: &Tx, key: &EmailKey, user: UserId) -> Result<bool, DbError> {
    take(tx, key, user, "primary").await
}

/// The same in the place of the primary address that the user has.
pub(crate) async fn replace_primary(
    tx: &Tx,
    key: &EmailKey,
    user: UserId,
) -> Result<bool, DbError> {
    release(tx, user, "primary").await?;
    take(tx, key, user, "primary").await
}

/// The same as the address that a user waits for, in the place of an earlier one.
pub(crate) async fn replace_pending(
    tx: &Tx,
    key: &EmailKey,
    user: UserId,
) -> Result<bool, DbError> {
    release(tx, user, "pending").await?;
    take(tx, key, user, "pending").await
}

/// Gives back the address that a user waits for, if there is one.
pub(crate) async fn free_pending(tx: &Tx, user: UserId) -> Result<(), DbError> {
    release(tx, user, "pending").await
}

/// The address that a user waits for takes the place of the primary one, which is free again.
pub(crate) async fn promote_pending(tx: &Tx, user: UserId) -> Result<(), DbError> {
    release(tx, user, "primary").await?;
    tx.execute_expecting(1, sql(PROMOTE).bind(user)).await
}

async fn take(tx: &Tx, key: &EmailKey, user: UserId, kind: &str) -> Result<bool, DbError> {
    let take = sql(TAKE).bind(key.as_str()).bind(user).bind(kind);
    Ok(tx.execute(take).await? == 1)
}

async fn release(tx: &Tx, user: UserId, kind: &str) -> Result<(), DbError> {
    let release = sql(RELEASE).bind(user).bind(kind);
    tx.execute(release).await.map(drop)
}

/// Gives back all addresses of a user; how many those were.
pub(crate) async fn free(tx: &Tx, user: UserId) -> Result<u64, DbError> {
    tx.execute(sql(FREE).bind(user)).await
}
