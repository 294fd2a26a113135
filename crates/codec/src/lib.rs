//! Transit and JSON: readers, writers and the typed access to request bodies.
//!
//! Everything a client sends is read here and everything it gets is written here:
//!
//! - [`format`](mod@format) decides between the formats from the request's headers,
//! - [`Writer`] writes a response straight into a byte buffer, without a tree of values,
//! - [`read_transit`] and [`read_json`] give the [`Value`] of a request body,
//! - [`params`] takes typed parameters out of bodies, query strings and forms and collects
//!   everything that is wrong with them.
//!
//! To add a type to the wire: a method in `writer.rs`, a variant in `value.rs`, its tag in
//! `read/transit.rs`, its typed access in `params/from_value.rs`, and a row in
//! `tests/it/wire_examples.rs`.

pub mod format;
mod lexer;
pub mod params;
mod read;
mod value;
mod writer;

pub use format::{Format, RequestKind, request_kind, response_format};
pub use read::{MAX_DEPTH, ReadError, Unreadable, read_json, read_transit};
pub use value::Value;
pub use writer::{DamagedJson, Writer};
