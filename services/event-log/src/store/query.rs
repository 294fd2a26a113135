//! Reading the log: always ascending, from a number on.

use prost::Message as _;
use std::collections::BTreeSet;
use stoa_db::{Db, DbError, FromRow, Row, SqlBuilder};
use stoa_proto::event_log::LoggedEvent;
use stoa_proto::events::{EventActor, PublicEvent};
use stoa_types::Timestamp;

/// Which events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct EventFilter {
    /// With this number or a greater one.
    pub(crate) from: i64,
    /// With a smaller number than this.
    pub(crate) before: Option<i64>,
    /// Created at this instant or later.
    pub(crate) created_from: Option<Timestamp>,
    /// Created before this instant.
    pub(crate) created_before: Option<Timestamp>,
    /// Of this resource.
    pub(crate) resource_id: Option<String>,
    /// Of this resource or one that refers to it.
    pub(crate) related_id: Option<String>,
    /// Of one of these full types.
    pub(crate) event_types: Option<BTreeSet<String>>,
    /// Caused by this user.
    pub(crate) user_id: Option<String>,
}

impl EventFilter {
    /// Whether it asks for nothing but a range of numbers.
    fn is_range(&self) -> bool {
        let range = Self {
            from: self.from,
            before: self.before,
            ..Self::default()
        };
        *self == range
    }
}

/// The first `limit` events, and how many there are in all. `marketplace_id` of the events is left
/// for the caller.
///
/// One statement while the page is not full: there is only one page, so it holds them all.
pub(crate) async fn page(
    db: &Db,
    filter: &EventFilter,
    limit: u32,
) -> Result<(Vec<LoggedEvent>, u64), DbError> {
    let mut q = SqlBuilder::new("");
    push_page(&mut q, filter, i64::from(limit) + 1);
    let mut events: Vec<Logged> = db.all_as(q).await?;
    let full = u64::from(limit);
    let total = if events.len() as u64 > full {
        // Not below what was just seen, should events have aged out in between.
        count(db, filter).await?.max(full)
    } else {
        events.len() as u64
    };
    events.truncate(limit as usize);
    Ok((
        events.into_iter().map(|Logged(event)| event).collect(),
        total,
    ))
}

