//! Values of keys with schemas: a bitmap per string or truth value, a column per number.

use crate::search::{Indexed, Kind, Test};
use roaring::RoaringBitmap;
use std::borrow::Cow;
use std::collections::HashMap;

/// The values of one key.
pub(super) enum Facet {
    Strings {
        ids: HashMap<Box<str>, u32>,
        slots: Vec<RoaringBitmap>,
    },
    Boolean {
        yes: RoaringBitmap,
        no: RoaringBitmap,
    },
    Long(Vec<Option<i64>>),
    /// Reached through words.
    Text,
}

/// What a test of a facet comes to.
pub(super) enum Found<'a> {
    /// Exactly these slots.
    Slots(Cow<'a, RoaringBitmap>),
    /// The slots whose number is in the range.
    Column(&'a [Option<i64>], crate::search::Range),
    /// The key has values of another kind by now; the filter is ignored.
    Anything,
}

impl Facet {
    pub(super) fn new(kind: Kind) -> Self {
        match kind {
            Kind::Enum | Kind::MultiEnum => Self::Strings {
                ids: HashMap::new(),
                slots: Vec::new(),
            },
            Kind::Boolean => Self::Boolean {
                yes: RoaringBitmap::new(),
                no: RoaringBitmap::new(),
            },
            Kind::Long => Self::Long(Vec::new()),
            Kind::Text => Self::Text,
        }
    }

    /// Adds a slot's value; gives the ids of its strings, to remove it by.
    pub(super) fn add(&mut self, slot: u32, value: &Indexed) -> Vec<u32> {
        match (self, value) {
            (Self::Strings { ids, slots }, Indexed::Strings(values)) => values
                .iter()
                .map(|value| {
                    let id = ids.get(value.as_str()).copied().unwrap_or_else(|| {
                        let id = u32::try_from(slots.len()).expect("fewer than 2^32 values");
                        ids.insert(value.as_str().into(), id);
                        slots.push(RoaringBitmap::new());
                        id
                    });
                    slots[id as usize].insert(slot);
                    id
                })
                .collect(),
            (Self::Boolean { yes, no }, Indexed::Boolean(value)) => {
                if *value { yes } else { no }.insert(slot);
                Vec::new()
            }
            (Self::Long(column), Indexed::Long(value)) => {
                let at = slot as usize;
                if column.len() <= at {
                    column.resize(at + 1, None);
                }
                column[at] = Some(*value);
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// Removes a slot's value.
    pub(super) fn remove(&mut self, slot: u32, strings: &[u32]) {
        match self {
            Self::Strings { slots, .. } => {
                for id in strings {
                    slots[*id as usize].remove(slot);
                }
            }
            Self::Boolean { yes, no } => {
                yes.remove(slot);
                no.remove(slot);
            }
            Self::Long(column) => {
                if let Some(value) = column.get_mut(slot as usize) {
                    *value = None;
                }
            }
            Self::Text => {}
        }
    }

    pub(super) fn find(&self, test: &Test) -> Found<'_> {
        match (self, test) {
            (Self::Strings { ids, slots }, Test::HasAny(values)) => {
                let known = values.iter().filter_map(|value| ids.get(value.as_str()));
                let mut maps = known.map(|id| &slots[*id as usize]);
                match (maps.next(), maps.next()) {
                    (None, _) => Found::Slots(Cow::Owned(RoaringBitmap::new())),
                    (Some(only), None) => Found::Slots(Cow::Borrowed(only)),
                    (Some(first), Some(second)) => {
                        let union = maps.fold(first | second, |union, map| union | map);
                        Found::Slots(Cow::Owned(union))
                    }
                }
            }
            (Self::Strings { ids, slots }, Test::HasAll(values)) => {
                let maps: Option<Vec<_>> = values
                    .iter()
                    .map(|value| ids.get(value.as_str()).map(|id| &slots[*id as usize]))
                    .collect();
                let all = maps.and_then(|maps| {
                    let (first, rest) = maps.split_first()?;
                    Some(rest.iter().fold((*first).clone(), |all, map| all & *map))
                });
                Found::Slots(Cow::Owned(all.unwrap_or_default()))
            }
            (Self::Boolean { yes, no }, Test::Is(value)) => {
                Found::Slots(Cow::Borrowed(if *value { yes } else { no }))
            }
            (Self::Long(column), Test::In(range)) => Found::Column(column, *range),
            _ => Found::Anything,
        }
    }

    /// The number of a slot.
    pub(super) fn number(&self, slot: u32) -> Option<i64> {
        match self {
            Self::Long(column) => column.get(slot as usize).copied().flatten(),
            _ => None,
        }
    }
}
