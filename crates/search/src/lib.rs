//! Search schemas of extended data: declared keys, the values under them, and filters.
//!
//! Public sources: the reference of the query parameters of listings and users, and the rules of
//! search schemas. Everything here is pure; services keep the values.

mod filter;
mod range;
mod schema;
mod words;

pub use filter::{Filter, Test, sort_key};
pub use range::{NotARange, Range};
pub use schema::{Indexed, Kind, Schema, SchemaFor, SchemaKey, Schemas, Scope};
pub use words::words_of;
