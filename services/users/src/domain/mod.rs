//! What a user is and how it changes; no database, no network.

pub(crate) mod change;
pub(crate) mod email;
pub(crate) mod names;
pub(crate) mod password;
pub(crate) mod profile;
pub(crate) mod search;
pub(crate) mod token;
pub(crate) mod user;
pub(crate) mod view;
