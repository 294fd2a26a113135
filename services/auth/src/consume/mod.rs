//! What auth does when a user's state changes, and when an operator did something elsewhere.

mod audit_records;
mod user_events;

pub(crate) use audit_records::AuditRecords;
pub(crate) use user_events::UserEvents;
