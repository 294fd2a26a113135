//! What auth does when a user's state changes.

mod user_events;

pub(crate) use user_events::UserEvents;
