//! Every service in one process, and the commands of the binary.
//!
//! This crate is the only place that knows all services. [`Embedded`] puts them together over
//! direct calls and one SQLite file each; the commands below [`commands`] start it.

pub mod commands;
mod credentials;
mod embedded;
mod folder;
mod service;
mod virtual_clock;

pub use credentials::Credentials;
pub use embedded::{Clocks, Embedded, Options};
pub use folder::{DataFolder, FolderError};
pub use service::Name;
pub use virtual_clock::DevClock;
