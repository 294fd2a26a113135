//! Applications and their secrets.

use crate::domain::application::{Application, Kind, Secret};
use stoa_db::{Db, DbError, Row, Tx, sql};
use stoa_types::Timestamp;
use stoa_types::id::ClientId;
use uuid::Uuid;

stoa_db::statements! {
    /// The application once for each of its secrets, and once when it has none.
    APPLICATION = "SELECT a.id, a.kind, a.name, a.redirect_uris, a.actions, a.trusted, a.grants,
                          a.epoch, a.created_at, a.deleted_at, c.id AS secret_id, c.hash,
                          c.created_at AS secret_created_at, c.ends_at
                     FROM applications a
                LEFT JOIN client_secrets c ON c.application_id = a.id
                    WHERE a.id = $1
                    ORDER BY c.created_at, c.id";
    /// A page of those that are not deleted, each as above.
    PAGE = "SELECT a.id, a.kind, a.name, a.redirect_uris, a.actions, a.trusted, a.grants,
                   a.epoch, a.created_at, a.deleted_at, c.id AS secret_id, c.hash,
                   c.created_at AS secret_created_at, c.ends_at
              FROM (SELECT * FROM applications WHERE deleted_at IS NULL
                     ORDER BY created_at, id LIMIT $1 OFFSET $2) a
         LEFT JOIN client_secrets c ON c.application_id = a.id
             ORDER BY a.created_at, a.id, c.created_at, c.id";
    COUNT = "SELECT COUNT(*) FROM applications WHERE deleted_at IS NULL";
    PUT_APPLICATION = "INSERT INTO applications
                              (id, kind, name, redirect_uris, actions, trusted, grants, epoch,
                               created_at)
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    /// Locks the row, too: one change of an application's secrets at a time.
    RAISE_EPOCH = "UPDATE applications SET epoch = epoch + $1
                    WHERE id = $2 AND deleted_at IS NULL RETURNING epoch";
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
    Ok(read(&db.all(sql(APPLICATION).bind(id)).await?)?.pop())
}

/// The application with all its secrets, as it stands inside a write.
pub(crate) async fn application_in(tx: &Tx, id: ClientId) -> Result<Option<Application>, DbError> {
    Ok(read(&tx.all(sql(APPLICATION).bind(id)).await?)?.pop())
}

/// A page of the applications that are not deleted, oldest first, and how many there are.
pub(crate) async fn page(
    db: &Db,
    page: u32,
    per_page: u32,
) -> Result<(Vec<Application>, u64), DbError> {
    let (total,): (i64,) = db.one_as(COUNT).await?;
    let offset = i64::from(page.saturating_sub(1)) * i64::from(per_page);
    let rows = db.all(sql(PAGE).bind(per_page).bind(offset)).await?;
    Ok((read(&rows)?, u64::try_from(total).unwrap_or(0)))
}

/// Stores a new application with its first secret.
pub(crate) async fn put_application(tx: &Tx, application: &Application) -> Result<(), DbError> {
    tx.execute(
        sql(PUT_APPLICATION)
            .bind(application.id)
            .bind(application.kind.name())
            .bind(application.name.as_str())
            .bind(application.redirect_uris.join(" "))
            .bind(application.actions.join(" "))
            .bind(application.trusted)
            .bind(application.grants.as_str())
            .bind(application.epoch)
            .bind(application.created_at),
    )
    .await?;
    for secret in &application.secrets {
        put_secret(tx, application.id, secret).await?;
    }
    Ok(())
}

/// Stores another secret of an application.
pub(crate) async fn put_secret(tx: &Tx, id: ClientId, secret: &Secret) -> Result<(), DbError> {
    tx.execute(
        sql(PUT_SECRET)
            .bind(secret.id)
            .bind(id)
            .bind(secret.hash.as_slice())
            .bind(secret.created_at),
    )
    .await
    .map(drop)
}

/// Locks an application for a change of its secrets and raises its epoch by this much; gives the
/// epoch, or nothing when there is no such application or it was deleted.
pub(crate) async fn raise_epoch(tx: &Tx, id: ClientId, by: i64) -> Result<Option<i64>, DbError> {
    let epoch: Option<(i64,)> = tx.opt_as(sql(RAISE_EPOCH).bind(by).bind(id)).await?;
    Ok(epoch.map(|(epoch,)| epoch))
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

fn read(rows: &[Row]) -> Result<Vec<Application>, DbError> {
    let mut found: Vec<Application> = Vec::new();
    for row in rows {
        let id: ClientId = row.get("id")?;
        if found.last().is_none_or(|last| last.id != id) {
            found.push(application_of(row, id)?);
        }
        if let (Some(secret), Some(last)) =
            (row.get::<Option<Uuid>>("secret_id")?, found.last_mut())
        {
            last.secrets.push(Secret {
                id: secret,
                hash: row.get("hash")?,
                created_at: row.get("secret_created_at")?,
                ends_at: row.get("ends_at")?,
            });
        }
    }
    Ok(found)
}

fn application_of(row: &Row, id: ClientId) -> Result<Application, DbError> {
    let kind: String = row.get("kind")?;
    let words = |column: &str| -> Result<Vec<String>, DbError> {
        let joined: String = row.get(column)?;
        Ok(joined.split_ascii_whitespace().map(str::to_owned).collect())
    };
    Ok(Application {
        id,
        kind: Kind::from_name(&kind)
            .ok_or_else(|| DbError::corrupt("applications.kind", "unknown"))?,
        name: row.get("name")?,
        redirect_uris: words("redirect_uris")?,
        actions: words("actions")?,
        trusted: row.get("trusted")?,
        grants: row.get("grants")?,
        epoch: row.get("epoch")?,
        deleted: row.get::<Option<Timestamp>>("deleted_at")?.is_some(),
        created_at: row.get("created_at")?,
        secrets: Vec::new(),
    })
}
