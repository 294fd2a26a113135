//! The guard and the transport, seen from outside.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod guard;
mod process;
mod programs;
mod remote;
mod tls;
