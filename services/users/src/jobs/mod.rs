//! Work that goes on after a command.

pub(crate) mod finish_erasure;
