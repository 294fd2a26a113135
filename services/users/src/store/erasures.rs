//! Accounts whose rows are erased: which of them still have bytes in the log of the database.

use crate::domain::user::User;
use crate::store::{addresses, email_tokens, search, users};
use stoa_db::{Db, DbError, Tx, sql};
use stoa_feed::erased;
use stoa_mail::queue;
use stoa_types::Timestamp;
use stoa_types::id::UserId;

stoa_db::statements! {
    /// Notes an erasure.
    NOTE = "INSERT INTO erasures (user_id, erased_at) VALUES ($1, $2)";
    /// Erasures whose bytes may still be in the log, oldest first.
    TO_PURGE =
        "SELECT user_id
         FROM erasures
         WHERE purged_at IS NULL
         ORDER BY erased_at, user_id
         LIMIT 1000";
    /// The bytes of one are gone.
    PURGED = "UPDATE erasures SET purged_at = $2 WHERE user_id = $1";
}

/// Puts the tombstone in the place of an account, frees its addresses, removes what it was searched
/// by, its tokens and the mails that wait for it, and notes that the rest is still to be done.
pub(crate) async fn erase(tx: &Tx, gone: &User, now: Timestamp) -> Result<(), DbError> {
    users::replace(tx, gone).await?;
    let addresses = addresses::free(tx, gone.id).await?;
    let values = search::erase(tx, &[gone.id]).await?;
    let tokens = email_tokens::erase(tx, gone.id).await?;
    let mails = queue::erase(tx, gone.id).await?;
    for (place, items) in [
        ("account", 1),
        ("addresses", addresses),
        ("search values", values),
        ("mailed tokens", tokens),
        ("waiting mails", mails),
    ] {
        erased::note(tx, gone.id, place, items, now).await?;
    }
    tx.execute_expecting(1, sql(NOTE).bind(gone.id).bind(now))
        .await
}

/// Users whose bytes may still be in the log, oldest first, at most 1,000.
pub(crate) async fn to_purge(db: &Db) -> Result<Vec<UserId>, DbError> {
    let rows: Vec<(UserId,)> = db.all_as(TO_PURGE).await?;
    Ok(rows.into_iter().map(|(user,)| user).collect())
}

/// Notes that the bytes of these users are gone.
pub(crate) async fn purged(tx: &Tx, users: &[UserId], now: Timestamp) -> Result<(), DbError> {
    for user in users {
        tx.execute_expecting(1, sql(PURGED).bind(*user).bind(now))
            .await?;
        erased::note(tx, *user, erased::DISK, 1, now).await?;
    }
    Ok(())
}
