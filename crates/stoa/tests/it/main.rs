//! The binary as its users start it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod processes;
mod refusals;
