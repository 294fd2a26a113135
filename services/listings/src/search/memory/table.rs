//! The slots, what is known of each, and the way from a query to its matches.

use super::document::Document;
use super::facets::{Facet, Found};
use super::ranking::{self, Place};
use super::words::Words;
use crate::domain::State;
use crate::search::{Audience, Hit, Hits, Query, Range, SchemaKey, Schemas};
use roaring::RoaringBitmap;
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use stoa_types::id::{ListingId, UserId};

pub(super) struct Table {
    schemas: Arc<Schemas>,
    slots: HashMap<ListingId, u32>,
    /// Versions of deleted listings.
    markers: HashMap<ListingId, u64>,
    free: Vec<u32>,
    /// What each slot holds; nothing in free ones.
    rows: Vec<Option<Row>>,
    pub(super) columns: Columns,
    pub(super) facets: Vec<Facet>,
    words: Words,
    newest_first: BTreeSet<(Reverse<i64>, ListingId, u32)>,
    all: RoaringBitmap,
    states: [RoaringBitmap; State::ALL.len()],
    /// Published, by an author who is not hidden.
    public: RoaringBitmap,
    authors: HashMap<UserId, RoaringBitmap>,
    /// Version of the state of authors that were heard of, and whether it hides them.
    standing: HashMap<UserId, (u64, bool)>,
}

/// What is needed to take a slot out again.
struct Row {
    author: UserId,
    state: State,
    words: Box<[u32]>,
    /// Facet and string.
    strings: Box<[(u32, u32)]>,
}

/// What is compared per slot.
#[derive(Default)]
pub(super) struct Columns {
    pub(super) id: Vec<ListingId>,
    pub(super) version: Vec<u64>,
    pub(super) created_at: Vec<i64>,
    pub(super) price: Vec<Option<i64>>,
    pub(super) place: Vec<Option<Place>>,
}

/// A condition that is looked up per slot.
enum Check<'a> {
    Column(&'a [Option<i64>], Range),
    CreatedAt(Range),
    Bounds(crate::search::Bounds),
}

const fn state_index(state: State) -> usize {
    match state {
        State::Draft => 0,
        State::PendingApproval => 1,
        State::Published => 2,
        State::Closed => 3,
    }
}

impl Table {
    pub(super) fn new(schemas: Arc<Schemas>) -> Self {
        let facets = schemas
            .list()
            .iter()
            .map(|schema| Facet::new(schema.kind))
            .collect();
        Self {
            schemas,
            slots: HashMap::new(),
            markers: HashMap::new(),
            free: Vec::new(),
            rows: Vec::new(),
            columns: Columns::default(),
            facets,
            words: Words::default(),
            newest_first: BTreeSet::new(),
            all: RoaringBitmap::new(),
            states: Default::default(),
            public: RoaringBitmap::new(),
            authors: HashMap::new(),
            standing: HashMap::new(),
        }
    }

    /// An empty table that knows the same about authors: the store may know less than the feed
    /// has told.
    pub(super) fn successor(&self, schemas: Arc<Schemas>) -> Self {
        Self {
            standing: self.standing.clone(),
            ..Self::new(schemas)
        }
    }

    pub(super) fn hidden_authors(&self) -> Vec<UserId> {
        let hidden = self.standing.iter().filter(|(_, (_, hidden))| *hidden);
        hidden.map(|(author, _)| *author).collect()
    }

    pub(super) fn schemas(&self) -> Arc<Schemas> {
        Arc::clone(&self.schemas)
    }

    /// Place of a schema among the facets.
    pub(super) fn schema_index(&self, name: &SchemaKey) -> Option<usize> {
        self.schemas.get(name).map(|(i, _)| i)
    }

    pub(super) fn apply(&mut self, document: Document<'_>) {
        let listing = document.listing;
        let marker = self.markers.get(&listing.id);
        if marker.is_some_and(|version| *version >= listing.version) {
            return;
        }
        let known = self.slots.get(&listing.id).copied();
        if known.is_some_and(|slot| self.columns.version[slot as usize] >= listing.version) {
            return;
        }
        if let Some(slot) = known {
            self.take_out(slot);
        }
        if listing.deleted {
            self.markers.insert(listing.id, listing.version);
            if let Some(slot) = self.slots.remove(&listing.id) {
                self.free.push(slot);
            }
            return;
        }
        let slot = known.unwrap_or_else(|| self.free.pop().unwrap_or_else(|| self.grow()));
        self.slots.insert(listing.id, slot);
        self.put_in(slot, document.under(&self.schemas));
    }

