//! Work that comes due with time.

pub(crate) mod anchor;
pub(crate) mod chain;
pub(crate) mod erase_audit;
pub(crate) mod prune;
pub(crate) mod rotate;
