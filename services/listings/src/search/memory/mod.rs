//! The index in memory: a slot per listing, bitmaps per value, columns per number.
//!
//! Following the figures for bitmaps and columns against SQL and an external engine: a page and
//! its exact total of ten thousand listings cost some microseconds. Ids and versions come out, no
//! contents: those stay in the database and in a bounded cache (`crate::shown`).

mod facets;
mod ranking;
mod table;
mod words;

#[cfg(test)]
mod tests;

use super::{Hits, Query, Schemas, SearchIndex};
use crate::domain::Listing;
use parking_lot::RwLock;
use std::sync::Arc;
use stoa_types::id::UserId;
use table::Table;

/// The index.
pub(crate) struct MemoryIndex(RwLock<Tables>);

struct Tables {
    live: Table,
    /// Being built; takes every change too.
    fresh: Option<Table>,
}

impl Tables {
    fn each(&mut self) -> impl Iterator<Item = &mut Table> {
        [Some(&mut self.live), self.fresh.as_mut()]
            .into_iter()
            .flatten()
    }
}

impl MemoryIndex {
    /// An empty index.
    pub(crate) fn new(schemas: Arc<Schemas>) -> Self {
        Self(RwLock::new(Tables {
            live: Table::new(schemas),
            fresh: None,
        }))
    }
}

impl SearchIndex for MemoryIndex {
    fn query(&self, query: &Query) -> Hits {
        self.0.read().live.query(query)
    }

    fn apply(&self, listing: &Listing) {
        for table in self.0.write().each() {
            table.apply(listing);
        }
    }

    fn hide_author(&self, author: UserId, version: u64, hidden: bool) {
        for table in self.0.write().each() {
            table.hide_author(author, version, hidden);
        }
    }

    fn schemas(&self) -> Arc<Schemas> {
        self.0.read().live.schemas()
    }

    fn begin_rebuild(&self, schemas: Arc<Schemas>) {
        self.0.write().fresh = Some(Table::new(schemas));
    }

    fn load(&self, listings: &[Listing]) {
        if let Some(fresh) = &mut self.0.write().fresh {
            for listing in listings {
                fresh.apply(listing);
            }
        }
    }

    fn finish_rebuild(&self) {
        let mut tables = self.0.write();
        if let Some(fresh) = tables.fresh.take() {
            tables.live = fresh;
        }
    }
}
