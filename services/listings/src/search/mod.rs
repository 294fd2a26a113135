//! Search: an index behind a trait, fed with listings as they are committed.
//!
//! `parse.rs` turns a request into a [`Query`], `memory/` answers it. Which keys of extended data
//! count, and how a text is split into words, says the crate `stoa-search`.

pub(crate) mod memory;
pub(crate) mod parse;
mod query;

pub(crate) use memory::MemoryIndex;
pub(crate) use query::{Audience, Bounds, Hit, Hits, Key, Query, Sort};
pub(crate) use stoa_search::{Filter, Indexed, Kind, Range, SchemaKey, Schemas, Test, words_of};

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

/// A schema of listings as the settings carry it.
#[cfg(test)]
pub(crate) fn setting(
    scope: &str,
    key: &str,
    kind: &str,
    default: Option<&str>,
) -> stoa_proto::auth::SearchSchema {
    stoa_proto::auth::SearchSchema {
        schema_for: "listing".into(),
        scope: scope.into(),
        key: key.into(),
        schema_type: kind.into(),
        default_json: default.map(str::to_owned),
        doc: None,
    }
}
