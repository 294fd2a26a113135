//! The whole stack in one process.
