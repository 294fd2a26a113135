//! The audit log: inbox, chain, details, anchors.

use crate::domain::audit::{Entry, Link};
use crate::store::dialect;
use stoa_db::{Bind as _, Db, DbError, Engine, FromRow, Row, Sql, SqlBuilder, Tx, sql};
use stoa_types::Timestamp;
use stoa_types::id::UserId;

stoa_db::statements! {
    /// Once for each command, whether it is chained already or not.
    APPEND = "INSERT INTO audit_inbox
                     (id, once, at, action, code, service, level, operator_id, user_id, client_id,
                      request_id, target_kind, target_id, detail, personal_of)
              SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS BIGINT), CAST($4 AS TEXT),
                     CAST($5 AS TEXT), CAST($6 AS TEXT), CAST($7 AS TEXT), CAST($8 AS TEXT),
                     CAST($9 AS TEXT), CAST($10 AS TEXT), CAST($11 AS TEXT), CAST($12 AS TEXT),
                     CAST($13 AS TEXT), CAST($14 AS TEXT), CAST($15 AS TEXT)
               WHERE NOT EXISTS (SELECT 1 FROM audit_log WHERE once = $2)
              ON CONFLICT (once) DO NOTHING";
    INBOX = "SELECT i.id, i.once, i.at, i.action, i.code, i.service, i.level, i.operator_id,
                    i.user_id, i.client_id, i.request_id, i.target_kind, i.target_id, i.detail,
                    i.personal_of
               FROM audit_inbox i ORDER BY i.ordinal LIMIT $1";
    /// Those that came a second time while the first was being chained.
    DROP_KNOWN = "DELETE FROM audit_inbox WHERE once IN (SELECT once FROM audit_log)";
    IS_WAITING = "SELECT COUNT(*) FROM audit_inbox";
    MOVE_HEAD = "UPDATE audit_head SET seq = $1, hash = $2 WHERE only_row = 1 AND seq = $3";
    HEAD = "SELECT seq, hash FROM audit_head WHERE only_row = 1";
    STEPS = "SELECT l.seq, l.id, l.once, l.at, l.action, l.code, l.service, l.level, l.operator_id,
                    l.user_id, l.client_id, l.request_id, l.target_kind, l.target_id,
                    l.detail_hash, l.hash, d.salt, d.detail
               FROM audit_log l LEFT JOIN audit_details d ON d.entry_id = l.id
              WHERE l.seq > $1 ORDER BY l.seq LIMIT $2";

    /// Whom an erasure was asked for.
    GONE = "SELECT user_id FROM audit_erasures WHERE user_id = $1";
    ASK = "INSERT INTO audit_erasures (user_id, asked_at) VALUES ($1, $2)
           ON CONFLICT (user_id) DO UPDATE SET asked_at = excluded.asked_at, done_at = NULL";
    TO_ERASE = "SELECT user_id, asked_at FROM audit_erasures
                 WHERE done_at IS NULL ORDER BY asked_at LIMIT 100";
    DONE = "UPDATE audit_erasures SET done_at = $1
             WHERE user_id = $2 AND asked_at = $3 AND done_at IS NULL";
    DETAILS_OF = "SELECT entry_id FROM audit_personal WHERE user_id = $1 ORDER BY entry_id LIMIT $2";
    WAITING_OF = "UPDATE audit_inbox SET detail = NULL
                   WHERE detail IS NOT NULL AND personal_of LIKE $1";

    PUT_ANCHOR = "INSERT INTO audit_anchors (at, seq, hash, signed) VALUES ($1, $2, $3, $4)";
    LAST_ANCHOR = "SELECT at, seq FROM audit_anchors ORDER BY at DESC LIMIT 1";
    ANCHORS = "SELECT at, seq, hash, signed FROM audit_anchors ORDER BY seq, at";
}

impl FromRow for Entry {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            id: row.get("id")?,
            once: row.get("once")?,
            at: row.get("at")?,
            action: row.get("action")?,
            code: row.get("code")?,
            service: row.get("service")?,
            level: row.get("level")?,
            operator: row.get("operator_id")?,
            user: row.get("user_id")?,
            client: row.get("client_id")?,
            request: row.get("request_id")?,
            target_kind: row.get("target_kind")?,
            target_id: row.get("target_id")?,
            detail: row.get("detail")?,
            personal_of: Vec::new(),
        })
    }
}

