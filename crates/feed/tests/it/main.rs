//! The room on both engines: order, exactly once, leases, late events, refusals, erasure.
#![expect(
    clippy::unwrap_used,
    reason = "the bodies of suites are no #[test] functions to clippy"
)]

mod consumers;
mod erasure;
mod followers;
mod projections;
mod replicas;
mod sequencing;
mod tcp;
mod world;
