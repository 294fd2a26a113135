//! Users by filter.
//!
//! A filter on extended data is a range of an index (`search_texts`, `search_numbers`). One
//! statement counts how many values each filter has, but at most [`FEW`] and one; the answers
//! decide how the query goes on, so no planner has to guess.
//!
//! - One of the filters has few: its users are looked at one by one, the other filters by the index
//!   of the user. Number and page are exact, and the work is bounded by [`FEW`], however many users
//!   there are.
//! - All of them have many: the page is found by walking over the users in the order of the answer,
//!   which stops as soon as the page is full, and the number is counted at most once a second for
//!   each filter (`totals.rs`).
//!
//! `created_at + 0` keeps an engine from walking by time where few users are looked at.

use crate::domain::search::{Condition, Needed};
use crate::domain::user::User;
use crate::store::totals::Totals;
use crate::store::users::SELECT_USERS;
use stoa_db::{Db, DbError, SqlBuilder};
use stoa_policy::UserState;
use stoa_types::Timestamp;

/// So many values of a filter are few.
const FEW: i64 = 1000;

/// Which users, in which order, which page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UserFilter {
    pub(crate) selection: Selection,
    /// At most three keys, the most important first; empty: newest first.
    pub(crate) sort: Vec<Sort>,
    /// Counts from 1.
    pub(crate) page: u32,
    /// 1 to 100.
    pub(crate) per_page: u32,
}

/// Which users; everything must hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Selection {
    /// Created at this instant or later.
    pub(crate) created_from: Option<Timestamp>,
    /// Created before this instant.
    pub(crate) created_before: Option<Timestamp>,
    /// In one of these states.
    pub(crate) states: Vec<UserState>,
    /// What their extended data must be.
    pub(crate) conditions: Vec<Condition>,
}

/// One sort key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sort {
    pub(crate) by: SortBy,
    /// Lowest or oldest first.
    pub(crate) ascending: bool,
}

/// See [`Sort`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SortBy {
    CreatedAt,
    /// The number under the declared key with this number; users without come last either way.
    Number(i64),
}

/// The page, and how many users there are in all.
pub(crate) async fn page(
    db: &Db,
    filter: &UserFilter,
    totals: &Totals,
) -> Result<(Vec<User>, u64), DbError> {
    let selection = &filter.selection;
    let few = few(db, &selection.conditions).await?;
    let total = match few {
        Some(_) => count(db, selection, few).await?,
        None => totals.of(db, selection).await?,
    };
    let mut rows = SqlBuilder::new(SELECT_USERS);
    join_numbers(&mut rows, &filter.sort);
    push_selection(&mut rows, selection, few);
    push_order(&mut rows, &filter.sort, few.is_some());
    let skipped = i64::from(filter.page.saturating_sub(1)) * i64::from(filter.per_page);
    rows.push(" LIMIT ").push_bind(filter.per_page);
    rows.push(" OFFSET ").push_bind(skipped);
    Ok((db.all_as(rows).await?, total))
}

/// How many users there are, if it is not more than the limit; else one more than that.
pub(super) async fn count_few(db: &Db, selection: &Selection) -> Result<(u64, bool), DbError> {
    let mut q = SqlBuilder::new("SELECT count(*) FROM (SELECT 1 FROM users");
    push_selection(&mut q, selection, None);
    q.push(" LIMIT ").push_bind(FEW + 1).push(") few");
    let found = total(db, q).await?;
    Ok((found, found <= FEW.unsigned_abs()))
}

/// How many users there are.
pub(super) async fn count_all(db: &Db, selection: &Selection) -> Result<u64, DbError> {
    count(db, selection, None).await
}

async fn count(db: &Db, selection: &Selection, few: Option<usize>) -> Result<u64, DbError> {
    let mut q = SqlBuilder::new("SELECT count(*) FROM users");
    push_selection(&mut q, selection, few);
    total(db, q).await
}

async fn total(db: &Db, count: SqlBuilder) -> Result<u64, DbError> {
    let (total,): (i64,) = db.one_as(count).await?;
    u64::try_from(total).map_err(|why| DbError::corrupt("count", why))
}

/// The condition with the fewest values, if these are few.
async fn few(db: &Db, conditions: &[Condition]) -> Result<Option<usize>, DbError> {
    if conditions.is_empty() {
        return Ok(None);
    }
    let mut q = SqlBuilder::new("SELECT ");
    for (i, condition) in conditions.iter().enumerate() {
        q.push(if i == 0 { "" } else { ", " });
        q.push("(SELECT count(*) FROM (SELECT 1");
        push_values(&mut q, condition);
        q.push(" LIMIT ").push_bind(FEW + 1).push(") few)");
    }
    let row = db.one(q).await?;
    let mut best = None;
    for i in 0..conditions.len() {
        let values: i64 = row.get(i)?;
        if values <= FEW && best.is_none_or(|(least, _)| values < least) {
            best = Some((values, i));
        }
    }
    Ok(best.map(|(_, i)| i))
}

