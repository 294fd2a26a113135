//! The only place with SQL: accounts, addresses, erasures.

pub(crate) mod addresses;
pub(crate) mod dialect;
pub(crate) mod erasures;
pub(crate) mod query;
mod row;
pub(crate) mod users;

#[cfg(test)]
mod tests;
