//! `/v1/api`: what users of the marketplace do.

pub(crate) mod current_user;
pub(crate) mod listings;
pub(crate) mod marketplace;
pub(crate) mod messages;
pub(crate) mod own_listings;
pub(crate) mod password_reset;
pub(crate) mod process_transitions;
pub(crate) mod reviews;
pub(crate) mod sessions;
pub(crate) mod transactions;
pub(crate) mod users;
