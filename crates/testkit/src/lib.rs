//! What tests of every room share: engines, clocks, callers.

pub mod callers;
pub mod engine;
pub mod http;
