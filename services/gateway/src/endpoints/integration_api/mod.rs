//! `/v1/integration_api`: what trusted applications do. Commands and reads that differ in nothing
//! but the caller's level are those of `marketplace_api`.

pub(crate) mod events;
pub(crate) mod listings;
pub(crate) mod transactions;
pub(crate) mod users;