/// `FROM` the values that a condition allows: a range of the index by key and value.
fn push_values(q: &mut SqlBuilder, condition: &Condition) {
    match &condition.test {
        // Who has all has the first.
        Needed::EveryText(texts) => {
            let first = texts.iter().take(1).map(String::as_str);
            q.push(" FROM search_texts WHERE key_id = ")
                .push_bind(condition.key);
            q.push(" AND value IN ").push_list(first);
        }
        Needed::AnyText(_) | Needed::Spans(_) => {
            q.push(" FROM search_texts WHERE key_id = ")
                .push_bind(condition.key);
            push_test(q, &condition.test);
        }
        Needed::Number(_) => {
            q.push(" FROM search_numbers WHERE key_id = ")
                .push_bind(condition.key);
            push_test(q, &condition.test);
        }
    }
}

fn push_test(q: &mut SqlBuilder, test: &Needed) {
    match test {
        Needed::AnyText(texts) | Needed::EveryText(texts) => {
            q.push(" AND value IN ")
                .push_list(texts.iter().map(String::as_str));
        }
        Needed::Spans(spans) => {
            // Without a word nothing is found.
            q.push(if spans.is_empty() {
                " AND 1 = 0"
            } else {
                " AND ("
            });
            for (i, (from, to)) in spans.iter().enumerate() {
                q.push(if i == 0 { "value >= " } else { " OR value >= " });
                q.push_bind(from.as_str())
                    .push(" AND value < ")
                    .push_bind(to.as_str());
            }
            q.push(if spans.is_empty() { "" } else { ")" });
        }
        Needed::Number(range) => {
            q.push(" AND value >= ").push_bind(range.min);
            q.push(" AND value <= ").push_bind(range.max);
        }
    }
}

fn push_selection(q: &mut SqlBuilder, selection: &Selection, few: Option<usize>) {
    q.push(" WHERE users.state IN ");
    q.push_list(selection.states.iter().map(|state| state.name()));
    let created_at = match few {
        None => " AND users.created_at",
        Some(_) => " AND users.created_at + 0",
    };
    if let Some(from) = selection.created_from {
        q.push(created_at).push(" >= ").push_bind(from);
    }
    if let Some(before) = selection.created_before {
        q.push(created_at).push(" < ").push_bind(before);
    }
    if let Some(condition) = few.and_then(|i| selection.conditions.get(i)) {
        q.push(" AND users.id IN (SELECT few.user_id FROM (SELECT user_id");
        push_values(q, condition);
        q.push(" LIMIT ").push_bind(FEW).push(") few)");
    }
    for (i, condition) in selection.conditions.iter().enumerate() {
        let is_every = matches!(condition.test, Needed::EveryText(_));
        if few != Some(i) || is_every {
            push_check(q, condition);
        }
    }
}

/// The condition for one user: a look into the index by user and key. A scalar, because a join
/// would be planned from the side of the values.
fn push_check(q: &mut SqlBuilder, condition: &Condition) {
    q.push(match &condition.test {
        Needed::EveryText(_) => " AND (SELECT count(*) FROM search_texts",
        Needed::AnyText(_) | Needed::Spans(_) => " AND (SELECT 1 FROM search_texts",
        Needed::Number(_) => " AND (SELECT 1 FROM search_numbers",
    });
    q.push(" WHERE user_id = users.id AND key_id = ")
        .push_bind(condition.key);
    push_test(q, &condition.test);
    match &condition.test {
        Needed::EveryText(texts) => {
            let all = i64::try_from(texts.len()).unwrap_or(i64::MAX);
            q.push(") = ").push_bind(all);
        }
        Needed::AnyText(_) | Needed::Spans(_) | Needed::Number(_) => {
            q.push(" LIMIT 1) = 1");
        }
    }
}

/// The joined number of each of up to three sort keys, and how it sorts.
const NUMBERS: [(&str, &str); 3] = [
    (
        " LEFT JOIN search_numbers n0 ON n0.user_id = users.id AND n0.key_id = ",
        "n0.value IS NULL, n0.value",
    ),
    (
        " LEFT JOIN search_numbers n1 ON n1.user_id = users.id AND n1.key_id = ",
        "n1.value IS NULL, n1.value",
    ),
    (
        " LEFT JOIN search_numbers n2 ON n2.user_id = users.id AND n2.key_id = ",
        "n2.value IS NULL, n2.value",
    ),
];

fn join_numbers(q: &mut SqlBuilder, sort: &[Sort]) {
    for (sort, (join, _)) in sort.iter().zip(NUMBERS) {
        if let SortBy::Number(key) = sort.by {
            q.push(join).push_bind(key);
        }
    }
}

/// The sort keys, then the newest first; the id last, so that pages are stable. Among users made at
/// the same time the ids go the way of the times: that is one walk over the index.
fn push_order(q: &mut SqlBuilder, sort: &[Sort], few: bool) {
    q.push(" ORDER BY ");
    let mut by_time = None;
    for (sort, (_, number)) in sort.iter().zip(NUMBERS) {
        match sort.by {
            SortBy::Number(_) => {
                q.push(number);
                q.push(if sort.ascending { ", " } else { " DESC, " });
            }
            // What stands behind it would never decide.
            SortBy::CreatedAt => {
                by_time = Some(sort.ascending);
                break;
            }
        }
    }
    q.push(if few {
        "users.created_at + 0"
    } else {
        "users.created_at"
    });
    q.push(match by_time {
        Some(true) => ", users.id",
        Some(false) | None => " DESC, users.id DESC",
    });
}
