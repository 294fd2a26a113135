//! Every statement of this room, and its migrations.

use stoa_db::{DbError, FromRow, MigrationSet, Row, migrations};
use stoa_types::Timestamp;
use stoa_types::id::UserId;
use uuid::Uuid;

/// The table of this room. A service adds it to its own:
/// `migrations!("0001_first").with(&[&stoa_feed::MIGRATIONS, &stoa_mail::MIGRATIONS])`.
pub const MIGRATIONS: MigrationSet = migrations!("0001_mail");

stoa_db::statements! {
    ENQUEUE = "INSERT INTO mails
                      (id, mail_key, kind, recipient, about, mail_group, delayed, to_unverified,
                       state, created_at, due_at, attempts, handovers)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'waiting', $9, $10, 0, 0)
               ON CONFLICT (mail_key) DO NOTHING";
    DUE = "SELECT id, mail_key, kind, recipient, about, to_unverified, due_at, attempts, failed_at,
                  handovers
             FROM mails
            WHERE state = 'waiting' AND due_at <= $1
            ORDER BY due_at, id LIMIT $2";
    /// Since when the oldest mail that could not be sent has been waiting.
    OLDEST_DUE = "SELECT MIN(COALESCE(failed_at, due_at)) FROM mails
                   WHERE state = 'waiting' AND due_at <= $1";
    /// Claims a mail right before a server gets it.
    HAND_OVER = "UPDATE mails SET handovers = handovers + 1
                  WHERE id = $1 AND state = 'waiting' AND handovers = $2";
    FINISH = "UPDATE mails
                 SET state = $1, done_at = $2, recipient = NULL, about = NULL
               WHERE id = $3 AND state = 'waiting'";
    LATER = "UPDATE mails
                SET due_at = $1, attempts = attempts + 1, handovers = $2,
                    failed_at = COALESCE(failed_at, $3)
              WHERE id = $4 AND state = 'waiting'";
    /// No server can be reached: for all that are due the time of giving up has begun.
    ALL_FAIL = "UPDATE mails SET failed_at = $1
                 WHERE state = 'waiting' AND failed_at IS NULL AND due_at <= $1";
    EXPIRE = "UPDATE mails
                 SET state = 'dropped', done_at = $1, recipient = NULL, about = NULL
               WHERE state = 'waiting' AND failed_at <= $2";
    PRUNE = "DELETE FROM mails WHERE state <> 'waiting' AND done_at <= $1";
    CANCEL = "DELETE FROM mails WHERE mail_group = $1 AND state = 'waiting' AND delayed";
    ERASE = "DELETE FROM mails WHERE recipient = $1 AND state = 'waiting'";
}

/// A mail whose time has come.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Waiting {
    pub(super) id: Uuid,
    pub(super) key: String,
    pub(super) kind: String,
    pub(super) recipient: UserId,
    pub(super) about: String,
    pub(super) to_unverified: bool,
    pub(super) due_at: Timestamp,
    pub(super) attempts: i64,
    pub(super) failed_at: Option<Timestamp>,
    pub(super) handovers: i64,
}

impl FromRow for Waiting {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            id: row.get("id")?,
            key: row.get("mail_key")?,
            kind: row.get("kind")?,
            recipient: row.get("recipient")?,
            about: row.get("about")?,
            to_unverified: row.get("to_unverified")?,
            due_at: row.get("due_at")?,
            attempts: row.get("attempts")?,
            failed_at: row.get("failed_at")?,
            handovers: row.get("handovers")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_db::Db;

    stoa_testkit::on_every_engine! { MIGRATIONS;
        async fn every_statement_fits_the_schema(db: Db) {
            for (name, text) in ALL {
                if let Err(error) = db.prepare(text).await {
                    panic!("{name}: {error:?}");
                }
            }
        }
    }
}
