//! What tests of every room share: engines, clocks, callers.

pub mod callers;
#[cfg(feature = "cluster")]
pub mod cluster;
pub mod engine;
pub mod http;
pub mod link;
mod ports;
#[cfg(feature = "cluster")]
pub mod process;
