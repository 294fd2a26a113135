//! What the adoption of a development installation replaces.

use stoa_db::{DbError, Tx, sql};
use stoa_types::id::ClientId;
use uuid::Uuid;

stoa_db::statements! {
    TAKE_OVER = "UPDATE installation SET installation_id = $1, born_in_dev = FALSE";
    REMOVE_OPERATORS = "DELETE FROM operators";
    REMOVE_SECRETS = "DELETE FROM client_secrets";
    APPLICATIONS = "SELECT id, kind, name FROM applications
                     WHERE deleted_at IS NULL ORDER BY created_at, id";
}

/// The installation is another one, for real.
pub(crate) async fn take_over(tx: &Tx, installation: Uuid) -> Result<(), DbError> {
    tx.execute_expecting(1, sql(TAKE_OVER).bind(installation))
        .await
}

/// Removes every operator.
pub(crate) async fn remove_operators(tx: &Tx) -> Result<(), DbError> {
    tx.execute(REMOVE_OPERATORS).await.map(drop)
}

/// Removes the secrets of all applications.
pub(crate) async fn remove_secrets(tx: &Tx) -> Result<(), DbError> {
    tx.execute(REMOVE_SECRETS).await.map(drop)
}

/// Id, kind and name of every application that is not deleted.
pub(crate) async fn applications(tx: &Tx) -> Result<Vec<(ClientId, String, String)>, DbError> {
    tx.all_as(APPLICATIONS).await
}
