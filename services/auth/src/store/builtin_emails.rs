//! What operators made of the built-in mails.

use stoa_db::{Db, DbError, Row, Tx, sql};
use stoa_proto::auth::BuiltinEmail;

stoa_db::statements! {
    CHANGED = "SELECT name, enabled, subject, html FROM builtin_emails ORDER BY name";
    PUT = "INSERT INTO builtin_emails (name, enabled, subject, html) VALUES ($1, $2, $3, $4)
           ON CONFLICT (name) DO UPDATE
              SET enabled = excluded.enabled, subject = excluded.subject, html = excluded.html";
    /// A mail is again as it was delivered.
    REMOVE = "DELETE FROM builtin_emails WHERE name = $1";
}

/// The changed mails, by name.
pub(crate) async fn changed(db: &Db) -> Result<Vec<BuiltinEmail>, DbError> {
    db.all(CHANGED).await?.iter().map(read).collect()
}

/// The changed mails, as they stand inside a write.
pub(crate) async fn changed_in(tx: &Tx) -> Result<Vec<BuiltinEmail>, DbError> {
    tx.all(CHANGED).await?.iter().map(read).collect()
}

/// Stores what a mail became; one without a change is forgotten. True when there is one.
pub(crate) async fn put(tx: &Tx, mail: &BuiltinEmail) -> Result<bool, DbError> {
    if mail.enabled && mail.subject.is_none() && mail.html.is_none() {
        tx.execute(sql(REMOVE).bind(mail.name.as_str())).await?;
        return Ok(false);
    }
    tx.execute_expecting(
        1,
        sql(PUT)
            .bind(mail.name.as_str())
            .bind(mail.enabled)
            .bind(mail.subject.clone())
            .bind(mail.html.clone()),
    )
    .await?;
    Ok(true)
}

fn read(row: &Row) -> Result<BuiltinEmail, DbError> {
    Ok(BuiltinEmail {
        name: row.get("name")?,
        enabled: row.get("enabled")?,
        subject: row.get("subject")?,
        html: row.get("html")?,
    })
}
