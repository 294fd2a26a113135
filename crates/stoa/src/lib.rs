//! The services put together, and the commands of the binary.
//!
//! This crate is the only place that knows all services. [`Embedded`] puts them together in one
//! process over direct calls and one SQLite file each; `apart` runs one of them in a process of its
//! own; the commands below [`commands`] start either.

mod adopt;
mod apart;
pub mod backup;
pub mod commands;
mod credentials;
mod databases;
mod embedded;
mod folder;
pub mod ledger;
pub mod mail;
mod remote;
pub mod restore;
mod service;
mod virtual_clock;

pub use adopt::adopt;
pub use credentials::Credentials;
pub use embedded::{Clocks, Embedded, Options};
pub use folder::{DataFolder, FolderError};
pub use service::Name;
pub use virtual_clock::DevClock;
