//! What time does: delayed transitions, and what is done behind an event.

pub(crate) mod attempts;
pub(crate) mod erase;
pub(crate) mod timers;

/// How often a job looks by itself, for what other replicas left or a clock that was moved.
const POLL: std::time::Duration = std::time::Duration::from_secs(1);
