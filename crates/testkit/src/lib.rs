//! What tests of every room share: engines, clocks, callers.

pub mod engine;
