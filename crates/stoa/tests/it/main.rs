//! The binary as its users start it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod erase_report;
mod processes;
mod refusals;
mod shell;
