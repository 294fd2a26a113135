//! The listings of search results: decoded, in a bounded cache, read from the store when missing.
//!
//! The index gives ids and versions. Why not hold every listing in it: texts make up nearly all of
//! a listing's size, and only the pages that are looked at need them. Why not read each page from
//! the store: one statement costs several times as much as the whole search. An entry counts only
//! in the version that the index names, so the cache follows the feed through the index.

use crate::domain::Listing;
use crate::search::Hit;
use crate::store;
use std::collections::HashMap;
use std::sync::Arc;
use stoa_db::{Db, DbError};
use stoa_types::id::ListingId;

/// Most bytes of listings that are held.
const MAX_BYTES: u64 = 16 * 1024 * 1024;
/// About as much as an entry takes without its texts.
const ENTRY_BYTES: usize = 512;

/// The cache. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Shown(moka::sync::Cache<ListingId, Arc<Listing>>);

impl Shown {
    pub(crate) fn new() -> Self {
        let size = |_: &ListingId, listing: &Arc<Listing>| {
            let plan = listing.availability_plan.as_ref();
            let bytes = ENTRY_BYTES
                + listing.title.len()
                + listing.description.as_deref().unwrap_or_default().len()
                + plan.map_or(0, |plan| plan.stored().len())
                + listing.public_data.len()
                + listing.private_data.len()
                + listing.metadata.len();
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        let cache = moka::sync::Cache::builder()
            .max_capacity(MAX_BYTES)
            .weigher(size)
            .build();
        Self(cache)
    }

    /// Drops a listing that changed.
    pub(crate) fn forget(&self, id: ListingId) {
        self.0.invalidate(&id);
    }

    /// The listings of a page in its order; one statement for those that are not here. One that
    /// was deleted since the search is left out.
    pub(crate) async fn page(&self, db: &Db, hits: &[Hit]) -> Result<Vec<Arc<Listing>>, DbError> {
        let held = |hit: &Hit| {
            self.0
                .get(&hit.id)
                .filter(|known| known.version == hit.version)
        };
        let mut page: Vec<Option<Arc<Listing>>> = hits.iter().map(held).collect();
        let missing = || hits.iter().zip(&page).filter(|(_, known)| known.is_none());
        if missing().next().is_some() {
            let ids: Vec<ListingId> = missing().map(|(hit, _)| hit.id).collect();
            let read: HashMap<ListingId, Arc<Listing>> = store::listings_by_id(db, ids)
                .await?
                .into_iter()
                .filter(|listing| !listing.deleted)
                .map(|listing| (listing.id, Arc::new(listing)))
                .collect();
            for (hit, place) in hits.iter().zip(&mut page) {
                if let Some(listing) = read.get(&hit.id) {
                    self.0.insert(hit.id, Arc::clone(listing));
                    *place = Some(Arc::clone(listing));
                }
            }
        }
        Ok(page.into_iter().flatten().collect())
    }
}
