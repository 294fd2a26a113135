//! Rows of listings.

use super::statements as s;
use crate::domain::{AvailabilityPlan, Listing, State};
use stoa_db::{Bind, Cell, Db, DbError, FromColumn, FromRow, Row, SqlBuilder, Tx, Value, sql};
use stoa_policy::UserState;
use stoa_types::id::{ListingId, UserId};
use stoa_types::{Currency, LatLng, Money};

impl FromColumn for State {
    fn from_column(cell: Cell<'_>) -> Result<Self, DbError> {
        cell.parse(|name: String| Self::from_name(&name).ok_or("no state of a listing"))
    }
}

impl Bind for State {
    fn value(self) -> Value {
        self.name().value()
    }
    fn null() -> Value {
        Value::Text(None)
    }
}

impl FromColumn for AvailabilityPlan {
    fn from_column(cell: Cell<'_>) -> Result<Self, DbError> {
        cell.parse(|json: String| Self::from_stored(&json).ok_or("no availability plan"))
    }
}

impl FromRow for Listing {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        let price = match (row.get("price_amount")?, row.get("price_currency")?) {
            (Some(amount), Some(currency)) => {
                let currency: String = currency;
                let currency = Currency::parse(&currency)
                    .map_err(|why| DbError::corrupt("price_currency", why))?;
                Some(Money::new(amount, currency))
            }
            (None::<i64>, None::<String>) => None,
            _ => return Err(DbError::corrupt("price_amount", "half a price")),
        };
        let geolocation = match (row.get("lat")?, row.get("lng")?) {
            (Some(lat), Some(lng)) => Some(
                LatLng::checked(lat, lng)
                    .ok_or_else(|| DbError::corrupt("lat", "off the globe"))?,
            ),
            (None, None) => None,
            _ => return Err(DbError::corrupt("lat", "half a place")),
        };
        Ok(Self {
            id: row.get("id")?,
            author: row.get("author_id")?,
            version: u64::try_from(row.get::<i64>("version")?)
                .map_err(|why| DbError::corrupt("version", why))?,
            state: row.get("state")?,
            deleted: row.get("deleted")?,
            title: row.get("title")?,
            description: row.get("description")?,
            geolocation,
            created_at: row.get("created_at")?,
            price,
            availability_plan: row.get("availability_plan")?,
            public_data: row.get("public_data")?,
            private_data: row.get("private_data")?,
            metadata: row.get("metadata")?,
        })
    }
}

/// Versions are far below the end of the column's range.
fn version_column(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}

/// A listing, deleted ones too.
pub(crate) async fn listing(tx: &Tx, id: ListingId) -> Result<Option<Listing>, DbError> {
    tx.opt_as(sql(s::LISTING).bind(id)).await
}

/// A listing and the state of its author, as far as known here.
pub(crate) async fn shown(
    db: &Db,
    id: ListingId,
) -> Result<Option<(Listing, Option<UserState>)>, DbError> {
    let Some(row) = db.opt(sql(s::SHOWN).bind(id)).await? else {
        return Ok(None);
    };
    let state: Option<String> = row.get("author_state")?;
    let state = state.and_then(|name| UserState::from_name(&name));
    Ok(Some((Listing::from_row(&row)?, state)))
}

/// The listings with these ids, deleted ones too, in no order; at most a page of them.
pub(crate) async fn listings_by_id(
    db: &Db,
    ids: impl IntoIterator<Item = ListingId>,
) -> Result<Vec<Listing>, DbError> {
    let mut query = SqlBuilder::new(s::LISTINGS_BY_ID);
    query.push_list(ids);
    db.all_as(query).await
}

/// Listings that are not deleted, in the order of their ids, for the index.
pub(crate) async fn live_after(
    db: &Db,
    after: Option<ListingId>,
    limit: u32,
) -> Result<Vec<Listing>, DbError> {
    // No id is the empty text, so it comes before all.
    let after = after.map(|id| id.to_string()).unwrap_or_default();
    db.all_as(sql(s::LIVE_AFTER).bind(after).bind(limit)).await
}

/// All listings of an author that are not deleted.
pub(crate) async fn live_of_author(db: &Db, author: UserId) -> Result<Vec<Listing>, DbError> {
    db.all_as(sql(s::LIVE_OF_AUTHOR).bind(author)).await
}