    /// A new slot at the end.
    fn grow(&mut self) -> u32 {
        let slot = u32::try_from(self.rows.len()).expect("fewer than 2^32 listings");
        self.rows.push(None);
        self.columns.id.push(ListingId::new(Default::default()));
        self.columns.version.push(0);
        self.columns.created_at.push(0);
        self.columns.price.push(None);
        self.columns.place.push(None);
        slot
    }

    fn put_in(&mut self, slot: u32, document: Document<'_>) {
        let listing = document.listing;
        let at = slot as usize;
        let created_at = listing.created_at.as_ms();
        self.columns.id[at] = listing.id;
        self.columns.version[at] = listing.version;
        self.columns.created_at[at] = created_at;
        self.columns.price[at] = listing.price.map(|price| price.amount);
        self.columns.place[at] = listing.geolocation.map(Place::of);
        self.newest_first
            .insert((Reverse(created_at), listing.id, slot));
        self.all.insert(slot);
        self.states[state_index(listing.state)].insert(slot);
        if listing.state == State::Published && !self.is_hidden(listing.author) {
            self.public.insert(slot);
        }
        self.authors.entry(listing.author).or_default().insert(slot);

        let mut strings = Vec::new();
        for ((i, facet), value) in (0_u32..).zip(&mut self.facets).zip(&document.values) {
            if let Some(value) = value {
                strings.extend(facet.add(slot, value).into_iter().map(|id| (i, id)));
            }
        }
        self.rows[at] = Some(Row {
            author: listing.author,
            state: listing.state,
            words: self.words.add(slot, document.words),
            strings: strings.into(),
        });
    }

    /// Forgets what a slot holds; it stays taken.
    fn take_out(&mut self, slot: u32) {
        let at = slot as usize;
        let Some(row) = self.rows[at].take() else {
            return;
        };
        self.newest_first.remove(&(
            Reverse(self.columns.created_at[at]),
            self.columns.id[at],
            slot,
        ));
        self.all.remove(slot);
        self.states[state_index(row.state)].remove(slot);
        self.public.remove(slot);
        if let Some(slots) = self.authors.get_mut(&row.author) {
            slots.remove(slot);
            if slots.is_empty() {
                self.authors.remove(&row.author);
            }
        }
        for (i, facet) in (0_u32..).zip(&mut self.facets) {
            let own = row.strings.iter().filter(|(of, _)| *of == i);
            let ids: Vec<u32> = own.map(|(_, id)| *id).collect();
            facet.remove(slot, &ids);
        }
        self.words.remove(slot, &row.words);
    }

    fn is_hidden(&self, author: UserId) -> bool {
        self.standing
            .get(&author)
            .is_some_and(|(_, hidden)| *hidden)
    }

    pub(super) fn hide_author(&mut self, author: UserId, version: u64, hidden: bool) {
        let known = self.standing.get(&author);
        if known.is_some_and(|(known, _)| *known > version) {
            return;
        }
        self.standing.insert(author, (version, hidden));
        let published = &self.states[state_index(State::Published)];
        let own = self.authors.get(&author).map(|slots| slots & published);
        let own = own.unwrap_or_default();
        if hidden {
            self.public -= own;
        } else {
            self.public |= own;
        }
    }

    pub(super) fn query(&self, query: &Query) -> Hits {
        let (scores, matches) = self.matches(query);
        let order = ranking::Order::of(query, scores.as_deref());
        match matches {
            Matches::All(slots) => {
                let total = slots.len();
                if matches!(order, ranking::Order::Newest) && self.is_walk_shorter(query, total) {
                    let newest = self.newest_first.iter().map(|(.., slot)| *slot);
                    let page = newest
                        .filter(|slot| slots.contains(*slot))
                        .skip(usize::try_from(query.offset).unwrap_or(usize::MAX))
                        .take(query.limit);
                    return self.hits(page, total);
                }
                let page = ranking::page(self, &order, slots.iter().collect(), query);
                self.hits(page.into_iter(), total)
            }
            Matches::Some(slots) => {
                let total = slots.len() as u64;
                let page = ranking::page(self, &order, slots, query);
                self.hits(page.into_iter(), total)
            }
        }
    }

