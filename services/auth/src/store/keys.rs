//! Keys that sign access tokens.

use stoa_db::{Db, DbError, FromRow, Row, Tx, sql};
use stoa_types::Timestamp;

stoa_db::statements! {
    KEYS = "SELECT kid, state, public_key, sealed_seed, master_key_id
              FROM signing_keys WHERE state <> 'gone' ORDER BY created_at, kid";
    PUT_KEY = "INSERT INTO signing_keys
                      (kid, state, public_key, sealed_seed, master_key_id, created_at, promoted_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7)";
}

/// A key row.
#[derive(Clone)]
pub(crate) struct KeyRow {
    pub(crate) kid: String,
    pub(crate) state: String,
    pub(crate) public_key: Vec<u8>,
    pub(crate) sealed_seed: Option<Vec<u8>>,
    pub(crate) master_key_id: String,
}

impl FromRow for KeyRow {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            kid: row.get("kid")?,
            state: row.get("state")?,
            public_key: row.get("public_key")?,
            sealed_seed: row.get("sealed_seed")?,
            master_key_id: row.get("master_key_id")?,
        })
    }
}

/// All keys that a token could still name, oldest first.
pub(crate) async fn keys(db: &Db) -> Result<Vec<KeyRow>, DbError> {
    db.all_as(KEYS).await
}

/// Stores a new key.
pub(crate) async fn put_key(tx: &Tx, key: &KeyRow, now: Timestamp) -> Result<(), DbError> {
    let promoted_at = (key.state == "active").then_some(now);
    tx.execute(
        sql(PUT_KEY)
            .bind(key.kid.as_str())
            .bind(key.state.as_str())
            .bind(key.public_key.as_slice())
            .bind(key.sealed_seed.clone())
            .bind(key.master_key_id.as_str())
            .bind(now)
            .bind(promoted_at),
    )
    .await
    .map(drop)
}
