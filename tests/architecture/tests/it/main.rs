//! The plan of the house, held against the workspace.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod alerts;
mod deploy;
mod imports;
mod rooms;
