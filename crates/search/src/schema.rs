//! Search schemas: which top-level keys of extended data can be filtered and sorted by.

use serde_json::Value;
use std::collections::HashMap;
use stoa_proto::auth as pb;
use stoa_types::ExtendedData;

/// Kinds of resources whose extended data is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SchemaFor {
    /// Listings.
    Listing,
    /// Profiles of users.
    UserProfile,
    /// Transactions.
    Transaction,
}

impl SchemaFor {
    /// The name in settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Listing => "listing",
            Self::UserProfile => "userProfile",
            Self::Transaction => "transaction",
        }
    }

    /// The objects of extended data that this kind has schemas of.
    pub const fn scopes(self) -> &'static [Scope] {
        match self {
            Self::Listing => &[Scope::Public, Scope::Metadata],
            Self::UserProfile => &[
                Scope::Public,
                Scope::Protected,
                Scope::Private,
                Scope::Metadata,
            ],
            Self::Transaction => &[Scope::Protected, Scope::Metadata],
        }
    }
}

/// Which object of extended data a key is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// `publicData`, prefix `pub_`.
    Public,
    /// `protectedData`, prefix `prot_`.
    Protected,
    /// `privateData`, prefix `priv_`.
    Private,
    /// `metadata`, prefix `meta_`.
    Metadata,
}

impl Scope {
    const ALL: [Self; 4] = [Self::Public, Self::Protected, Self::Private, Self::Metadata];

    /// The beginning of the names of query parameters, without the underscore.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Public => "pub",
            Self::Protected => "prot",
            Self::Private => "priv",
            Self::Metadata => "meta",
        }
    }

    /// The name in settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Protected => "protected",
            Self::Private => "private",
            Self::Metadata => "metadata",
        }
    }

    /// The scope of that prefix.
    pub fn from_prefix(prefix: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.prefix() == prefix)
    }

    /// The scope of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

/// Names a schema among those of its kind of resource.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SchemaKey {
    /// Which object.
    pub scope: Scope,
    /// Which top-level key of it.
    pub key: String,
}

/// What kind of value the key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    Enum,
    /// A list of strings.
    MultiEnum,
    /// True or false.
    Boolean,
    /// A whole number.
    Long,
    /// A text, searched by its words.
    Text,
}

/// A value that fits its schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Indexed {
    /// Of an enum (one) or a multi-enum.
    Strings(Vec<String>),
    /// Of a boolean.
    Boolean(bool),
    /// Of a long.
    Long(i64),
    /// Of a text.
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
pub struct Schema {
    /// Which key it is about.
    pub name: SchemaKey,
    /// What the key holds.
    pub kind: Kind,
    default: Option<Indexed>,
}

impl Schema {
    /// Reads a schema of the settings; nothing for what auth would have refused.
    pub fn read(schema: &pb::SearchSchema) -> Option<Self> {
        let kind = Kind::from_name(&schema.schema_type)?;
        let default = schema.default_json.as_deref();
        let default = default.and_then(|json| serde_json::from_str(json).ok());
        Some(Self {
            name: SchemaKey {
                scope: Scope::from_name(&schema.scope)?,
                key: schema.key.clone(),
            },
            kind,
            default: default.and_then(|value| kind.fit(&value)),
        })
    }

    /// The value in the object that the schema is about. A key that is missing or null counts as
    /// the default; a value of another type counts as none.
    pub fn value(&self, data: &ExtendedData) -> Option<Indexed> {
        match data.get(&self.name.key) {
            None | Some("null") => self.default.clone(),
            Some(json) => self.kind.fit(&serde_json::from_str(json).ok()?),
        }
    }
}

/// The schemas of one kind of resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schemas {
    list: Vec<Schema>,
    by_name: HashMap<SchemaKey, usize>,
}

impl Schemas {
    /// Takes those of one kind of resource out of the settings; what cannot be one is left out, as
    /// auth refuses it.
    pub fn of(kind: SchemaFor, settings: &[pb::SearchSchema]) -> Self {
        let mut list: Vec<Schema> = settings
            .iter()
            .filter(|schema| schema.schema_for == kind.name())
            .filter_map(Schema::read)
            .filter(|schema| kind.scopes().contains(&schema.name.scope))
            .collect();
        // The order that settings list them in says nothing.
        list.sort_by(|a, b| a.name.cmp(&b.name));
        let by_name = (list.iter().enumerate())
            .map(|(i, schema)| (schema.name.clone(), i))
            .collect();
        Self { list, by_name }
    }

    /// All of them, in the order of their names.
    pub fn list(&self) -> &[Schema] {
        &self.list
    }

    /// Place in [`Schemas::list`] and schema of a name.
    pub fn get(&self, name: &SchemaKey) -> Option<(usize, &Schema)> {
        let i = *self.by_name.get(name)?;
        Some((i, &self.list[i]))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A schema of listings as the settings carry it.
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
        let schema = Schema::read(&setting("public", "k", kind, default)).unwrap();
        schema.value(&ExtendedData::parse(data).unwrap())
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
        let settings = [user, private];
        assert!(Schemas::of(SchemaFor::Listing, &settings).list().is_empty());
        let users = Schemas::of(SchemaFor::UserProfile, &settings);
        assert_eq!(users.list().len(), 1);
    }
}
