//! The only place with SQL: accounts, addresses, tokens, what users are searched by, erasures.

pub(crate) mod addresses;
pub(crate) mod dialect;
pub(crate) mod email_tokens;
pub(crate) mod erasures;
pub(crate) mod query;
mod row;
pub(crate) mod search;
pub(crate) mod totals;
pub(crate) mod users;

#[cfg(test)]
mod query_tests;
#[cfg(test)]
mod tests;
