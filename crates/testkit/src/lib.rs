//! What tests of every room share: engines, clocks, callers.