/// An entry of the log with its detail, where that still is.
pub(crate) struct Stored {
    pub(crate) link: Link,
    pub(crate) salt: Option<String>,
}

impl FromRow for Stored {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            link: Link {
                seq: row.get("seq")?,
                entry: Entry::from_row(row)?,
                detail_hash: row.get("detail_hash")?,
                hash: row.get("hash")?,
            },
            salt: row.get("salt")?,
        })
    }
}

impl Stored {
    /// Salt and detail, where they still are.
    pub(crate) fn detail(&self) -> Option<(&str, &str)> {
        Some((self.salt.as_deref()?, self.link.entry.detail.as_deref()?))
    }
}

/// Adds an entry to the inbox, in the transaction of what it tells of.
pub(crate) async fn append(tx: &Tx, entry: &Entry) -> Result<(), DbError> {
    let statement = sql(APPEND)
        .bind(entry.id.as_str())
        .bind(entry.once.as_str())
        .bind(entry.at)
        .bind(entry.action.as_str())
        .bind(entry.code.as_str())
        .bind(entry.service.as_str())
        .bind(entry.level.as_str())
        .bind(entry.operator.as_str())
        .bind(entry.user.as_str())
        .bind(entry.client.as_str())
        .bind(entry.request.as_str())
        .bind(entry.target_kind.as_str())
        .bind(entry.target_id.as_str())
        .bind(entry.detail.as_deref())
        .bind(entry.personal_of.join(" "));
    tx.execute(statement).await.map(drop)
}

/// Whether anything waits for its place.
pub(crate) async fn is_waiting(db: &Db) -> Result<bool, DbError> {
    let (count,): (i64,) = db.one_as(sql(IS_WAITING)).await?;
    Ok(count > 0)
}

/// The end of the chain, locked until the transaction ends.
pub(crate) async fn head_locked(tx: &Tx) -> Result<(i64, String), DbError> {
    let text = match tx.engine() {
        Engine::Sqlite => HEAD,
        Engine::Postgres => dialect::AUDIT_HEAD_POSTGRES,
    };
    tx.one_as(sql(text)).await
}

/// The end of the chain.
pub(crate) async fn head(db: &Db) -> Result<(i64, String), DbError> {
    db.one_as(sql(HEAD)).await
}

/// Entries that wait, oldest first; under the lock of the head.
pub(crate) async fn waiting(tx: &Tx, limit: u32) -> Result<Vec<Entry>, DbError> {
    tx.execute(sql(DROP_KNOWN)).await?;
    let rows = tx.all(sql(INBOX).bind(limit)).await?;
    rows.iter()
        .map(|row| {
            let personal: String = row.get("personal_of")?;
            Ok(Entry {
                personal_of: personal.split_whitespace().map(str::to_owned).collect(),
                ..Entry::from_row(row)?
            })
        })
        .collect()
}

/// Whether the user's details must go.
pub(crate) async fn is_gone(tx: &Tx, user: &str) -> Result<bool, DbError> {
    let found: Option<(String,)> = tx.opt_as(sql(GONE).bind(user)).await?;
    Ok(found.is_some())
}

