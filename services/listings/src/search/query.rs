//! A query as the index takes it: parsed, checked, independent of the wire.

use super::{Filter, Range, SchemaKey};
use crate::domain::State;
use stoa_types::LatLng;
use stoa_types::id::{ListingId, UserId};

/// Who will see the hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Everybody: published listings of authors in good standing.
    Public,
    /// The author or the marketplace: every state.
    Insider,
}

/// A box on the globe; over the antimeridian when `ne` lies west of `sw`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bounds {
    pub(crate) ne: LatLng,
    pub(crate) sw: LatLng,
}

impl Bounds {
    pub(crate) fn contain(&self, at: LatLng) -> bool {
        let inside = if self.sw.lng <= self.ne.lng {
            self.sw.lng <= at.lng && at.lng <= self.ne.lng
        } else {
            self.sw.lng <= at.lng || at.lng <= self.ne.lng
        };
        inside && self.sw.lat <= at.lat && at.lat <= self.ne.lat
    }
}

/// One sort key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sort {
    pub(crate) key: Key,
    /// Lowest first; a bare key of the API means highest first.
    pub(crate) ascending: bool,
}

/// What is sorted by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    CreatedAt,
    Price,
    /// The number under a key with a schema.
    Long(SchemaKey),
}

/// What is searched. Everything given must hold.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub(crate) audience: Audience,
    pub(crate) author: Option<UserId>,
    pub(crate) ids: Option<Vec<ListingId>>,
    /// None: every state that the audience sees.
    pub(crate) states: Option<Vec<State>>,
    /// Words of which at least one must match; an empty list matches nothing.
    pub(crate) words: Option<Vec<String>>,
    /// Nearest first; excludes nothing.
    pub(crate) origin: Option<LatLng>,
    pub(crate) bounds: Option<Bounds>,
    /// Minor units; the currency does not matter.
    pub(crate) price: Option<Range>,
    /// Epoch milliseconds.
    pub(crate) created_at: Option<Range>,
    pub(crate) filters: Vec<Filter>,
    /// Empty: by relevance with words, by distance with an origin, else newest first.
    pub(crate) sort: Vec<Sort>,
    /// Hits to skip.
    pub(crate) offset: u64,
    /// Most hits to give.
    pub(crate) limit: usize,
}

impl Query {
    /// The first hits among everything.
    pub(crate) const fn all(audience: Audience, limit: usize) -> Self {
        Self {
            audience,
            author: None,
            ids: None,
            states: None,
            words: None,
            origin: None,
            bounds: None,
            price: None,
            created_at: None,
            filters: Vec::new(),
            sort: Vec::new(),
            offset: 0,
            limit,
        }
    }
}

/// A hit, with the version that the index knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) id: ListingId,
    pub(crate) version: u64,
}

/// The answer to a query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hits {
    /// The page, in order.
    pub(crate) page: Vec<Hit>,
    /// Hits on all pages.
    pub(crate) total: u64,
}
