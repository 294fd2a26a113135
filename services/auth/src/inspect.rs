//! What can be told of a store without serving it.

use crate::domain::seal::MasterKey;
use crate::store::{installation, keys};
use stoa_db::{Db, DbError};
use stoa_types::id::MarketplaceId;

/// Whose store it is, and the ids of the master keys that secrets in it are sealed under; nothing
/// for an empty store.
///
/// # Errors
/// Those of the database.
pub async fn sealed_under(db: &Db) -> Result<Option<(MarketplaceId, Vec<String>)>, DbError> {
    let Some(installation) = installation::installation(db).await? else {
        return Ok(None);
    };
    let ids = keys::master_key_ids(db).await?;
    Ok(Some((installation.marketplace_id, ids)))
}

/// The id of a master key. It tells keys apart and nothing about them.
pub fn master_key_id(key: &[u8; 32]) -> String {
    MasterKey::new(key).id().to_owned()
}
