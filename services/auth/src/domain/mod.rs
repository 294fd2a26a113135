//! The rules of sessions, keys and settings: pure, without SQL or clocks.

pub(crate) mod application;
pub(crate) mod audit;
pub(crate) mod builtin_email;
pub(crate) mod family;
pub(crate) mod lifetimes;
pub(crate) mod new_application;
pub(crate) mod operator_password;
pub(crate) mod revocation;
pub(crate) mod rotation;
pub(crate) mod seal;
pub(crate) mod search_schema;
pub(crate) mod settings;
pub(crate) mod settings_change;
pub(crate) mod settings_key;