/// Moves entries from the inbox to their places, each with its salt. The head moves from `before`.
pub(crate) async fn chain(tx: &Tx, before: i64, links: &[(Link, String)]) -> Result<(), DbError> {
    let Some((last, _)) = links.last() else {
        return Ok(());
    };
    let count = links.len() as u64;
    tx.execute_expecting(count, insert(links)).await?;
    let details: Vec<&(Link, String)> = links
        .iter()
        .filter(|(l, _)| l.entry.detail.is_some())
        .collect();
    if !details.is_empty() {
        let mut rows =
            SqlBuilder::new("INSERT INTO audit_details (entry_id, salt, detail) VALUES ");
        rows.push_rows(&details, |(link, salt)| {
            let detail = link.entry.detail.as_deref().unwrap_or_default();
            [
                link.entry.id.as_str().value(),
                salt.as_str().value(),
                detail.value(),
            ]
        });
        tx.execute_expecting(details.len() as u64, rows).await?;
    }
    let personal: Vec<(&str, &str)> = details
        .iter()
        .flat_map(|(link, _)| {
            let entry = &link.entry;
            entry
                .personal_of
                .iter()
                .map(|user| (user.as_str(), entry.id.as_str()))
        })
        .collect();
    if !personal.is_empty() {
        let mut rows = SqlBuilder::new("INSERT INTO audit_personal (user_id, entry_id) VALUES ");
        rows.push_rows(&personal, |(user, id)| [(*user).value(), (*id).value()]);
        tx.execute_expecting(personal.len() as u64, rows).await?;
    }
    let mut gone = SqlBuilder::new("DELETE FROM audit_inbox WHERE id IN ");
    gone.push_list(links.iter().map(|(link, _)| link.entry.id.as_str()));
    tx.execute_expecting(count, gone).await?;
    let head = sql(MOVE_HEAD)
        .bind(last.seq)
        .bind(last.hash.as_str())
        .bind(before);
    tx.execute_expecting(1, head).await
}

fn insert(links: &[(Link, String)]) -> Sql {
    let mut rows = SqlBuilder::new(
        "INSERT INTO audit_log
                (seq, id, once, at, action, code, service, level, operator_id, user_id, client_id,
                 request_id, target_kind, target_id, detail_hash, hash)
         VALUES ",
    );
    rows.push_rows(links, |(link, _)| {
        let e = &link.entry;
        [
            link.seq.value(),
            e.id.as_str().value(),
            e.once.as_str().value(),
            e.at.value(),
            e.action.as_str().value(),
            e.code.as_str().value(),
            e.service.as_str().value(),
            e.level.as_str().value(),
            e.operator.as_str().value(),
            e.user.as_str().value(),
            e.client.as_str().value(),
            e.request.as_str().value(),
            e.target_kind.as_str().value(),
            e.target_id.as_str().value(),
            link.detail_hash.as_str().value(),
            link.hash.as_str().value(),
        ]
    });
    rows.build()
}

/// Entries behind a place, in the order of the chain.
pub(crate) async fn steps(db: &Db, after: i64, limit: u32) -> Result<Vec<Stored>, DbError> {
    db.all_as(sql(STEPS).bind(after).bind(limit)).await
}

/// Which entries a query asks for; all conditions hold together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub(crate) operator: Option<String>,
    pub(crate) target: Option<String>,
    pub(crate) action: Option<String>,
    /// Inclusive.
    pub(crate) from: Option<Timestamp>,
    /// Exclusive.
    pub(crate) to: Option<Timestamp>,
}

impl Filter {
    fn push(&self, statement: &mut SqlBuilder) {
        statement.push(" WHERE TRUE");
        if let Some(operator) = &self.operator {
            statement
                .push(" AND l.operator_id = ")
                .push_bind(operator.as_str());
        }
        if let Some(target) = &self.target {
            statement
                .push(" AND l.target_id = ")
                .push_bind(target.as_str());
        }
        if let Some(action) = &self.action {
            statement
                .push(" AND l.action = ")
                .push_bind(action.as_str());
        }
        if let Some(from) = self.from {
            statement.push(" AND l.at >= ").push_bind(from);
        }
        if let Some(to) = self.to {
            statement.push(" AND l.at < ").push_bind(to);
        }
    }

    fn page_of(&self, page: u32, per_page: u32) -> SqlBuilder {
        let mut statement = SqlBuilder::new(
            "SELECT l.seq, l.id, l.once, l.at, l.action, l.code, l.service, l.level, l.operator_id,
                    l.user_id, l.client_id, l.request_id, l.target_kind, l.target_id,
                    l.detail_hash, l.hash, d.salt, d.detail
               FROM audit_log l LEFT JOIN audit_details d ON d.entry_id = l.id",
        );
        self.push(&mut statement);
        statement
            .push(" ORDER BY l.seq DESC LIMIT ")
            .push_bind(per_page)
            .push(" OFFSET ")
            .push_bind((i64::from(page) - 1) * i64::from(per_page));
        statement
    }

