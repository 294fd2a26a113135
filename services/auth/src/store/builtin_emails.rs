//! What operators made of the built-in mails.

use stoa_db::{Db, DbError, Row, Tx};
use stoa_proto::auth::BuiltinEmail;

stoa_db::statements! {
    CHANGED = "SELECT name, enabled, subject, html FROM builtin_emails ORDER BY name";
}

/// The changed mails, by name.
pub(crate) async fn changed(db: &Db) -> Result<Vec<BuiltinEmail>, DbError> {
    db.all(CHANGED).await?.iter().map(read).collect()
}

/// The changed mails, as they stand inside a write.
pub(crate) async fn changed_in(tx: &Tx) -> Result<Vec<BuiltinEmail>, DbError> {
    tx.all(CHANGED).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<BuiltinEmail, DbError> {
    Ok(BuiltinEmail {
        name: row.get("name")?,
        enabled: row.get("enabled")?,
        subject: row.get("subject")?,
        html: row.get("html")?,
    })
}
