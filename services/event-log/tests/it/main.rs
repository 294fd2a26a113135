//! The service behind its guard, with the feeds of stand-ins for its owners.
#![expect(
    clippy::unwrap_used,
    reason = "the bodies of suites are no #[test] functions to clippy"
)]

mod running;
mod world;
