//! Rules without a database: what an envelope adds to the log, names of types, how long it stays.

pub(crate) mod entry;
pub(crate) mod event_types;
pub(crate) mod retention;