    /// Whether walking from the newest listing until the page is full looks at fewer slots than
    /// sorting all matches.
    fn is_walk_shorter(&self, query: &Query, matches: u64) -> bool {
        let wanted = query.offset.saturating_add(query.limit as u64);
        let all = self.newest_first.len() as u64;
        all.saturating_mul(wanted) < matches.saturating_mul(matches)
    }

    fn hits(&self, slots: impl Iterator<Item = u32>, total: u64) -> Hits {
        let hit = |slot: u32| Hit {
            id: self.columns.id[slot as usize],
            version: self.columns.version[slot as usize],
        };
        Hits {
            page: slots.map(hit).collect(),
            total,
        }
    }

    /// The slots that match, and with words the score of every slot.
    fn matches(&self, query: &Query) -> (Option<Vec<u32>>, Matches<'_>) {
        let mut sets: Vec<Cow<'_, RoaringBitmap>> = Vec::new();
        let mut checks: Vec<Check<'_>> = Vec::new();
        sets.push(match (query.audience, &query.states) {
            (Audience::Public, _) => Cow::Borrowed(&self.public),
            (Audience::Insider, None) => Cow::Borrowed(&self.all),
            (Audience::Insider, Some(states)) => {
                let maps = states.iter().map(|state| &self.states[state_index(*state)]);
                Cow::Owned(maps.fold(RoaringBitmap::new(), |union, map| union | map))
            }
        });
        if let Some(author) = query.author {
            sets.push(match self.authors.get(&author) {
                Some(slots) => Cow::Borrowed(slots),
                None => Cow::Owned(RoaringBitmap::new()),
            });
        }
        if let Some(ids) = &query.ids {
            sets.push(Cow::Owned(
                ids.iter()
                    .filter_map(|id| self.slots.get(id))
                    .copied()
                    .collect(),
            ));
        }
        for filter in &query.filters {
            // A key may have lost its schema since the query was read.
            let Some((i, _)) = self.schemas.get(&filter.name) else {
                continue;
            };
            match self.facets[i].find(&filter.test) {
                Found::Slots(slots) => sets.push(slots),
                Found::Column(column, range) => checks.push(Check::Column(column, range)),
                Found::Anything => {}
            }
        }
        let scores = query.words.as_ref().map(|words| {
            let mut scores = vec![0_u32; self.rows.len()];
            // Saying a word twice does not make it count twice.
            for word in words.iter().collect::<BTreeSet<_>>() {
                self.words.score(word, &mut scores);
            }
            let found = (0_u32..).zip(&scores).filter(|(_, score)| **score > 0);
            sets.push(Cow::Owned(found.map(|(slot, _)| slot).collect()));
            scores
        });
        if let Some(range) = query.price {
            checks.push(Check::Column(&self.columns.price, range));
        }
        if let Some(range) = query.created_at {
            checks.push(Check::CreatedAt(range));
        }
        if let Some(bounds) = query.bounds {
            checks.push(Check::Bounds(bounds));
        }
        let slots = intersection(sets);
        if checks.is_empty() {
            return (scores, Matches::All(slots));
        }
        let passes = |slot: &u32| {
            checks
                .iter()
                .all(|check| self.passes(check, *slot as usize))
        };
        (scores, Matches::Some(slots.iter().filter(passes).collect()))
    }

    fn passes(&self, check: &Check<'_>, at: usize) -> bool {
        match check {
            Check::Column(column, range) => column
                .get(at)
                .copied()
                .flatten()
                .is_some_and(|n| range.contains(n)),
            Check::CreatedAt(range) => range.contains(self.columns.created_at[at]),
            Check::Bounds(bounds) => {
                self.columns.place[at].is_some_and(|place| bounds.contain(place.at))
            }
        }
    }
}

/// The slots that match.
enum Matches<'a> {
    /// A set as it is.
    All(Cow<'a, RoaringBitmap>),
    /// What was left of a set.
    Some(Vec<u32>),
}

/// The slots that are in every set, smallest set first.
fn intersection(mut sets: Vec<Cow<'_, RoaringBitmap>>) -> Cow<'_, RoaringBitmap> {
    sets.sort_by_cached_key(|set| Reverse(set.len()));
    let smallest = sets.pop().unwrap_or_default();
    sets.iter().rev().fold(smallest, |left, set| {
        if left.is_empty() {
            return left;
        }
        Cow::Owned(match left {
            Cow::Borrowed(left) => left & &**set,
            Cow::Owned(left) => left & &**set,
        })
    })
}
