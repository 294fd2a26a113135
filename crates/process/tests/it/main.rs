//! Processes from definition to end state.

mod actions;
#[cfg(feature = "conformance")]
mod conformance;
mod schedule;
mod shipped;
mod stepping;
mod validation;
mod walks;
mod world;
