//! The contract between the services over time.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod descriptors;
