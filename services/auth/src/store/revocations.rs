//! The revocation log.

use crate::domain::revocation::Entry;
use stoa_db::{Db, DbError, Row, Tx, sql};
use stoa_proto::auth as pb;
use stoa_types::Timestamp;
use stoa_types::id::{SessionId, UserId};

stoa_db::statements! {
    APPEND = "INSERT INTO revocation_log
                     (id, kind, key, epoch, except_sid, state, reason, at, keep_until)
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    LIVE = "SELECT kind, key, epoch, except_sid, state, reason, at, keep_until
              FROM revocation_log WHERE keep_until > $1 ORDER BY at, id";
    /// A ban stays as long as it lasts; when it is over its entry gets an end like any other.
    END_BANS = "UPDATE revocation_log SET keep_until = $1
                 WHERE kind = 'user_state' AND key = $2 AND state = 'banned' AND keep_until > $1";
    /// Whether a token is refused by its own id, its session, its key id or its time; and the key
    /// that signs.
    REFUSES = "SELECT COUNT(*) AS hits,
                      (SELECT kid FROM signing_keys WHERE state = 'active') AS active_kid
                 FROM revocation_log
                WHERE keep_until > $1
                  AND ((kind = 'jti' AND key = $2) OR (kind = 'key' AND key = $3)
                       OR (kind = 'sid' AND key = $4)
                       OR (kind = 'floor' AND key = 'all' AND epoch > $5))";
    ENTRIES_OF_SESSION = "SELECT COUNT(*) FROM revocation_log WHERE kind = 'sid' AND key = $1";
    FLOOR = "SELECT COALESCE(MAX(epoch), 0) FROM revocation_log
              WHERE kind = 'floor' AND key = 'all' AND keep_until > $1";
    PRUNE = "DELETE FROM revocation_log WHERE keep_until <= $1";
}

/// Appends an entry under the id of its envelope.
pub(crate) async fn append(tx: &Tx, id: &str, entry: &Entry) -> Result<(), DbError> {
    tx.execute(
        sql(APPEND)
            .bind(id)
            .bind(entry.kind)
            .bind(entry.key.as_str())
            .bind(entry.epoch)
            .bind(entry.except)
            .bind(entry.state)
            .bind(entry.reason)
            .bind(entry.at)
            .bind(entry.keep_until_ms),
    )
    .await
    .map(drop)
}

/// Lets the entries of a user's former bans end with the entry that replaces them; gives their
/// number.
pub(crate) async fn end_bans(tx: &Tx, user: UserId, keep_until_ms: i64) -> Result<u64, DbError> {
    tx.execute(sql(END_BANS).bind(keep_until_ms).bind(user.to_string()))
        .await
}

/// Every entry that can still matter, oldest first.
pub(crate) async fn live(db: &Db, now: Timestamp) -> Result<Vec<pb::Revocation>, DbError> {
    let rows = db.all(sql(LIVE).bind(now)).await?;
    rows.iter().map(read).collect()
}

/// Whether a token with this id, key, session and time of issue (epoch seconds) is refused by
/// itself, and the id of the key that signs now.
pub(crate) async fn refuses(
    db: &Db,
    jti: &str,
    kid: &str,
    session: SessionId,
    iat: i64,
    now: Timestamp,
) -> Result<(bool, String), DbError> {
    let (count, active): (i64, String) = db
        .one_as(
            sql(REFUSES)
                .bind(now)
                .bind(jti)
                .bind(kid)
                .bind(session.to_string())
                .bind(iat),
        )
        .await?;
    Ok((count > 0, active))
}

/// Whether an entry says that the access tokens of a session are dead.
pub(crate) async fn names_session(tx: &Tx, session: SessionId) -> Result<bool, DbError> {
    let entries = sql(ENTRIES_OF_SESSION).bind(session.to_string());
    let (count,): (i64,) = tx.one_as(entries).await?;
    Ok(count > 0)
}

/// The first second, since the epoch, whose tokens are accepted; 0 when any is.
pub(crate) async fn floor_s(db: &Db, now: Timestamp) -> Result<i64, DbError> {
    let (floor,): (i64,) = db.one_as(sql(FLOOR).bind(now)).await?;
    Ok(floor)
}

/// Removes what can no longer matter.
pub(crate) async fn prune(tx: &Tx, now: Timestamp) -> Result<u64, DbError> {
    tx.execute(sql(PRUNE).bind(now)).await
}

fn read(row: &Row) -> Result<pb::Revocation, DbError> {
    Ok(pb::Revocation {
        kind: row.get("kind")?,
        key: row.get("key")?,
        epoch: row.get("epoch")?,
        except_sid: row
            .get::<Option<SessionId>>("except_sid")?
            .map(|sid| sid.to_string()),
        state: row.get("state")?,
        reason: row.get("reason")?,
        at_ms: row.get("at")?,
        keep_until_ms: row.get("keep_until")?,
    })
}