/// A page of an author's listings, newest first, and the number of all of them. No states: all.
pub(crate) async fn own_page(
    db: &Db,
    author: UserId,
    states: Option<&[State]>,
    offset: u64,
    limit: usize,
) -> Result<(Vec<Listing>, u64), DbError> {
    let filtered = |text| {
        let mut query = SqlBuilder::new(text);
        query.push_bind(author);
        if let Some(states) = states {
            query
                .push(" AND state IN ")
                .push_list(states.iter().copied());
        }
        query
    };
    let mut page = filtered(s::OWN_PAGE);
    page.push(" ORDER BY created_at DESC, id LIMIT ")
        .push_bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .push(" OFFSET ")
        .push_bind(i64::try_from(offset).unwrap_or(i64::MAX));
    let (total,): (i64,) = db.one_as(filtered(s::OWN_COUNT)).await?;
    Ok((db.all_as(page).await?, u64::try_from(total).unwrap_or(0)))
}

/// Adds a listing.
pub(crate) async fn insert(tx: &Tx, new: &Listing) -> Result<(), DbError> {
    let statement = sql(s::INSERT)
        .bind(new.id)
        .bind(new.author)
        .bind(version_column(new.version))
        .bind(new.state)
        .bind(new.deleted)
        .bind(new.title.as_str())
        .bind(new.description.as_deref())
        .bind(new.geolocation.map(|at| at.lat))
        .bind(new.geolocation.map(|at| at.lng))
        .bind(new.price.map(|price| price.amount))
        .bind(new.price.map(|price| price.currency.to_string()))
        .bind(new.availability_plan.as_ref().map(AvailabilityPlan::stored))
        .bind(new.public_data.as_str())
        .bind(new.private_data.as_str())
        .bind(new.metadata.as_str())
        .bind(new.created_at);
    tx.execute_expecting(1, statement).await
}

/// Replaces a listing by its next version.
///
/// # Errors
/// [`DbError::RowCount`] when somebody else was faster.
pub(crate) async fn replace(tx: &Tx, next: &Listing) -> Result<(), DbError> {
    let statement = sql(s::REPLACE)
        .bind(version_column(next.version))
        .bind(next.state)
        .bind(next.deleted)
        .bind(next.title.as_str())
        .bind(next.description.as_deref())
        .bind(next.geolocation.map(|at| at.lat))
        .bind(next.geolocation.map(|at| at.lng))
        .bind(next.price.map(|price| price.amount))
        .bind(next.price.map(|price| price.currency.to_string()))
        .bind(
            next.availability_plan
                .as_ref()
                .map(AvailabilityPlan::stored),
        )
        .bind(next.public_data.as_str())
        .bind(next.private_data.as_str())
        .bind(next.metadata.as_str())
        .bind(next.id)
        .bind(version_column(next.version - 1));
    tx.execute_expecting(1, statement).await
}

/// Users whose listings are not public, with the version of each one's state.
pub(crate) async fn hidden_authors(db: &Db) -> Result<Vec<(UserId, u64)>, DbError> {
    let rows: Vec<(UserId, i64)> = db.all_as(s::HIDDEN_AUTHORS).await?;
    let versioned = |(user, version)| (user, u64::try_from(version).unwrap_or(0));
    Ok(rows.into_iter().map(versioned).collect())
}

/// Version of the state of each of these users, and whether it hides what they wrote.
pub(crate) async fn author_states(
    db: &Db,
    users: &[UserId],
) -> Result<Vec<(UserId, u64, bool)>, DbError> {
    let mut states = Vec::new();
    for some in users.chunks(200) {
        let mut q = SqlBuilder::new("SELECT user_id, version, state FROM actors WHERE user_id IN ");
        q.push_list(some.iter().copied());
        let rows: Vec<(UserId, i64, String)> = db.all_as(q).await?;
        states.extend(rows.into_iter().map(|(user, version, state)| {
            (user, u64::try_from(version).unwrap_or(0), state != "active")
        }));
    }
    Ok(states)
}

/// Version of a user's state as it is known here.
pub(crate) async fn actor_version(tx: &Tx, user: UserId) -> Result<u64, DbError> {
    let row: Option<(i64,)> = tx.opt_as(sql(s::ACTOR_VERSION).bind(user)).await?;
    Ok(row
        .and_then(|(version,)| u64::try_from(version).ok())
        .unwrap_or(0))
}
