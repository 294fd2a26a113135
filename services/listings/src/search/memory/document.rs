//! A listing taken apart for the index.

use super::words::Field;
use crate::domain::Listing;
use crate::search::{Indexed, Schemas, words_of};
use std::collections::HashMap;
use std::sync::Arc;
use stoa_search::{Schema, Scope};
use stoa_types::ExtendedData;

/// A listing with its words and values, as one set of schemas sees them.
pub(super) struct Document<'a> {
    pub(super) listing: &'a Listing,
    schemas: Arc<Schemas>,
    /// One for each schema.
    pub(super) values: Vec<Option<Indexed>>,
    pub(super) words: HashMap<String, Field>,
}

impl<'a> Document<'a> {
    pub(super) fn of(listing: &'a Listing, schemas: &Arc<Schemas>) -> Self {
        let values = match listing.deleted {
            true => Vec::new(),
            false => values(listing, schemas),
        };
        Self {
            listing,
            schemas: Arc::clone(schemas),
            words: words_with_fields(listing, &values),
            values,
        }
    }

    /// The same listing under these schemas, which may be others by now.
    pub(super) fn under(self, schemas: &Arc<Schemas>) -> Self {
        match Arc::ptr_eq(&self.schemas, schemas) {
            true => self,
            false => Self::of(self.listing, schemas),
        }
    }
}

/// The value of each schema for this listing.
fn values(listing: &Listing, schemas: &Schemas) -> Vec<Option<Indexed>> {
    if schemas.list().is_empty() {
        return Vec::new();
    }
    let data = |json: &str| ExtendedData::from_stored(json).unwrap_or_default();
    let (public, metadata) = (data(&listing.public_data), data(&listing.metadata));
    let value_of = |schema: &Schema| match schema.name.scope {
        Scope::Public => schema.value(&public),
        Scope::Metadata => schema.value(&metadata),
        Scope::Protected | Scope::Private => None,
    };
    schemas.list().iter().map(value_of).collect()
}

/// Each word of a listing with the best field that it stands in.
fn words_with_fields(listing: &Listing, values: &[Option<Indexed>]) -> HashMap<String, Field> {
    let mut words = HashMap::new();
    let mut add = |text: &str, field| {
        for word in words_of(text) {
            words.entry(word).or_insert(field);
        }
    };
    // Best field first: a word stays where it was found first.
    add(&listing.title, Field::Title);
    add(
        listing.description.as_deref().unwrap_or_default(),
        Field::Description,
    );
    for value in values.iter().flatten() {
        if let Indexed::Text(text) = value {
            add(text, Field::Extended);
        }
    }
    words
}
