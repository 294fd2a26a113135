//! What a transaction, a message and a review are, and the rules on what clients send. Pure.

mod alias;
mod listing;
mod message;
mod message_text;
mod page;
mod process_transition;
mod query;
mod review;
mod transaction;

pub(crate) use alias::ProcessAlias;
pub(crate) use listing::listing_facts;
pub(crate) use message::Message;
pub(crate) use message_text::MessageText;
pub(crate) use page::PageRequest;
pub(crate) use process_transition::process_transition;
pub(crate) use query::{Scope, SortKey, TransactionFilter};
pub(crate) use review::{ReviewFilter, StoredReview};
pub(crate) use transaction::Transaction;

use stoa_types::{Problem, SourceKind};

/// 400 for one value of a query string.
fn bad_query(key: &'static str, why: impl Into<String>) -> Problem {
    Problem::invalid_value(SourceKind::Query, vec![key.into()], why)
}
