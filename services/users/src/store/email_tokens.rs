//! Tokens that travel by mail.

use crate::domain::token::{AddressDigest, EmailToken, MOST_PER_ADDRESS, Purpose};
use stoa_db::{Db, DbError, FromRow, Row, Tx, sql};
use stoa_types::Timestamp;
use stoa_types::id::UserId;
use uuid::Uuid;

/// The columns of a token.
macro_rules! columns {
    () => {
        "email_tokens.id, email_tokens.purpose, email_tokens.user_id, email_tokens.address, \
         email_tokens.epoch, email_tokens.expires_at"
    };
}

stoa_db::statements! {
    /// A new token, unless there are too many for its address. A used one does not count: who
    /// reads what goes to an address is not bothered by it.
    ISSUE =
        "INSERT INTO email_tokens (id, purpose, user_id, address, epoch, expires_at, state)
         SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), $4, CAST($5 AS BIGINT),
                CAST($6 AS BIGINT), 'live'
         WHERE (SELECT count(*)
                FROM email_tokens
                WHERE address = $4
                  AND purpose = $2
                  AND expires_at > $7
                  AND state <> 'used') < $8";
    /// A token that still works.
    TOKEN = concat!("SELECT ", columns!(), " FROM email_tokens WHERE id = $1 AND state = 'live'");
    /// One more secret of a token that still works.
    ADD_SECRET =
        "INSERT INTO email_token_secrets (hash, token_id)
         SELECT $1, id
         FROM email_tokens
         WHERE id = $2
           AND state = 'live'
           AND expires_at > $3";
    /// The token of a secret, if it still works.
    BY_SECRET = concat!(
        "SELECT ", columns!(), "
         FROM email_token_secrets
         JOIN email_tokens ON email_tokens.id = email_token_secrets.token_id
         WHERE email_token_secrets.hash = $1
           AND email_tokens.state = 'live'"
    );
    /// Uses a token up, if nobody was faster.
    USE = "UPDATE email_tokens SET state = 'used' WHERE id = $1 AND state = 'live'";
    /// Ends every token of a user.
    VOID = "UPDATE email_tokens SET state = 'void' WHERE user_id = $1 AND state = 'live'";
    /// Removes every token of a user.
    ERASE = "DELETE FROM email_tokens WHERE user_id = $1";
    /// Removes tokens whose time is over.
    FORGET = "DELETE FROM email_tokens WHERE expires_at <= $1";
    /// The address that a notice goes to.
    NOTE = "INSERT INTO email_notices (id, user_id, address, expires_at) VALUES ($1, $2, $3, $4)";
    /// The same, read.
    NOTICE = "SELECT address FROM email_notices WHERE id = $1";
    /// Removes every notice of a user.
    ERASE_NOTICES = "DELETE FROM email_notices WHERE user_id = $1";
    /// Removes notices whose time is over.
    FORGET_NOTICES = "DELETE FROM email_notices WHERE expires_at <= $1";
}

impl FromRow for EmailToken {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        let purpose: String = row.get("purpose")?;
        Ok(Self {
            id: row.get("id")?,
            purpose: Purpose::from_name(&purpose)
                .ok_or_else(|| DbError::corrupt("purpose", "unknown purpose"))?,
            user: row.get("user_id")?,
            address: AddressDigest::stored(row.get("address")?),
            epoch: row.get("epoch")?,
            expires_at: row.get("expires_at")?,
        })
    }
}

/// Stores a new token; false when there are too many for its address already.
pub(crate) async fn issue(tx: &Tx, token: &EmailToken, now: Timestamp) -> Result<bool, DbError> {
    let issue = sql(ISSUE)
        .bind(token.id)
        .bind(token.purpose.name())
        .bind(token.user)
        .bind(token.address.bytes())
        .bind(token.epoch)
        .bind(token.expires_at)
        .bind(now)
        .bind(MOST_PER_ADDRESS);
    Ok(tx.execute(issue).await? == 1)
}

/// A token that was neither used nor ended; its time may be over.
pub(crate) async fn token(db: &Db, id: Uuid) -> Result<Option<EmailToken>, DbError> {
    db.opt_as(sql(TOKEN).bind(id)).await
}

/// Stores the hash of one more secret; false when the token does not work any more.
pub(crate) async fn add_secret(
    tx: &Tx,
    token: Uuid,
    hash: &[u8],
    now: Timestamp,
) -> Result<bool, DbError> {
    let add = sql(ADD_SECRET).bind(hash).bind(token).bind(now);
    Ok(tx.execute(add).await? == 1)
}

/// The token of a secret, if it was neither used nor ended; its time may be over.
pub(crate) async fn by_secret(db: &Db, hash: &[u8]) -> Result<Option<EmailToken>, DbError> {
    db.opt_as(sql(BY_SECRET).bind(hash)).await
}

/// The same inside of a write.
pub(crate) async fn by_secret_within(tx: &Tx, hash: &[u8]) -> Result<Option<EmailToken>, DbError> {
    tx.opt_as(sql(BY_SECRET).bind(hash)).await
}

/// Uses a token up; false when it was used or ended before.
pub(crate) async fn use_up(tx: &Tx, id: Uuid) -> Result<bool, DbError> {
    Ok(tx.execute(sql(USE).bind(id)).await? == 1)
}

/// Ends every token of a user.
pub(crate) async fn void(tx: &Tx, user: UserId) -> Result<(), DbError> {
    tx.execute(sql(VOID).bind(user)).await.map(drop)
}

/// Notes the address that is told of a change until `expires_at`.
pub(crate) async fn note(
    tx: &Tx,
    id: Uuid,
    user: UserId,
    address: &str,
    expires_at: Timestamp,
) -> Result<(), DbError> {
    let note = sql(NOTE).bind(id).bind(user).bind(address).bind(expires_at);
    tx.execute_expecting(1, note).await
}

/// The address of a notice.
pub(crate) async fn notice(db: &Db, id: Uuid) -> Result<Option<String>, DbError> {
    let found: Option<(String,)> = db.opt_as(sql(NOTICE).bind(id)).await?;
    Ok(found.map(|(address,)| address))
}

/// Removes everything of a user; gives the number of rows.
pub(crate) async fn erase(tx: &Tx, user: UserId) -> Result<u64, DbError> {
    let tokens = tx.execute(sql(ERASE).bind(user)).await?;
    Ok(tokens + tx.execute(sql(ERASE_NOTICES).bind(user)).await?)
}

/// Removes what is over; gives the number of rows.
pub(crate) async fn forget(tx: &Tx, now: Timestamp) -> Result<u64, DbError> {
    let tokens = tx.execute(sql(FORGET).bind(now)).await?;
    Ok(tokens + tx.execute(sql(FORGET_NOTICES).bind(now)).await?)
}
