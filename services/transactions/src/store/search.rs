//! Queries of transactions: two statements, one that counts and one that reads the page.

use super::transactions::COLUMNS;
use crate::domain::{Scope, SortKey, TransactionFilter};
use stoa_db::{Bind, Sql, SqlBuilder};

/// How many transactions match.
pub(crate) fn count(filter: &TransactionFilter) -> Sql {
    let mut q = SqlBuilder::new("SELECT count(*) FROM transactions");
    conditions(&mut q, filter);
    q.build()
}

/// The page of those that match.
pub(crate) fn page(filter: &TransactionFilter) -> Sql {
    let mut q = SqlBuilder::new(concat!("SELECT ", COLUMNS!(), " FROM transactions"));
    conditions(&mut q, filter);
    q.push(" ORDER BY ");
    for (key, ascending) in &filter.sort {
        let column = match key {
            SortKey::Created => "created_at",
            SortKey::LastTransition => "last_transitioned_at",
            SortKey::LastMessage => {
                // Both engines sort what is missing to the end, whatever the direction.
                q.push("last_message_at IS NULL, ");
                "last_message_at"
            }
        };
        q.push(column)
            .push(if *ascending { ", " } else { " DESC, " });
    }
    q.push("id LIMIT ").push_bind(filter.page.limit());
    q.push(" OFFSET ").push_bind(filter.page.offset());
    q.build()
}

fn conditions(q: &mut SqlBuilder, filter: &TransactionFilter) {
    match filter.scope {
        Scope::All => {
            q.push(" WHERE 1 = 1");
        }
        Scope::Of(user) => {
            q.push(" WHERE (customer_id = ").push_bind(user);
            q.push(" OR provider_id = ").push_bind(user).push(")");
        }
        Scope::OrdersOf(user) => {
            q.push(" WHERE customer_id = ").push_bind(user);
        }
        Scope::SalesOf(user) => {
            q.push(" WHERE provider_id = ").push_bind(user);
        }
    }
    one_of(q, " AND last_transition IN ", &filter.last_transitions);
    one_of(q, " AND state IN ", &filter.states);
    one_of(q, " AND process_name IN ", &filter.process_names);
    compared(q, " AND created_at >= ", filter.created_from);
    compared(q, " AND created_at < ", filter.created_before);
    compared(q, " AND last_transitioned_at >= ", filter.transitioned_from);
    compared(
        q,
        " AND last_transitioned_at < ",
        filter.transitioned_before,
    );
    compared(q, " AND listing_id = ", filter.listing);
    compared(q, " AND customer_id = ", filter.customer);
    compared(q, " AND provider_id = ", filter.provider);
    if let Some(user) = filter.user {
        q.push(" AND (customer_id = ").push_bind(user);
        q.push(" OR provider_id = ").push_bind(user).push(")");
    }
    if let Some(ids) = &filter.ids {
        q.push(" AND id IN ").push_list(ids);
    }
    match filter.has_payin {
        Some(true) => q.push(" AND payin_total IS NOT NULL"),
        Some(false) => q.push(" AND payin_total IS NULL"),
        None => q,
    };
    match filter.has_message {
        Some(true) => q.push(" AND message_count > 0"),
        Some(false) => q.push(" AND message_count = 0"),
        None => q,
    };
}

/// Names with U+0000 match nothing, and PostgreSQL would refuse them.
fn one_of(q: &mut SqlBuilder, clause: &'static str, names: &[String]) {
    if !names.is_empty() {
        q.push(clause).push_list(
            names
                .iter()
                .filter(|name| !name.contains('\0'))
                .map(String::as_str),
        );
    }
}

fn compared(q: &mut SqlBuilder, clause: &'static str, value: Option<impl Bind>) {
    if let Some(value) = value {
        q.push(clause).push_bind(value);
    }
}
