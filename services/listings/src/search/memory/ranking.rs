//! Orders of matches, and the page of an order.

use super::table::Table;
use crate::search::{Key, Query, Sort};
use std::cmp::Ordering;
use stoa_types::LatLng;

/// A place with its point on the unit sphere, so that comparing distances needs no trigonometry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) at: LatLng,
    point: [f64; 3],
}

impl Place {
    pub(super) fn of(at: LatLng) -> Self {
        let (lat, lng) = (at.lat.to_radians(), at.lng.to_radians());
        let point = [lat.cos() * lng.cos(), lat.cos() * lng.sin(), lat.sin()];
        Self { at, point }
    }

    /// Square of the straight line through the globe; grows with the distance over ground.
    fn chord_squared(&self, other: &Self) -> f64 {
        let square = |i: usize| (self.point[i] - other.point[i]).powi(2);
        square(0) + square(1) + square(2)
    }
}

/// How matches are ordered; ties are broken by the newest, then by id.
pub(super) enum Order<'a> {
    Newest,
    By(&'a [Sort]),
    /// Highest score first.
    Relevance(&'a [u32]),
    /// Nearest first.
    Distance(Place),
}

/// The first thing that is compared, lowest first; what is missing comes last in every direction.
type Rank = (bool, i64);

const MISSING: Rank = (true, 0);

impl<'a> Order<'a> {
    pub(super) fn of(query: &'a Query, scores: Option<&'a [u32]>) -> Self {
        if let Some(origin) = query.origin {
            Self::Distance(Place::of(origin))
        } else if !query.sort.is_empty() {
            Self::By(&query.sort)
        } else if let Some(scores) = scores {
            Self::Relevance(scores)
        } else {
            Self::Newest
        }
    }

    fn first_rank(&self, table: &Table, slot: u32) -> Rank {
        match self {
            Self::Newest => (false, 0),
            Self::By(sorts) => rank(table, &sorts[0], slot),
            Self::Relevance(scores) => (false, -i64::from(scores[slot as usize])),
            Self::Distance(origin) => match &table.columns.place[slot as usize] {
                // Bits of positive floats are ordered as the floats.
                Some(place) => (false, place.chord_squared(origin).to_bits().cast_signed()),
                None => MISSING,
            },
        }
    }

    fn compare(
        &self,
        table: &Table,
        (a_rank, a): (Rank, u32),
        (b_rank, b): (Rank, u32),
    ) -> Ordering {
        let further: &[Sort] = match self {
            Self::By(sorts) => &sorts[1..],
            _ => &[],
        };
        let columns = &table.columns;
        let (at, bt) = (a as usize, b as usize);
        a_rank
            .cmp(&b_rank)
            .then_with(|| {
                further
                    .iter()
                    .map(|sort| rank(table, sort, a).cmp(&rank(table, sort, b)))
                    .find(|ordering| ordering.is_ne())
                    .unwrap_or(Ordering::Equal)
            })
            .then_with(|| columns.created_at[bt].cmp(&columns.created_at[at]))
            .then_with(|| columns.id[at].cmp(&columns.id[bt]))
    }
}

fn rank(table: &Table, sort: &Sort, slot: u32) -> Rank {
    let at = slot as usize;
    let value = match &sort.key {
        Key::CreatedAt => Some(table.columns.created_at[at]),
        Key::Price => table.columns.price[at],
        Key::Long(name) => {
            let schema = table.schema_index(name);
            schema.and_then(|i| table.facets[i].number(slot))
        }
    };
    match value {
        // `!` turns the order of all integers around without an overflow.
        Some(value) => (false, if sort.ascending { value } else { !value }),
        None => MISSING,
    }
}

/// The slots of the query's page, in order.
pub(super) fn page(table: &Table, order: &Order<'_>, slots: Vec<u32>, query: &Query) -> Vec<u32> {
    let Some(offset) = usize::try_from(query.offset)
        .ok()
        .filter(|n| *n < slots.len())
    else {
        return Vec::new();
    };
    let ranked = |slot| (order.first_rank(table, slot), slot);
    let mut matches: Vec<(Rank, u32)> = slots.into_iter().map(ranked).collect();
    let end = offset.saturating_add(query.limit).min(matches.len());
    if end < matches.len() {
        // Only what comes before the end of the page needs an order.
        matches.select_nth_unstable_by(end, |a, b| order.compare(table, *a, *b));
        matches.truncate(end);
    }
    matches.sort_unstable_by(|a, b| order.compare(table, *a, *b));
    matches[offset..].iter().map(|(_, slot)| *slot).collect()
}
