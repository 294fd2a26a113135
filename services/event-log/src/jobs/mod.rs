//! Work that goes on behind the feeds.

pub(crate) mod finish_erasures;
pub(crate) mod forget_old;
