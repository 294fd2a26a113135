//! The real binary, stopped in the middle of its work and started again on the same folder.
//!
//! `STOA_BIN` holds the path of the binary; `cargo xtask test` builds it and sets it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod distributed;
mod ledger;
mod restores;
mod stops;
mod writers;
