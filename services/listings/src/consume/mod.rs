//! What this service does when something happens elsewhere.

pub(crate) mod user_state;
