//! Work that comes due with time.

pub(crate) mod prune;
pub(crate) mod rotate;
