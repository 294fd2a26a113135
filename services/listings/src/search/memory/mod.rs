//! The index in memory: a slot per listing, bitmaps per value, columns per number.
//!
//! Following the figures for bitmaps and columns against SQL and an external engine: a page and
//! its exact total of ten thousand listings cost some microseconds. Ids and versions come out, no
//! contents: those stay in the database and in a bounded cache (`crate::shown`).

mod document;
mod facets;
mod ranking;
mod table;
mod words;

#[cfg(test)]
mod tests;

use super::{Hits, Query, Schemas, SearchIndex};
use crate::domain::Listing;
use document::Document;
use parking_lot::{Mutex, RwLock};
use std::sync::Arc;
use stoa_types::id::UserId;
use table::Table;

/// The index.
pub(crate) struct MemoryIndex {
    live: RwLock<Table>,
    /// Being built; takes every change too. Apart from the live one, so that filling it keeps no
    /// search waiting. Locked before the live one where both are.
    fresh: Mutex<Option<Table>>,
}

/// Listings that are put into the fresh index while a change may have to wait.
const LOAD: usize = 32;

impl MemoryIndex {
    /// An empty index.
    pub(crate) fn new(schemas: Arc<Schemas>) -> Self {
        Self {
            live: RwLock::new(Table::new(schemas)),
            fresh: Mutex::new(None),
        }
    }
}

impl SearchIndex for MemoryIndex {
    fn query(&self, query: &Query) -> Hits {
        self.live.read().query(query)
    }

    fn apply(&self, listing: &Listing) {
        if let Some(fresh) = &mut *self.fresh.lock() {
            fresh.apply(Document::of(listing, &fresh.schemas()));
        }
        // Texts are taken apart before searches have to wait.
        let document = Document::of(listing, &self.schemas());
        self.live.write().apply(document);
    }

    fn hide_author(&self, author: UserId, version: u64, hidden: bool) {
        if let Some(fresh) = &mut *self.fresh.lock() {
            fresh.hide_author(author, version, hidden);
        }
        self.live.write().hide_author(author, version, hidden);
    }

    fn schemas(&self) -> Arc<Schemas> {
        self.live.read().schemas()
    }

    fn hidden_authors(&self) -> Vec<UserId> {
        self.live.read().hidden_authors()
    }

    fn begin_rebuild(&self, schemas: Arc<Schemas>) {
        let mut fresh = self.fresh.lock();
        *fresh = Some(self.live.read().successor(schemas));
    }

    fn load(&self, listings: &[Listing]) {
        for some in listings.chunks(LOAD) {
            if let Some(fresh) = &mut *self.fresh.lock() {
                for listing in some {
                    fresh.apply(Document::of(listing, &fresh.schemas()));
                }
            }
        }
    }

    fn finish_rebuild(&self) {
        let mut fresh = self.fresh.lock();
        if let Some(fresh) = fresh.take() {
            // The old one is dropped after the lock is free again.
            let _old = std::mem::replace(&mut *self.live.write(), fresh);
        }
    }
}
