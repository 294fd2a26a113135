//! Work that is done behind the commands.

pub(crate) mod remove_listings;
