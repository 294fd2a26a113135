//! What this service does with the feeds of others.

pub(crate) mod public_events;
