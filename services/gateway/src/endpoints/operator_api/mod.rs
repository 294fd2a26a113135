//! `/v1/operator_api`: what the people do who run the marketplace.

pub(crate) mod applications;
pub(crate) mod builtin_emails;
pub(crate) mod clock;
pub(crate) mod search_schemas;
pub(crate) mod sessions;
pub(crate) mod settings;
pub(crate) mod users;
