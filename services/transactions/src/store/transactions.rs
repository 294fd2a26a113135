//! Rows of transactions.

use crate::domain::Transaction;
use stoa_db::{DbError, FromRow, Row, Sql, SqlBuilder, sql, statements};
use stoa_process::run::{history_from_json, history_to_json};
use stoa_process::{ProtectedData, Run, StateName, line_items};
use stoa_types::id::TransactionId;
use stoa_types::{Currency, ExtendedData, Money};

/// The columns that [`Transaction`] is read from, in its order.
macro_rules! COLUMNS {
    () => {
        "id, version, listing_id, customer_id, provider_id, process_name, process_version, \
         state, history, currency, payin_total, payout_total, line_items, protected_data, \
         protected_data_writers, metadata, created_at"
    };
}
pub(super) use COLUMNS;

statements! {
    BY_ID = concat!("SELECT ", COLUMNS!(), " FROM transactions WHERE id = $1");
    INSERT =
        "INSERT INTO transactions (
            id, version, listing_id, customer_id, provider_id, process_name, process_version,
            state, last_transition, last_transitioned_at, history, currency, payin_total,
            payout_total, line_items, protected_data, protected_data_writers, metadata,
            created_at, message_count, last_message_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
            $19, 0, NULL)";
    /// Everything that a transition, new metadata or an erasure may change.
    UPDATE =
        "UPDATE transactions
            SET version = version + 1, state = $1, last_transition = $2,
                last_transitioned_at = $3, history = $4, currency = $5, payin_total = $6,
                payout_total = $7, line_items = $8, protected_data = $9,
                protected_data_writers = $10, metadata = $11
          WHERE id = $12 AND version = $13";
    /// Counts a message; gives its number.
    COUNT_MESSAGE =
        "UPDATE transactions
            SET message_count = message_count + 1, last_message_at = $1
          WHERE id = $2
         RETURNING message_count";
    /// A batch of the transactions of one user, by id.
    IDS_OF_USER =
        "SELECT id
           FROM transactions
          WHERE (customer_id = $1 OR provider_id = $1) AND id > $2
          ORDER BY id
          LIMIT 50";
}

impl FromRow for Transaction {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        let money = |column| -> Result<Option<Money>, DbError> {
            let Some(amount) = row.get::<Option<i64>>(column)? else {
                return Ok(None);
            };
            let currency = Currency::parse(&row.get::<String>(9)?);
            let currency = currency.map_err(|why| DbError::corrupt("currency", why))?;
            Ok(Some(Money::new(amount, currency)))
        };
        let text = |column: usize| row.get::<String>(column);
        let protected_data = ProtectedData::from_stored(&text(13)?, &text(14)?)
            .map_err(|why| DbError::corrupt("protected_data", why))?;
        Ok(Self {
            id: row.get(0)?,
            version: u64::try_from(row.get::<i64>(1)?)
                .map_err(|why| DbError::corrupt("version", why))?,
            process_name: text(5)?,
            process_version: u32::try_from(row.get::<i64>(6)?)
                .map_err(|why| DbError::corrupt("process_version", why))?,
            created_at: row.get(16)?,
            run: Run {
                listing: row.get(2)?,
                customer: row.get(3)?,
                provider: row.get(4)?,
                state: StateName::new(&text(7)?),
                history: history_from_json(&text(8)?)
                    .map_err(|why| DbError::corrupt("history", why))?,
                line_items: line_items::from_json(&text(12)?)
                    .map_err(|why| DbError::corrupt("line_items", why))?,
                payin_total: money(10)?,
                payout_total: money(11)?,
                protected_data,
                metadata: ExtendedData::from_stored(&text(15)?)
                    .map_err(|why| DbError::corrupt("metadata", why))?,
                reviews: Vec::new(),
                booking: None,
            },
        })
    }
}

/// One transaction.
pub(crate) fn by_id(id: TransactionId) -> Sql {
    sql(BY_ID).bind(id)
}

/// Several transactions, in no order.
pub(crate) fn by_ids(ids: &[TransactionId]) -> Sql {
    let mut q = SqlBuilder::new(concat!(
        "SELECT ",
        COLUMNS!(),
        " FROM transactions WHERE id IN "
    ));
    q.push_list(ids);
    q.build()
}

/// Stores a new transaction.
pub(crate) fn insert(transaction: &Transaction) -> Sql {
    let run = &transaction.run;
    let last = run.last_transition();
    sql(INSERT)
        .bind(transaction.id)
        .bind(signed(transaction.version))
        .bind(run.listing)
        .bind(run.customer)
        .bind(run.provider)
        .bind(transaction.process_name.as_str())
        .bind(transaction.process_version)
        .bind(run.state.as_str())
        .bind(last.map(|entry| entry.transition.as_str()))
        .bind(last.map(|entry| entry.at))
        .bind(history_to_json(&run.history))
        .bind(currency(run))
        .bind(run.payin_total.map(|total| total.amount))
        .bind(run.payout_total.map(|total| total.amount))
        .bind(line_items::to_json(&run.line_items))
        .bind(run.protected_data.data().to_json())
        .bind(run.protected_data.writers_to_json())
        .bind(run.metadata.to_json())
        .bind(transaction.created_at)
}

/// Stores a changed transaction over the version before it; must change one row.
pub(crate) fn update(transaction: &Transaction) -> Sql {
    let run = &transaction.run;
    let last = run.last_transition();
    sql(UPDATE)
        .bind(run.state.as_str())
        .bind(last.map(|entry| entry.transition.as_str()))
        .bind(last.map(|entry| entry.at))
        .bind(history_to_json(&run.history))
        .bind(currency(run))
        .bind(run.payin_total.map(|total| total.amount))
        .bind(run.payout_total.map(|total| total.amount))
        .bind(line_items::to_json(&run.line_items))
        .bind(run.protected_data.data().to_json())
        .bind(run.protected_data.writers_to_json())
        .bind(run.metadata.to_json())
        .bind(transaction.id)
        .bind(signed(transaction.version) - 1)
}

fn currency(run: &Run) -> Option<String> {
    run.payin_total
        .or(run.payout_total)
        .map(|total| total.currency.to_string())
}

fn signed(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}
