//! The erasure and ban ledger: what a restore must do again, kept apart from the databases.
//!
//! A backup is older than the installation. Whoever was deleted since would come back with it, a
//! ban would be forgotten, a secret that ended would work again. So the process that runs the
//! services writes these few facts, ids and times and nothing else, to a file that no backup and
//! no restore replaces. It follows the feeds of users and auth; its position in
//! them stands in the file itself, so no fact is missed by a restart and none counts twice.
//!
//! | File | Subject |
//! |---|---|
//! | `line.rs` | one line: text, checksum |
//! | `file.rs` | reading, also what is damaged; appending, durably |
//! | `follow.rs` | which envelopes are facts; following the feeds |
//!
//! To add a kind of fact: a case in `line.rs`, where it comes from in `follow.rs`, and what a
//! restore does with it in `restore/replay.rs`.

mod file;
mod follow;
mod line;

pub use file::{Ledger, LedgerError, Record};
pub use follow::follow;
pub(crate) use follow::keep_apart;
pub use line::{Fact, Feed, Line, Standing};
