//! Traces on their way to a collector.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod export;
