//! Users by filter.

use crate::domain::user::User;
use crate::store::users::SELECT_USERS;
use stoa_db::{Db, DbError, SqlBuilder};
use stoa_policy::UserState;
use stoa_types::Timestamp;

/// Which users, in which order, which page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UserFilter {
    /// Created at this instant or later.
    pub(crate) created_from: Option<Timestamp>,
    /// Created before this instant.
    pub(crate) created_before: Option<Timestamp>,
    /// In one of these states.
    pub(crate) states: Vec<UserState>,
    /// Oldest first; otherwise newest first.
    pub(crate) oldest_first: bool,
    /// Counts from 1.
    pub(crate) page: u32,
    /// 1 to 100.
    pub(crate) per_page: u32,
}

/// The page, and how many users there are in all.
pub(crate) async fn page(db: &Db, filter: &UserFilter) -> Result<(Vec<User>, u64), DbError> {
    let mut count = SqlBuilder::new("SELECT count(*) FROM users");
    push_filter(&mut count, filter);
    let (total,): (i64,) = db.one_as(count).await?;
    let total = u64::try_from(total).map_err(|why| DbError::corrupt("count", why))?;

    let mut rows = SqlBuilder::new(SELECT_USERS);
    push_filter(&mut rows, filter);
    rows.push(if filter.oldest_first {
        " ORDER BY created_at, id LIMIT "
    } else {
        " ORDER BY created_at DESC, id DESC LIMIT "
    });
    let skipped = i64::from(filter.page.saturating_sub(1)) * i64::from(filter.per_page);
    rows.push_bind(filter.per_page)
        .push(" OFFSET ")
        .push_bind(skipped);
    Ok((db.all_as(rows).await?, total))
}

fn push_filter(q: &mut SqlBuilder, filter: &UserFilter) {
    q.push(" WHERE state IN ");
    q.push_list(filter.states.iter().map(|state| state.name()));
    if let Some(from) = filter.created_from {
        q.push(" AND created_at >= ").push_bind(from);
    }
    if let Some(before) = filter.created_before {
        q.push(" AND created_at < ").push_bind(before);
    }
}
