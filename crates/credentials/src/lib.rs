//! Passwords and random secrets: how they are made, hashed and compared.
//!
//! Every secret of Stoa is in one of three classes: *verify only* (hashed: this crate), *must be
//! read back* (encrypted by its owner), *in memory only*. Nothing here is ever logged.

mod password;
pub mod secret;

pub use password::{Busy, Cost, PasswordHasher, Verified};
