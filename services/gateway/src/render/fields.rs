//! Sparse attributes: `fields.<type>=title,publicData.color`.

use std::collections::HashMap;

/// Names that are asked for; a name without names of its own stands for all below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names(HashMap<String, Names>);

impl Names {
    /// The names of a list of dotted paths.
    pub(crate) fn of<'a>(paths: impl IntoIterator<Item = &'a str>) -> Self {
        let mut names = Self::default();
        for path in paths {
            names.add(path);
        }
        names
    }

    fn add(&mut self, path: &str) {
        let (first, rest) = path
            .split_once('.')
            .map_or((path, None), |(f, r)| (f, Some(r)));
        match (self.0.get_mut(first), rest) {
            // Asked for whole before: it stays whole.
            (Some(below), Some(_)) if below.0.is_empty() => {}
            (Some(below), Some(rest)) => below.add(rest),
            (Some(below), None) => below.0.clear(),
            (None, None) => {
                self.0.insert(first.to_owned(), Self::default());
            }
            (None, Some(rest)) => {
                let mut below = Self::default();
                below.add(rest);
                self.0.insert(first.to_owned(), below);
            }
        }
    }
}

/// What is wanted of one map of attributes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a>(Option<&'a Names>);

impl<'a> Wanted<'a> {
    /// Everything.
    pub(crate) const ALL: Self = Self(None);

    /// Only these.
    pub(crate) const fn only(names: &'a Names) -> Self {
        Self(Some(names))
    }

    /// What is wanted below an attribute; nothing when the attribute is not wanted.
    pub(crate) fn get(self, name: &str) -> Option<Wanted<'a>> {
        match self.0 {
            None => Some(Self::ALL),
            Some(names) => {
                let below = names.0.get(name)?;
                Some(if below.0.is_empty() {
                    Self::ALL
                } else {
                    Self(Some(below))
                })
            }
        }
    }

    /// True when an attribute is wanted, whole or in part.
    pub(crate) fn has(self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// True when nothing is left out.
    pub(crate) const fn is_all(self) -> bool {
        self.0.is_none()
    }
}

/// Wanted attributes by type of resource.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields(HashMap<String, Names>);

impl Fields {
    /// From the parameters `fields.*`: type and comma list.
    pub(crate) fn new(parameters: Vec<(String, String)>) -> Self {
        let by_type = parameters
            .into_iter()
            .map(|(kind, list)| (kind, Names::of(list.split(',').map(str::trim))))
            .collect();
        Self(by_type)
    }

    /// What is wanted of a resource of this type. `fields.listing` holds for own listings too,
    /// where nothing was said about them, and `fields.user` does not for the current user.
    pub(crate) fn wanted(&self, kind: &str) -> Wanted<'_> {
        let names = self.0.get(kind).or_else(|| match kind {
            "ownListing" => self.0.get("listing"),
            _ => None,
        });
        names.map_or(Wanted::ALL, Wanted::only)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // contract: wire 3.2
    #[test]
    fn dotted_names_select_inside_and_unknown_ones_select_nothing() {
        let fields = Fields::new(vec![
            (
                "listing".into(),
                "title,publicData.color,publicData.size".into(),
            ),
            ("user".into(), "none".into()),
        ]);
        let listing = fields.wanted("ownListing");
        assert!(listing.has("title") && !listing.has("price"));
        let data = listing.get("publicData").unwrap();
        assert!(data.has("color") && !data.has("other") && !data.is_all());
        assert!(!fields.wanted("user").has("profile"));
        assert!(fields.wanted("currentUser").has("profile"));
        assert!(listing.get("title").unwrap().is_all());
    }

    #[test]
    fn a_whole_attribute_wins_over_its_parts() {
        for list in ["profile,profile.bio", "profile.bio,profile"] {
            let fields = Fields::new(vec![("user".into(), list.into())]);
            assert!(
                fields.wanted("user").get("profile").unwrap().is_all(),
                "{list}"
            );
        }
    }
}
