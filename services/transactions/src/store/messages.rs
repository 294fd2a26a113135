//! Rows of messages.

use crate::domain::{Message, PageRequest};
use stoa_db::{DbError, FromRow, Row, Sql, SqlBuilder, sql, statements};
use stoa_types::id::{MessageId, TransactionId, UserId};

macro_rules! COLUMNS {
    () => {
        "m.id, m.transaction_id, m.sender_id, m.content, m.created_at"
    };
}

statements! {
    INSERT =
        "INSERT INTO messages (id, transaction_id, number, sender_id, content, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)";
}

/// Which messages a query asks for; both parts must hold.
#[derive(Clone, Debug)]
pub(crate) struct MessageFilter {
    /// Of this transaction.
    pub(crate) transaction: Option<TransactionId>,
    /// One of these; an empty list matches nothing.
    pub(crate) ids: Option<Vec<MessageId>>,
    /// Only of transactions of this user.
    pub(crate) party: Option<UserId>,
    /// Which page.
    pub(crate) page: PageRequest,
}

impl FromRow for Message {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            id: row.get(0)?,
            transaction: row.get(1)?,
            sender: row.get(2)?,
            content: row.get(3)?,
            created_at: row.get(4)?,
        })
    }
}

/// Stores a message under its number within the transaction.
pub(crate) fn insert(message: &Message, number: i64) -> Sql {
    sql(INSERT)
        .bind(message.id)
        .bind(message.transaction)
        .bind(number)
        .bind(message.sender)
        .bind(message.content.as_str())
        .bind(message.created_at)
}

/// How many messages match.
pub(crate) fn count(filter: &MessageFilter) -> Sql {
    let mut q = SqlBuilder::new("SELECT count(*) FROM messages m");
    conditions(&mut q, filter);
    q.build()
}

/// The page of those that match, the newest first.
pub(crate) fn page(filter: &MessageFilter) -> Sql {
    let mut q = SqlBuilder::new(concat!("SELECT ", COLUMNS!(), " FROM messages m"));
    conditions(&mut q, filter);
    q.push(" ORDER BY m.created_at DESC, m.number DESC, m.id LIMIT ");
    q.push_bind(filter.page.limit());
    q.push(" OFFSET ").push_bind(filter.page.offset());
    q.build()
}

/// Most messages of one transaction that come with it; all of them come in pages.
const MAX_PARTS: i64 = 100;

/// The messages of several transactions, the newest of each, the newest first.
pub(crate) fn of_transactions(ids: &[TransactionId]) -> Sql {
    let mut q = SqlBuilder::new(concat!(
        "SELECT ",
        COLUMNS!(),
        " FROM messages m WHERE m.transaction_id IN "
    ));
    q.push_list(ids);
    q.push(" AND m.number > (SELECT max(n.number) FROM messages n WHERE n.transaction_id = m.transaction_id) - ");
    q.push_bind(MAX_PARTS);
    q.push(" ORDER BY m.created_at DESC, m.number DESC, m.id");
    q.build()
}

fn conditions(q: &mut SqlBuilder, filter: &MessageFilter) {
    q.push(" WHERE 1 = 1");
    if let Some(transaction) = filter.transaction {
        q.push(" AND m.transaction_id = ").push_bind(transaction);
    }
    if let Some(ids) = &filter.ids {
        q.push(" AND m.id IN ").push_list(ids);
    }
    if let Some(party) = filter.party {
        q.push(
            " AND EXISTS (SELECT 1 FROM transactions t WHERE t.id = m.transaction_id \
             AND (t.customer_id = ",
        );
        q.push_bind(party)
            .push(" OR t.provider_id = ")
            .push_bind(party)
            .push("))");
    }
}
