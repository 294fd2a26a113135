//! Applications and their secrets.

use crate::domain::application::{Application, Kind, Secret};
use stoa_db::{Db, DbError, Row, Tx, sql};
use stoa_types::Timestamp;
use stoa_types::id::ClientId;
use uuid::Uuid;

stoa_db::statements! {
    /// The application once for each of its secrets, and once when it has none.
    APPLICATION = "SELECT a.id, a.kind, a.trusted, a.grants, a.epoch, a.deleted_at,
                          c.id AS secret_id, c.hash, c.ends_at
                     FROM applications a
                LEFT JOIN client_secrets c ON c.application_id = a.id
                    WHERE a.id = $1
                    ORDER BY c.created_at, c.id";
    PUT_APPLICATION = "INSERT INTO applications
                              (id, kind, name, trusted, grants, epoch, created_at)
                       VALUES ($1, $2, $3, $4, $5, $6, $7)";
    DELETE_APPLICATION = "UPDATE applications SET deleted_at = $1
                           WHERE id = $2 AND deleted_at IS NULL";
    /// Never later than it would have ended.
    END_SECRET = "UPDATE client_secrets SET ends_at = $1
                   WHERE id = $2 AND (ends_at IS NULL OR ends_at > $1)
               RETURNING application_id";
    PUT_SECRET = "INSERT INTO client_secrets (id, application_id, hash, created_at)
                  VALUES ($1, $2, $3, $4)";
}

/// The application with all its secrets.
pub(crate) async fn application(db: &Db, id: ClientId) -> Result<Option<Application>, DbError> {
    read(&db.all(sql(APPLICATION).bind(id)).await?)
}

/// Stores a new application with its first secret.
pub(crate) async fn put_application(
    tx: &Tx,
    application: &Application,
    name: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    tx.execute(
        sql(PUT_APPLICATION)
            .bind(application.id)
            .bind(application.kind.name())
            .bind(name)
            .bind(application.trusted)
            .bind(application.grants.as_str())
            .bind(application.epoch)
            .bind(now),
    )
    .await?;
    for secret in &application.secrets {
        tx.execute(
            sql(PUT_SECRET)
                .bind(secret.id)
                .bind(application.id)
                .bind(secret.hash.as_slice())
                .bind(now),
        )
        .await?;
    }
    Ok(())
}

/// Deletes an application; false when there is none, or it was deleted before.
pub(crate) async fn delete(tx: &Tx, id: ClientId, at: Timestamp) -> Result<bool, DbError> {
    Ok(tx
        .execute(sql(DELETE_APPLICATION).bind(at).bind(id))
        .await?
        == 1)
}

/// Lets a secret end, and says whose it is; nothing when there is none, or it ends earlier.
pub(crate) async fn end_secret(
    tx: &Tx,
    id: Uuid,
    at: Timestamp,
) -> Result<Option<ClientId>, DbError> {
    let ended: Option<(ClientId,)> = tx.opt_as(sql(END_SECRET).bind(at).bind(id)).await?;
    Ok(ended.map(|(client,)| client))
}

fn read(rows: &[Row]) -> Result<Option<Application>, DbError> {
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let kind: String = first.get("kind")?;
    let mut secrets = Vec::new();
    for row in rows {
        if let Some(id) = row.get::<Option<Uuid>>("secret_id")? {
            secrets.push(Secret {
                id,
                hash: row.get("hash")?,
                ends_at: row.get("ends_at")?,
            });
        }
    }
    Ok(Some(Application {
        id: first.get("id")?,
        kind: Kind::from_name(&kind)
            .ok_or_else(|| DbError::corrupt("applications.kind", "unknown"))?,
        trusted: first.get("trusted")?,
        grants: first.get("grants")?,
        epoch: first.get("epoch")?,
        deleted: first.get::<Option<Timestamp>>("deleted_at")?.is_some(),
        secrets,
    }))
}