    fn count(&self) -> SqlBuilder {
        let mut statement = SqlBuilder::new("SELECT COUNT(*) FROM audit_log l");
        self.push(&mut statement);
        statement
    }
}

/// A page of the log, newest first, and the number of all entries that the filter lets through.
pub(crate) async fn page(
    db: &Db,
    filter: &Filter,
    page: u32,
    per_page: u32,
) -> Result<(Vec<Stored>, u64), DbError> {
    let found = db.all_as(filter.page_of(page, per_page)).await?;
    let (total,): (i64,) = db.one_as(filter.count()).await?;
    Ok((found, u64::try_from(total).unwrap_or(0)))
}

/// Writes down that the user's details must go.
pub(crate) async fn ask_for_erasure(tx: &Tx, user: UserId, now: Timestamp) -> Result<(), DbError> {
    tx.execute(sql(ASK).bind(user).bind(now)).await.map(drop)
}

/// Users whose details must go, and since when.
pub(crate) async fn to_erase(db: &Db) -> Result<Vec<(UserId, Timestamp)>, DbError> {
    db.all_as(sql(TO_ERASE)).await
}

/// Removes up to `limit` details that speak of the user, also those that wait; gives how many.
pub(crate) async fn erase(tx: &Tx, user: UserId, limit: u32) -> Result<u64, DbError> {
    let waiting = sql(WAITING_OF).bind(format!("%{user}%"));
    let mut removed = tx.execute(waiting).await?;
    let entries: Vec<(String,)> = tx.all_as(sql(DETAILS_OF).bind(user).bind(limit)).await?;
    if entries.is_empty() {
        return Ok(removed);
    }
    let ids = || entries.iter().map(|(id,)| id.as_str());
    for (table, column) in [
        ("DELETE FROM audit_details WHERE ", "entry_id IN "),
        ("DELETE FROM audit_personal WHERE ", "entry_id IN "),
    ] {
        let mut statement = SqlBuilder::new(table);
        statement.push(column).push_list(ids());
        removed += tx.execute(statement).await?;
    }
    Ok(removed)
}

/// The user's details are gone from tables and files.
pub(crate) async fn erased(
    tx: &Tx,
    user: UserId,
    asked_at: Timestamp,
    now: Timestamp,
) -> Result<(), DbError> {
    tx.execute(sql(DONE).bind(now).bind(user).bind(asked_at))
        .await
        .map(drop)
}

/// An anchor: when, which entry, its hash, and the signed line.
pub(crate) type Anchor = (Timestamp, i64, String, String);

/// Keeps an anchor.
pub(crate) async fn put_anchor(tx: &Tx, anchor: &Anchor) -> Result<(), DbError> {
    let (at, seq, hash, signed) = anchor;
    let statement = sql(PUT_ANCHOR)
        .bind(*at)
        .bind(*seq)
        .bind(hash.as_str())
        .bind(signed.as_str());
    tx.execute(statement).await.map(drop)
}

/// Time and place of the last anchor.
pub(crate) async fn last_anchor(db: &Db) -> Result<Option<(Timestamp, i64)>, DbError> {
    db.opt_as(sql(LAST_ANCHOR)).await
}

/// All anchors, in the order of the chain.
pub(crate) async fn anchors(db: &Db) -> Result<Vec<Anchor>, DbError> {
    db.all_as(sql(ANCHORS)).await
}

/// A statement of each shape that is put together, for the test that prepares them.
#[cfg(test)]
pub(crate) fn built() -> Vec<Sql> {
    let all = Filter {
        operator: Some("host".into()),
        target: Some("t".into()),
        action: Some("a".into()),
        from: Some(Timestamp::from_ms(0)),
        to: Some(Timestamp::from_ms(1)),
    };
    [&all, &Filter::default()]
        .into_iter()
        .flat_map(|filter| [filter.page_of(1, 1).build(), filter.count().build()])
        .collect()
}
