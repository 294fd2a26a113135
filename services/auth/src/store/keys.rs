//! Keys that sign access tokens. States are moved by compare-and-set, so any replica may do it.

use crate::domain::rotation::{KeyRow, State};
use stoa_db::{Db, DbError, FromRow, Row, Tx, sql};
use stoa_types::Timestamp;

stoa_db::statements! {
    KEYS = "SELECT kid, state, public_key, sealed_seed, master_key_id, created_at, promoted_at,
                   leaves_at
              FROM signing_keys WHERE state <> 'gone' ORDER BY created_at, kid";
    /// Also of keys that left: what they signed once can still be checked.
    PUBLIC_HALVES = "SELECT kid, public_key FROM signing_keys ORDER BY created_at, kid";
    MASTER_KEY_IDS = "SELECT DISTINCT master_key_id FROM signing_keys
                       WHERE sealed_seed IS NOT NULL ORDER BY master_key_id";
    PUT_KEY = "INSERT INTO signing_keys
                      (kid, state, public_key, sealed_seed, master_key_id, created_at, promoted_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7)";
    PROMOTE = "UPDATE signing_keys SET state = 'active', promoted_at = $1
                WHERE kid = $2 AND state = 'staged'";
    /// The private half goes with the right to sign.
    RETIRE = "UPDATE signing_keys SET state = 'retiring', sealed_seed = NULL, leaves_at = $1
               WHERE kid = $2 AND state = 'active'";
    REVOKE = "UPDATE signing_keys SET state = 'revoked', sealed_seed = NULL, leaves_at = $1
               WHERE kid = $2 AND state = $3";
    LEAVE = "UPDATE signing_keys SET state = 'gone'
              WHERE kid = $1 AND state IN ('retiring', 'revoked') AND leaves_at <= $2";
}

impl FromRow for KeyRow {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        let state: String = row.get("state")?;
        Ok(Self {
            kid: row.get("kid")?,
            state: State::from_name(&state)
                .ok_or_else(|| DbError::corrupt("signing_keys.state", "unknown"))?,
            public_key: row.get("public_key")?,
            sealed_seed: row.get("sealed_seed")?,
            master_key_id: row.get("master_key_id")?,
            created_at: row.get("created_at")?,
            promoted_at: row.get("promoted_at")?,
            leaves_at: row.get("leaves_at")?,
        })
    }
}

/// All keys that a token could still name, oldest first.
pub(crate) async fn keys(db: &Db) -> Result<Vec<KeyRow>, DbError> {
    db.all_as(KEYS).await
}

/// Id and public half of every key that ever was.
pub(crate) async fn public_halves(db: &Db) -> Result<Vec<(String, Vec<u8>)>, DbError> {
    db.all_as(PUBLIC_HALVES).await
}

/// Ids of the master keys that private halves are sealed under.
pub(crate) async fn master_key_ids(db: &Db) -> Result<Vec<String>, DbError> {
    let rows: Vec<(String,)> = db.all_as(MASTER_KEY_IDS).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// All keys that a token could still name, as they stand inside a write.
pub(crate) async fn keys_in(tx: &Tx) -> Result<Vec<KeyRow>, DbError> {
    tx.all_as(KEYS).await
}

/// Stores a new key. A second staged or a second active one is [`DbError::Unique`].
pub(crate) async fn put_key(tx: &Tx, key: &KeyRow) -> Result<(), DbError> {
    tx.execute(
        sql(PUT_KEY)
            .bind(key.kid.as_str())
            .bind(key.state.name())
            .bind(key.public_key.as_slice())
            .bind(key.sealed_seed.clone())
            .bind(key.master_key_id.as_str())
            .bind(key.created_at)
            .bind(key.promoted_at),
    )
    .await
    .map(drop)
}

/// A staged key signs from now on. The active one must have gone first.
pub(crate) async fn promote(tx: &Tx, kid: &str, now: Timestamp) -> Result<bool, DbError> {
    one(tx.execute(sql(PROMOTE).bind(now).bind(kid)).await)
}

/// The active key signs no more.
pub(crate) async fn retire(tx: &Tx, kid: &str, leaves_at: Timestamp) -> Result<bool, DbError> {
    one(tx.execute(sql(RETIRE).bind(leaves_at).bind(kid)).await)
}

/// A key in this state is revoked.
pub(crate) async fn revoke(
    tx: &Tx,
    kid: &str,
    from: State,
    leaves_at: Timestamp,
) -> Result<bool, DbError> {
    one(tx
        .execute(sql(REVOKE).bind(leaves_at).bind(kid).bind(from.name()))
        .await)
}

/// A key whose time is over leaves.
pub(crate) async fn leave(tx: &Tx, kid: &str, now: Timestamp) -> Result<bool, DbError> {
    one(tx.execute(sql(LEAVE).bind(kid).bind(now)).await)
}

/// Whether the compare-and-set found what it expected.
fn one(changed: Result<u64, DbError>) -> Result<bool, DbError> {
    Ok(changed? == 1)
}