/// Numbers first, from an index; sorting whole events would carry their bytes along.
fn push_page(q: &mut SqlBuilder, filter: &EventFilter, limit: i64) {
    q.push(
        "SELECT e.sequence_id, e.created_at, e.actor_level, e.actor_user_id, e.actor_operator_id,
                e.actor_client_id, e.actor_request_id, e.actor_cause, e.event
           FROM (SELECT ",
    );
    let number = number_of(filter);
    q.push(number).push(" AS found_id");
    push_filter(q, filter);
    q.push(" ORDER BY ").push(number).push(" LIMIT ");
    q.push_bind(limit);
    q.push(") f JOIN events e ON e.sequence_id = f.found_id ORDER BY e.sequence_id");
}

async fn count(db: &Db, filter: &EventFilter) -> Result<u64, DbError> {
    let counted: (i64,) = if filter.is_range() {
        // Numbers have no gaps but those of restores, so the ends of the range tell; a poller that
        // catches up would otherwise count everything before it with every page.
        let mut q = SqlBuilder::new(
            "SELECT COALESCE(r.last_id - r.first_id + 1
                           - (SELECT CAST(COALESCE(SUM(g.last_missing - g.first_missing + 1), 0) AS BIGINT)
                                FROM number_gaps g
                               WHERE g.first_missing > r.first_id AND g.last_missing < r.last_id), 0)
               FROM (SELECT (SELECT MIN(e.sequence_id)",
        );
        push_filter(&mut q, filter);
        q.push(") AS first_id, (SELECT MAX(e.sequence_id)");
        push_filter(&mut q, filter);
        q.push(") AS last_id) r");
        db.one_as(q).await?
    } else {
        let mut q = SqlBuilder::new("SELECT COUNT(*)");
        push_filter(&mut q, filter);
        db.one_as(q).await?
    };
    u64::try_from(counted.0).map_err(|why| DbError::corrupt("count", why))
}

/// The number as ranges and order ask for it: a column of the table that is walked first.
fn number_of(filter: &EventFilter) -> &'static str {
    if filter.related_id.is_some() {
        "r.sequence_id"
    } else if filter.from == 0 && filter.created_from.is_some() {
        // Who begins at an instant wants the end of the log. The sign keeps SQLite from walking
        // there from the first number on, to spare itself a small sort.
        "+e.sequence_id"
    } else {
        "e.sequence_id"
    }
}

fn push_filter(q: &mut SqlBuilder, filter: &EventFilter) {
    let number = number_of(filter);
    if filter.related_id.is_some() {
        q.push(" FROM event_related r JOIN events e ON e.sequence_id = r.sequence_id WHERE ");
    } else {
        q.push(" FROM events e WHERE ");
    }
    q.push(number).push(" >= ").push_bind(filter.from);
    if let Some(before) = filter.before {
        q.push(" AND ").push(number).push(" < ").push_bind(before);
    }
    if let Some(related) = &filter.related_id {
        q.push(" AND r.related_id = ").push_bind(related);
    }
    if let Some(from) = filter.created_from {
        q.push(" AND e.created_at >= ").push_bind(from);
    }
    if let Some(before) = filter.created_before {
        q.push(" AND e.created_at < ").push_bind(before);
    }
    if let Some(resource) = &filter.resource_id {
        q.push(" AND e.resource_id = ").push_bind(resource);
    }
    if let Some(types) = &filter.event_types {
        q.push(" AND e.event_type IN ").push_list(types);
    }
    if let Some(user) = &filter.user_id {
        q.push(" AND e.actor_user_id = ").push_bind(user);
    }
}

struct Logged(LoggedEvent);

impl FromRow for Logged {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        let number: i64 = row.get(0)?;
        let text = |column: usize| {
            Ok::<_, DbError>(row.get::<Option<String>>(column)?.unwrap_or_default())
        };
        let bytes: Vec<u8> = row.get(8)?;
        Ok(Self(LoggedEvent {
            sequence_id: u64::try_from(number)
                .map_err(|why| DbError::corrupt("events.sequence_id", why))?,
            created_at_ms: row.get(1)?,
            marketplace_id: String::new(),
            event: Some(
                PublicEvent::decode(bytes.as_slice())
                    .map_err(|why| DbError::corrupt("events.event", why))?,
            ),
            actor: Some(EventActor {
                level: row.get(2)?,
                user_id: text(3)?,
                operator_id: text(4)?,
                client_id: text(5)?,
                request_id: text(6)?,
                cause: text(7)?,
            }),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_testkit::engine::on_sqlite;

    async fn plan(db: &Db, filter: &EventFilter) -> String {
        let mut q = SqlBuilder::new("EXPLAIN QUERY PLAN ");
        push_page(&mut q, filter, 101);
        let rows = db.all(q).await.unwrap();
        let steps = rows.iter().map(|row| row.get::<String>(3).unwrap());
        steps.collect::<Vec<_>>().join("\n")
    }

    async fn each_filter_seeks(db: Db) {
        let any = EventFilter {
            from: 5,
            ..EventFilter::default()
        };
        let id = || Some(String::from("x"));
        let (instant, types) = (Some(Timestamp::from_ms(7)), ["a", "b"]);
        let cases = [
            (any.clone(), "INTEGER PRIMARY KEY (rowid>?)"),
            (
                EventFilter {
                    from: 0,
                    created_from: instant,
                    ..any.clone()
                },
                "events_by_created_at (created_at>?)",
            ),
            (
                EventFilter {
                    created_from: instant,
                    ..any.clone()
                },
                "INTEGER PRIMARY KEY (rowid>?)",
            ),
            (
                EventFilter {
                    resource_id: id(),
                    ..any.clone()
                },
                "events_by_resource (resource_id=? AND sequence_id>?)",
            ),
            (
                EventFilter {
                    related_id: id(),
                    ..any.clone()
                },
                "PRIMARY KEY (related_id=? AND sequence_id>?)",
            ),
            (
                EventFilter {
                    event_types: Some(types.map(str::to_owned).into()),
                    ..any.clone()
                },
                "events_by_type (event_type=? AND sequence_id>?)",
            ),
            (
                EventFilter {
                    user_id: id(),
                    ..any.clone()
                },
                "events_by_user (actor_user_id=? AND sequence_id>?)",
            ),
        ];
        for (filter, seek) in cases {
            let plan = plan(&db, &filter).await;
            assert!(plan.contains(seek), "{filter:?}\n{plan}");
            assert!(!plan.contains("SCAN e"), "{filter:?}\n{plan}");
        }
    }

    /// On SQLite, which plans without statistics; PostgreSQL walks a small table whatever it has.
    #[test]
    fn every_filter_is_an_index_seek() {
        on_sqlite(&crate::MIGRATIONS, each_filter_seeks);
    }
}
