//! Rows of reviews.

use crate::domain::{ReviewFilter, StoredReview};
use stoa_db::{Bind as _, DbError, FromRow, Row, Sql, SqlBuilder, sql, statements};
use stoa_process::{Party, Review};
use stoa_types::id::{ReviewId, TransactionId};

macro_rules! COLUMNS {
    () => {
        "id, transaction_id, listing_id, author, author_id, subject_id, public, rating, content, \
         created_at"
    };
}

statements! {
    BY_ID = concat!("SELECT ", COLUMNS!(), " FROM reviews WHERE id = $1");
    /// In the order of their posting.
    OF_TRANSACTION = concat!(
        "SELECT ", COLUMNS!(), " FROM reviews WHERE transaction_id = $1 ORDER BY created_at, id"
    );
    PUBLISH = "UPDATE reviews SET public = TRUE WHERE transaction_id = $1 AND public = FALSE";
}

impl FromRow for StoredReview {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        let author = Party::parse(&row.get::<String>(3)?);
        let rating = u8::try_from(row.get::<i64>(7)?);
        Ok(Self {
            id: row.get(0)?,
            transaction: row.get(1)?,
            listing: row.get(2)?,
            author: row.get(4)?,
            subject: row.get(5)?,
            created_at: row.get(9)?,
            review: Review {
                author: author.ok_or_else(|| DbError::corrupt("author", "no party"))?,
                rating: rating.map_err(|why| DbError::corrupt("rating", why))?,
                content: row.get(8)?,
                public: row.get(6)?,
            },
        })
    }
}

/// One review.
pub(crate) fn by_id(id: ReviewId) -> Sql {
    sql(BY_ID).bind(id)
}

/// The reviews of one transaction, in the order of their posting.
pub(crate) fn of_transaction(id: TransactionId) -> Sql {
    sql(OF_TRANSACTION).bind(id)
}

/// The reviews of several transactions, the newest first.
pub(crate) fn of_transactions(ids: &[TransactionId]) -> Sql {
    let mut q = SqlBuilder::new(concat!(
        "SELECT ",
        COLUMNS!(),
        " FROM reviews WHERE transaction_id IN "
    ));
    q.push_list(ids).push(" ORDER BY created_at DESC, id");
    q.build()
}

/// Stores new reviews; there is at least one.
pub(crate) fn insert(reviews: &[StoredReview]) -> Sql {
    let mut q = SqlBuilder::new(concat!("INSERT INTO reviews (", COLUMNS!(), ") VALUES "));
    q.push_rows(reviews, |stored| {
        [
            stored.id.value(),
            stored.transaction.value(),
            stored.listing.value(),
            stored.review.author.as_str().value(),
            stored.author.value(),
            stored.subject.value(),
            stored.review.public.value(),
            i64::from(stored.review.rating).value(),
            stored.review.content.as_str().value(),
            stored.created_at.value(),
        ]
    });
    q.build()
}

/// Publishes the reviews of a transaction that wait.
pub(crate) fn publish(id: TransactionId) -> Sql {
    sql(PUBLISH).bind(id)
}

/// How many reviews match.
pub(crate) fn count(filter: &ReviewFilter) -> Sql {
    let mut q = SqlBuilder::new("SELECT count(*) FROM reviews");
    conditions(&mut q, filter);
    q.build()
}

/// The page of those that match, the newest first.
pub(crate) fn page(filter: &ReviewFilter) -> Sql {
    let mut q = SqlBuilder::new(concat!("SELECT ", COLUMNS!(), " FROM reviews"));
    conditions(&mut q, filter);
    q.push(" ORDER BY created_at DESC, id LIMIT ")
        .push_bind(filter.page.limit());
    q.push(" OFFSET ").push_bind(filter.page.offset());
    q.build()
}

fn conditions(q: &mut SqlBuilder, filter: &ReviewFilter) {
    q.push(" WHERE public = ").push_bind(filter.public);
    if let Some(listing) = filter.listing {
        q.push(" AND listing_id = ").push_bind(listing);
    }
    if let Some(subject) = filter.subject {
        q.push(" AND subject_id = ").push_bind(subject);
    }
    if let Some(transaction) = filter.transaction {
        q.push(" AND transaction_id = ").push_bind(transaction);
    }
    if let Some(author) = filter.author {
        q.push(" AND author = ").push_bind(author.as_str());
    }
    if let Some(user) = filter.party {
        q.push(" AND (author_id = ").push_bind(user);
        q.push(" OR subject_id = ").push_bind(user).push(")");
    }
    if let Some(user) = filter.written_by {
        q.push(" AND author_id = ").push_bind(user);
    }
}
