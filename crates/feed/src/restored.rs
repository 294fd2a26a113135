//! What a restore asks of a feed.

use crate::store;
use stoa_db::{Db, DbError};

/// The last position that the owner of this database has given.
///
/// # Errors
/// Those of the statement.
pub async fn head(db: &Db) -> Result<u64, DbError> {
    let (head,): (i64,) = db.one_as(store::HEAD).await?;
    u64::try_from(head).map_err(|why| DbError::corrupt("sequencer.head", why))
}
