//! The profile of a live account and the changes to it.

use crate::domain::names;
use stoa_types::ExtendedData;
use stoa_types::extended_data::NotExtendedData;

/// What a user says of themself, and what the marketplace notes on them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Profile {
    pub(crate) first_name: String,
    pub(crate) last_name: String,
    /// The one the user chose; none: derived.
    pub(crate) display_name: Option<String>,
    pub(crate) bio: Option<String>,
    pub(crate) data: Data,
}

/// The four objects of extended data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Data {
    pub(crate) public: ExtendedData,
    pub(crate) protected: ExtendedData,
    pub(crate) private: ExtendedData,
    pub(crate) metadata: ExtendedData,
}

/// Changes to a profile; what is absent stays.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProfilePatch {
    pub(crate) first_name: Option<String>,
    pub(crate) last_name: Option<String>,
    /// Inner none: back to the derived name.
    pub(crate) display_name: Option<Option<String>>,
    pub(crate) bio: Option<Option<String>>,
    pub(crate) data: DataPatch,
}

/// Objects to merge into the extended data.
#[derive(Clone, Debug, Default)]
pub(crate) struct DataPatch {
    pub(crate) public: Option<ExtendedData>,
    pub(crate) protected: Option<ExtendedData>,
    pub(crate) private: Option<ExtendedData>,
    pub(crate) metadata: Option<ExtendedData>,
}

/// The objects of extended data, by their names in the public API.
pub(crate) const DATA_FIELDS: [&str; 4] =
    ["publicData", "protectedData", "privateData", "metadata"];

impl Profile {
    /// The name that others see.
    pub(crate) fn shown_name(&self) -> String {
        let chosen = self.display_name.as_deref();
        names::display(chosen, &self.first_name, &self.last_name)
    }

    /// The short name that others see.
    pub(crate) fn abbreviated_name(&self) -> String {
        names::abbreviated(&self.first_name, &self.last_name)
    }

    /// The profile after a change.
    ///
    /// # Errors
    /// Each object of extended data that a merge would make invalid, by its name.
    pub(crate) fn patched(
        &self,
        patch: &ProfilePatch,
    ) -> Result<Self, Vec<(&'static str, NotExtendedData)>> {
        let data = self.data.merged(&patch.data)?;
        let mut next = self.clone();
        next.data = data;
        if let Some(name) = &patch.first_name {
            next.first_name.clone_from(name);
        }
        if let Some(name) = &patch.last_name {
            next.last_name.clone_from(name);
        }
        if let Some(name) = &patch.display_name {
            next.display_name.clone_from(name);
        }
        if let Some(bio) = &patch.bio {
            next.bio.clone_from(bio);
        }
        Ok(next)
    }
}

impl Data {
    /// The objects in the order of [`DATA_FIELDS`].
    pub(crate) fn all(&self) -> [&ExtendedData; 4] {
        [&self.public, &self.protected, &self.private, &self.metadata]
    }

    /// The objects after a merge.
    ///
    /// # Errors
    /// Each object that would be invalid, by its name.
    pub(crate) fn merged(
        &self,
        patch: &DataPatch,
    ) -> Result<Self, Vec<(&'static str, NotExtendedData)>> {
        let patches = [
            &patch.public,
            &patch.protected,
            &patch.private,
            &patch.metadata,
        ];
        let mut wrong = Vec::new();
        let mut merge = |i: usize| match patches[i] {
            None => self.all()[i].clone(),
            Some(patch) => self.all()[i].merged(patch).unwrap_or_else(|why| {
                wrong.push((DATA_FIELDS[i], why));
                ExtendedData::empty()
            }),
        };
        let merged = Self {
            public: merge(0),
            protected: merge(1),
            private: merge(2),
            metadata: merge(3),
        };
        if wrong.is_empty() {
            Ok(merged)
        } else {
            Err(wrong)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> Profile {
        Profile {
            first_name: "Olli".into(),
            last_name: "Foobar".into(),
            display_name: None,
            bio: None,
            data: Data::default(),
        }
    }

    // contract: users 6
    #[test]
    fn a_cleared_display_name_is_derived_again() {
        let set = |name: Option<&str>| ProfilePatch {
            display_name: Some(name.map(str::to_owned)),
            ..ProfilePatch::default()
        };
        let captain = profile().patched(&set(Some("Captain"))).unwrap();
        assert_eq!(captain.shown_name(), "Captain");
        assert_eq!(captain.patched(&set(None)).unwrap().shown_name(), "Olli F");
    }

    // contract: users 8
    #[test]
    fn every_object_that_grows_too_large_is_named() {
        let half = |key: &str| {
            let text = format!(r#"{{"{key}":"{}"}}"#, "x".repeat(30_000));
            Some(ExtendedData::parse(&text).unwrap())
        };
        let patch = |key: &str| ProfilePatch {
            data: DataPatch {
                public: half(key),
                private: half(key),
                ..DataPatch::default()
            },
            ..ProfilePatch::default()
        };
        let once = profile().patched(&patch("a")).unwrap();
        assert_eq!(
            once.patched(&patch("b")).unwrap_err(),
            [
                ("publicData", NotExtendedData::TooLarge),
                ("privateData", NotExtendedData::TooLarge)
            ]
        );
    }
}
