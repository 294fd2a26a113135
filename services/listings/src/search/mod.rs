//! Search: an index behind a trait, fed with listings as they are committed.
//!
//! `schema.rs` says which keys of extended data count, `parse.rs` turns a request into a
//! [`Query`], `memory/` answers it. Texts are split into words by `words_of`.

pub(crate) mod memory;
pub(crate) mod parse;
mod query;
mod range;
pub(crate) mod schema;
mod tokens;

pub(crate) use memory::MemoryIndex;
pub(crate) use query::{Audience, Bounds, Filter, Hit, Hits, Key, Query, Sort, Test};
pub(crate) use range::Range;
pub(crate) use schema::{Kind, SchemaKey, Schemas, Scope};
pub(crate) use tokens::words_of;

use crate::domain::Listing;
use std::sync::Arc;
use stoa_types::id::UserId;

/// An index of all listings. Every change comes in whole and with its version, so that changes
/// may arrive twice and in any order.
pub(crate) trait SearchIndex: Send + Sync + 'static {
    /// The page of a query and the number of all its hits.
    fn query(&self, query: &Query) -> Hits;

    /// Takes a listing as it is now; older versions than the known one are ignored. A deleted one
    /// leaves a marker, so that nothing older brings it back.
    fn apply(&self, listing: &Listing);

    /// Listings of a hidden author are not public. `version` is that of the author's state; older
    /// ones than the known one are ignored.
    fn hide_author(&self, author: UserId, version: u64, hidden: bool);

    /// The authors who are hidden now.
    fn hidden_authors(&self) -> Vec<UserId>;

    /// The schemas that the index was built with.
    fn schemas(&self) -> Arc<Schemas>;

    /// Begins a fresh index with these schemas, which knows the states of authors as the old one
    /// does. The old one answers until [`SearchIndex::finish_rebuild`]; changes go to both.
    fn begin_rebuild(&self, schemas: Arc<Schemas>);

    /// Takes listings from the store into the fresh index.
    fn load(&self, listings: &[Listing]);

    /// The fresh index takes over.
    fn finish_rebuild(&self);
}
