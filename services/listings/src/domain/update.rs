//! Changes of a listing's fields.

use super::fields::bad_data;
use super::{AvailabilityPlan, Listing};
use stoa_types::{ExtendedData, LatLng, Money, Problem, Problems};

/// What happens to a field that may be empty.
#[derive(Clone, Debug, Default)]
pub(crate) enum Patch<T> {
    /// It stays.
    #[default]
    Keep,
    /// It gets this value; none clears it.
    Set(Option<T>),
}

impl<T: Clone> Patch<T> {
    fn applied(&self, old: &Option<T>) -> Option<T> {
        match self {
            Self::Keep => old.clone(),
            Self::Set(new) => new.clone(),
        }
    }
}

/// Checked changes; what is absent stays.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    pub(crate) title: Option<String>,
    pub(crate) description: Patch<String>,
    pub(crate) geolocation: Patch<LatLng>,
    pub(crate) price: Patch<Money>,
    pub(crate) availability_plan: Patch<AvailabilityPlan>,
    /// Merged by top-level key.
    pub(crate) public_data: Option<ExtendedData>,
    pub(crate) private_data: Option<ExtendedData>,
    pub(crate) metadata: Option<ExtendedData>,
}

impl Listing {
    /// The listing with the changes; nothing when they change nothing. Its state stays: an edited
    /// listing needs no second approval.
    ///
    /// # Errors
    /// 400 for each kind of extended data that is too large after the merge.
    pub(crate) fn update(&self, changes: &Changes) -> Result<Option<Self>, Problems> {
        let mut problems = Vec::new();
        let mut merge = |key, old: &String, patch: &Option<ExtendedData>| {
            merged(key, old, patch.as_ref()).unwrap_or_else(|problem| {
                problems.push(problem);
                old.clone()
            })
        };
        let mut next = Self {
            title: changes.title.clone().unwrap_or_else(|| self.title.clone()),
            description: changes.description.applied(&self.description),
            geolocation: changes.geolocation.applied(&self.geolocation),
            price: changes.price.applied(&self.price),
            availability_plan: changes.availability_plan.applied(&self.availability_plan),
            public_data: merge("publicData", &self.public_data, &changes.public_data),
            private_data: merge("privateData", &self.private_data, &changes.private_data),
            metadata: merge("metadata", &self.metadata, &changes.metadata),
            ..self.clone()
        };
        Problems::check(problems)?;
        if next == *self {
            return Ok(None);
        }
        next.version += 1;
        Ok(Some(next))
    }
}

fn merged(key: &'static str, old: &str, patch: Option<&ExtendedData>) -> Result<String, Problem> {
    let Some(patch) = patch.filter(|patch| !patch.is_empty()) else {
        return Ok(old.to_owned());
    };
    let stored = ExtendedData::from_stored(old).map_err(|why| bad_data(key, why))?;
    let merged = stored.merged(patch).map_err(|why| bad_data(key, why))?;
    Ok(merged.to_json())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::State;
    use crate::domain::listing::tests::a_listing;

    fn data(json: &str) -> Option<ExtendedData> {
        Some(ExtendedData::parse(json).unwrap())
    }

    // contract: listings L12
    #[test]
    fn extended_data_merges_by_top_level_key_and_null_removes() {
        let mut listing = a_listing(1);
        listing.public_data = r#"{"a":1,"b":{"c":1,"d":2}}"#.into();
        let changes = Changes {
            public_data: data(r#"{"b":{"c":9},"a":null}"#),
            ..Changes::default()
        };
        let next = listing.update(&changes).unwrap().unwrap();
        assert_eq!(next.public_data, r#"{"b":{"c":9}}"#);
        assert_eq!(next.version, 2);
    }

    // contract: listings L13
    #[test]
    fn data_that_is_too_large_after_the_merge_is_refused_for_each_kind() {
        let half = |key: &str| format!(r#"{{"{key}":"{}"}}"#, "x".repeat(26_000));
        let mut listing = a_listing(1);
        listing.public_data = half("a");
        listing.metadata = half("a");
        let changes = Changes {
            public_data: data(&half("b")),
            private_data: data(&half("b")),
            metadata: data(&half("b")),
            ..Changes::default()
        };
        let problems = listing.update(&changes).unwrap_err();
        let paths: Vec<_> = problems
            .as_slice()
            .iter()
            .map(|p| p.source.clone().unwrap().path)
            .collect();
        assert_eq!(paths, [["publicData".into()], ["metadata".into()]]);
    }

    // contract: listings L6
    #[test]
    fn an_update_leaves_state_and_absent_fields_alone_and_clears_what_is_null() {
        let mut listing = a_listing(1);
        listing.state = State::Published;
        listing.description = Some("old".into());
        listing.price = Some(Money::new(5, "EUR".parse().unwrap()));
        let changes = Changes {
            title: Some("new".into()),
            description: Patch::Set(None),
            ..Changes::default()
        };
        let next = listing.update(&changes).unwrap().unwrap();
        assert_eq!(next.title, "new");
        assert_eq!(next.description, None);
        assert_eq!((next.price, next.state), (listing.price, State::Published));
    }

    #[test]
    fn an_update_without_effect_is_none() {
        let listing = a_listing(1);
        let changes = Changes {
            title: Some(listing.title.clone()),
            public_data: data(r#"{"absent":null}"#),
            ..Changes::default()
        };
        assert_eq!(listing.update(&changes).unwrap(), None);
    }
}
