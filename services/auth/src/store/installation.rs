//! The one row that says which installation this is.

use stoa_db::{Db, DbError, Tx, sql};
use stoa_types::Timestamp;
use stoa_types::id::MarketplaceId;
use uuid::Uuid;

stoa_db::statements! {
    INSTALLATION = "SELECT installation_id, marketplace_id, born_in_dev FROM installation";
    PUT_INSTALLATION = "INSERT INTO installation
                               (only_row, installation_id, marketplace_id, born_in_dev, created_at)
                        VALUES (1, $1, $2, $3, $4)
                        ON CONFLICT (only_row) DO NOTHING";
}

/// Which installation this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InstallationRow {
    pub(crate) installation_id: Uuid,
    pub(crate) marketplace_id: MarketplaceId,
    pub(crate) born_in_dev: bool,
}

/// The installation, or nothing in an empty store.
pub(crate) async fn installation(db: &Db) -> Result<Option<InstallationRow>, DbError> {
    let row: Option<(Uuid, MarketplaceId, bool)> = db.opt_as(INSTALLATION).await?;
    Ok(row.map(
        |(installation_id, marketplace_id, born_in_dev)| InstallationRow {
            installation_id,
            marketplace_id,
            born_in_dev,
        },
    ))
}

/// Stores it; false when another process was faster.
pub(crate) async fn put_installation(
    tx: &Tx,
    row: &InstallationRow,
    now: Timestamp,
) -> Result<bool, DbError> {
    let changed = tx
        .execute(
            sql(PUT_INSTALLATION)
                .bind(row.installation_id)
                .bind(row.marketplace_id)
                .bind(row.born_in_dev)
                .bind(now),
        )
        .await?;
    Ok(changed == 1)
}
