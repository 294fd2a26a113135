//! Mail over a real server, and templates beside Handlebars.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[cfg(feature = "conformance")]
mod conformance;
#[cfg(feature = "server")]
mod office;
#[cfg(feature = "server")]
mod sending;
#[cfg(feature = "server")]
mod server;
