//! Work that goes on after a command.

pub(crate) mod collect_values;
pub(crate) mod finish_erasure;
pub(crate) mod forget_tokens;
