//! Search schemas: which top-level keys of extended data can be filtered and sorted by.

use crate::domain::Listing;
use serde_json::Value;
use std::collections::HashMap;
use stoa_proto::auth as pb;
use stoa_types::ExtendedData;

/// Whose extended data a key is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Scope {
    /// `publicData`, prefix `pub_`.
    Public,
    /// `metadata`, prefix `meta_`.
    Metadata,
}

impl Scope {
    /// The scope of the prefix `pub` or `meta`.
    pub(crate) fn from_prefix(prefix: &str) -> Option<Self> {
        match prefix {
            "pub" => Some(Self::Public),
            "meta" => Some(Self::Metadata),
            _ => None,
        }
    }
}

/// Names a schema.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SchemaKey {
    pub(crate) scope: Scope,
    pub(crate) key: String,
}

/// What kind of value the key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A string.
    Enum,
    /// A list of strings.
    MultiEnum,
    /// True or false.
    Boolean,
    /// A whole number.
    Long,
    /// A text, reached through keywords only.
    Text,
}

/// A value that fits its schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Indexed {
    Strings(Vec<String>),
    Boolean(bool),
    Long(i64),
    Text(String),
}

impl Kind {
    fn from_name(name: &str) -> Option<Self> {
        match name {
            "enum" => Some(Self::Enum),
            "multi-enum" => Some(Self::MultiEnum),
            "boolean" => Some(Self::Boolean),
            "long" => Some(Self::Long),
            // The second name comes from marketplace configurations.
            "text" | "shortText" => Some(Self::Text),
            _ => None,
        }
    }

    /// The value as this kind holds it; nothing when it does not fit.
    fn fit(self, value: &Value) -> Option<Indexed> {
        match self {
            Self::Enum => Some(Indexed::Strings(vec![value.as_str()?.to_owned()])),
            Self::MultiEnum => {
                let items = value.as_array()?.iter();
                let strings = items.map(|item| item.as_str().map(str::to_owned));
                strings.collect::<Option<_>>().map(Indexed::Strings)
            }
            Self::Boolean => value.as_bool().map(Indexed::Boolean),
            Self::Long => value.as_i64().map(Indexed::Long),
            Self::Text => value.as_str().map(|text| Indexed::Text(text.to_owned())),
        }
    }
}

/// One search schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Schema {
    pub(crate) name: SchemaKey,
    pub(crate) kind: Kind,
    default: Option<Indexed>,
}

/// The schemas of listings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Schemas {
    list: Vec<Schema>,
    by_name: HashMap<SchemaKey, usize>,
}

impl Schemas {
    /// Takes those of listings out of the settings; what cannot be one is left out, as auth
    /// refuses it.
    pub(crate) fn of(settings: &[pb::SearchSchema]) -> Self {
        let mut list: Vec<Schema> = settings
            .iter()
            .filter(|schema| schema.schema_for == "listing")
            .filter_map(|schema| {
                let scope = match schema.scope.as_str() {
                    "public" => Scope::Public,
                    "metadata" => Scope::Metadata,
                    _ => return None,
                };
                let kind = Kind::from_name(&schema.schema_type)?;
                let default = schema.default_json.as_deref();
                let default = default.and_then(|json| serde_json::from_str(json).ok());
                Some(Schema {
                    name: SchemaKey {
                        scope,
                        key: schema.key.clone(),
                    },
                    kind,
                    default: default.and_then(|value| kind.fit(&value)),
                })
            })
            .collect();
        // The order that settings list them in says nothing.
        list.sort_by(|a, b| a.name.cmp(&b.name));
        let by_name = (list.iter().enumerate())
            .map(|(i, schema)| (schema.name.clone(), i))
            .collect();
        Self { list, by_name }
    }

    pub(crate) fn list(&self) -> &[Schema] {
        &self.list
    }

    /// Place in [`Schemas::list`] and schema of a name.
    pub(crate) fn get(&self, name: &SchemaKey) -> Option<(usize, &Schema)> {
        let i = *self.by_name.get(name)?;
        Some((i, &self.list[i]))
    }

    /// The value of each schema for this listing. A key that is missing or null counts as the
    /// default; a value of another type counts as none.
    pub(crate) fn values(&self, listing: &Listing) -> Vec<Option<Indexed>> {
        if self.list.is_empty() {
            return Vec::new();
        }
        let data = |json: &str| ExtendedData::from_stored(json).unwrap_or_default();
        let (public, metadata) = (data(&listing.public_data), data(&listing.metadata));
        let value_of = |schema: &Schema| {
            let data = match schema.name.scope {
                Scope::Public => &public,
                Scope::Metadata => &metadata,
            };
            match data.get(&schema.name.key) {
                None | Some("null") => schema.default.clone(),
                Some(json) => schema.kind.fit(&serde_json::from_str(json).ok()?),
            }
        };
        self.list.iter().map(value_of).collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::domain::listing::tests::a_listing;

    /// A schema as the settings carry it.
    pub(crate) fn setting(
        scope: &str,
        key: &str,
        kind: &str,
        default: Option<&str>,
    ) -> pb::SearchSchema {
        pb::SearchSchema {
            schema_for: "listing".into(),
            scope: scope.into(),
            key: key.into(),
            schema_type: kind.into(),
            default_json: default.map(str::to_owned),
            doc: None,
        }
    }

    fn value(kind: &str, default: Option<&str>, data: &str) -> Option<Indexed> {
        let schemas = Schemas::of(&[setting("public", "k", kind, default)]);
        let mut listing = a_listing(1);
        listing.public_data = data.into();
        schemas.values(&listing).remove(0)
    }

    // contract: search S8
    #[test]
    fn a_missing_or_null_key_counts_as_the_default() {
        let default = Some(Indexed::Boolean(false));
        assert_eq!(value("boolean", Some("false"), "{}"), default);
        assert_eq!(value("boolean", Some("false"), r#"{"k":null}"#), default);
        assert_eq!(
            value("boolean", Some("false"), r#"{"k":true}"#),
            Some(Indexed::Boolean(true))
        );
        assert_eq!(value("boolean", Some("false"), r#"{"k":"yes"}"#), None);
        assert_eq!(value("long", Some("1.5"), "{}"), None);
    }

    // contract: search S9, S48
    #[test]
    fn only_a_value_of_the_right_type_is_indexed() {
        assert_eq!(value("long", None, r#"{"k":"5"}"#), None);
        assert_eq!(value("long", None, r#"{"k":5}"#), Some(Indexed::Long(5)));
        assert_eq!(value("long", None, r#"{"k":5.5}"#), None);
        assert_eq!(value("enum", None, r#"{"k":["a"]}"#), None);
        assert_eq!(value("multi-enum", None, r#"{"k":"a"}"#), None);
        assert_eq!(value("multi-enum", None, r#"{"k":["a",1]}"#), None);
        assert_eq!(
            value("multi-enum", None, r#"{"k":["a","b"]}"#),
            Some(Indexed::Strings(vec!["a".into(), "b".into()]))
        );
    }

    #[test]
    fn schemas_of_other_things_do_not_count() {
        let mut user = setting("public", "k", "enum", None);
        user.schema_for = "userProfile".into();
        let private = setting("private", "k", "enum", None);
        assert!(Schemas::of(&[user, private]).list().is_empty());
    }
}
