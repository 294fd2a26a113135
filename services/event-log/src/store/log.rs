//! Putting events into the log.

use crate::domain::entry::Entry;
use prost::Message as _;
use std::collections::{BTreeSet, HashSet};
use stoa_db::{Bind as _, DbError, SqlBuilder, Tx, Value, sql};
use stoa_feed::erase::Erasure;
use stoa_types::Timestamp;
use stoa_types::id::UserId;

/// Rows of one INSERT.
const ROWS: usize = 200;

stoa_db::statements! {
    /// Takes numbers and gives the last of them. The row stays locked until the transaction ends,
    /// so numbers become visible in their order, and a tombstone is either seen by the one who
    /// stores an event, or comes after that event is visible to the erasure.
    TAKE_NUMBERS =
        "UPDATE event_counter
            SET last_sequence_id = last_sequence_id + $1
          WHERE id = 1
      RETURNING last_sequence_id";
}

/// Those of the events that are stored already.
pub(crate) async fn stored(tx: &Tx, entries: &[Entry]) -> Result<HashSet<String>, DbError> {
    let mut found = HashSet::new();
    for part in entries.chunks(ROWS) {
        let mut q = SqlBuilder::new("SELECT id FROM events WHERE id IN ");
        q.push_list(part.iter().map(|entry| entry.event.id.as_str()));
        let rows: Vec<(String,)> = tx.all_as(q).await?;
        found.extend(rows.into_iter().map(|(id,)| id));
    }
    Ok(found)
}

/// Takes `count` numbers, which may be none, and gives the first of them. From here to the end of
/// the transaction nobody else stores an event or a tombstone.
pub(crate) async fn take_numbers(tx: &Tx, count: usize) -> Result<i64, DbError> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let (last,): (i64,) = tx.one_as(sql(TAKE_NUMBERS).bind(count)).await?;
    Ok(last - count + 1)
}

/// Writes the tombstones of users; after [`take_numbers`].
pub(crate) async fn bury(
    tx: &Tx,
    users: &BTreeSet<Erasure>,
    now: Timestamp,
) -> Result<(), DbError> {
    if users.is_empty() {
        return Ok(());
    }
    let users: Vec<Erasure> = users.iter().copied().collect();
    let mut rows = SqlBuilder::new("INSERT INTO erased_users (user_id, texts, erased_at) VALUES ");
    rows.push_rows(&users, |gone| {
        [gone.user.value(), gone.texts.value(), now.value()]
    });
    rows.push(" ON CONFLICT (user_id) DO NOTHING");
    tx.execute(rows).await.map(drop)
}

/// Those of the users who are erased; after [`take_numbers`].
pub(crate) async fn erased(tx: &Tx, users: &BTreeSet<UserId>) -> Result<Vec<Erasure>, DbError> {
    let users: Vec<UserId> = users.iter().copied().collect();
    let mut found = Vec::new();
    for part in users.chunks(ROWS) {
        let mut q = SqlBuilder::new("SELECT user_id, texts FROM erased_users WHERE user_id IN ");
        q.push_list(part.iter().copied());
        let rows: Vec<(UserId, bool)> = tx.all_as(q).await?;
        found.extend(
            rows.into_iter()
                .map(|(user, texts)| Erasure { user, texts }),
        );
    }
    Ok(found)
}

/// Stores events under numbers from `first` on.
pub(crate) async fn insert(
    tx: &Tx,
    first: i64,
    entries: &[Entry],
    now: Timestamp,
) -> Result<(), DbError> {
    let numbered: Vec<(i64, &Entry)> = (first..).zip(entries).collect();
    for part in numbered.chunks(ROWS) {
        let mut rows = SqlBuilder::new(
            "INSERT INTO events
                    (sequence_id, id, created_at, stored_at, event_type, resource_id, actor_level,
                     actor_user_id, actor_operator_id, actor_client_id, actor_request_id,
                     actor_cause, event)
             VALUES ",
        );
        rows.push_rows(part, |(number, entry)| row(*number, entry, now));
        tx.execute_expecting(part.len() as u64, rows).await?;
    }
    let related: Vec<(i64, &str)> = numbered
        .iter()
        .flat_map(|(number, entry)| entry.related.iter().map(|id| (*number, id.as_str())))
        .collect();
    for part in related.chunks(ROWS) {
        let mut rows =
            SqlBuilder::new("INSERT INTO event_related (sequence_id, related_id) VALUES ");
        rows.push_rows(part, |(number, id)| [number.value(), id.value()]);
        tx.execute_expecting(part.len() as u64, rows).await?;
    }
    let personal: Vec<(i64, UserId)> = numbered
        .iter()
        .flat_map(|(number, entry)| entry.personal.iter().map(|user| (*number, *user)))
        .collect();
    for part in personal.chunks(ROWS) {
        let mut rows = SqlBuilder::new("INSERT INTO event_personal (sequence_id, user_id) VALUES ");
        rows.push_rows(part, |(number, user)| [number.value(), user.value()]);
        tx.execute_expecting(part.len() as u64, rows).await?;
    }
    Ok(())
}

fn row(number: i64, entry: &Entry, now: Timestamp) -> [Value; 13] {
    let Entry {
        event,
        created_at,
        actor,
        ..
    } = entry;
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned()).value();
    [
        number.value(),
        event.id.as_str().value(),
        created_at.value(),
        now.value(),
        event.event_type.as_str().value(),
        event.resource_id.as_str().value(),
        actor.level.as_str().value(),
        given(&actor.user_id),
        given(&actor.operator_id),
        given(&actor.client_id),
        given(&actor.request_id),
        given(&actor.cause),
        event.encode_to_vec().value(),
    ]
}
