//! What users are searched by: declared keys of extended data, the values a profile has under them,
//! and what a filter asks of these values.

use crate::domain::profile::Data;
use std::collections::BTreeSet;
use stoa_credentials::secret;
use stoa_proto::auth::SearchSchema;
use stoa_search::{
    Filter, Indexed, Kind, Range, Schema, SchemaFor, SchemaKey, Schemas, Scope, Test, words_of,
};

/// Most texts of one user that are kept under one key.
const MAX_TEXTS: usize = 1000;
/// Most bytes of a string that is kept as it is; a longer one is kept as its hash, because an
/// index takes no long texts.
const MAX_TEXT: usize = 500;
/// Shortest beginning or end of a word that finds it.
const MIN_PART: usize = 3;
/// Stands before a word that is written backwards; no word begins with it.
const BACKWARDS: char = '<';
/// No word has a character behind this one.
const LAST: char = char::MAX;

/// A declared key, under the number that its values are kept by. Another definition of the same
/// key gets another number.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SearchKey {
    pub(crate) id: i64,
    /// Every user's values are there; before that no query goes by it.
    pub(crate) ready: bool,
    pub(crate) declared: SearchSchema,
}

/// The values of one user, each with the number of its key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Values {
    pub(crate) texts: BTreeSet<(i64, String)>,
    pub(crate) numbers: BTreeSet<(i64, i64)>,
}

impl Values {
    /// What a profile has under these keys.
    pub(crate) fn of(data: &Data, keys: &[SearchKey]) -> Self {
        let mut values = Self::default();
        for key in keys {
            let Some(schema) = Schema::read(&key.declared) else {
                continue;
            };
            let object = match schema.name.scope {
                Scope::Public => &data.public,
                Scope::Protected => &data.protected,
                Scope::Private => &data.private,
                Scope::Metadata => &data.metadata,
            };
            match schema.value(object) {
                None => {}
                Some(Indexed::Boolean(truth)) => {
                    values.numbers.insert((key.id, truth.into()));
                }
                Some(Indexed::Long(number)) => {
                    values.numbers.insert((key.id, number));
                }
                Some(Indexed::Strings(strings)) => {
                    values.add(key.id, strings.iter().map(|text| kept(text)));
                }
                Some(Indexed::Text(text)) => {
                    values.add(key.id, words_of(&text).into_iter().flat_map(forms));
                }
            }
        }
        values
    }

    fn add(&mut self, key: i64, texts: impl Iterator<Item = String>) {
        let different: BTreeSet<String> = texts.collect();
        let counted = different.into_iter().take(MAX_TEXTS);
        self.texts.extend(counted.map(|text| (key, text)));
    }
}

/// The last key among these; what was collected for it was collected for all of them.
pub(crate) fn last_key(keys: &[SearchKey]) -> i64 {
    keys.iter().map(|key| key.id).max().unwrap_or(0)
}

/// The form in which a string is kept and compared.
fn kept(text: &str) -> String {
    if text.len() <= MAX_TEXT {
        return text.to_owned();
    }
    let hash = secret::hash(text);
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\u{1}{hex}")
}

/// The forms of a word that ranges of texts find it by: as it is, and backwards when its end finds
/// it too. A word that no index takes is not found.
fn forms(word: String) -> impl Iterator<Item = String> {
    let fits = word.len() < MAX_TEXT;
    let backwards = (word.chars().count() > MIN_PART).then(|| backwards(&word));
    [Some(word), backwards]
        .into_iter()
        .flatten()
        .filter(move |_| fits)
}

fn backwards(word: &str) -> String {
    std::iter::once(BACKWARDS)
        .chain(word.chars().rev())
        .collect()
}

/// What must hold for the values of a user under one key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Condition {
    pub(crate) key: i64,
    pub(crate) test: Needed,
}

/// See [`Condition`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Needed {
    /// One of these texts, each of which is there once.
    AnyText(Vec<String>),
    /// Each of these texts.
    EveryText(Vec<String>),
    /// A text in one of these spans, the end not included.
    Spans(Vec<(String, String)>),
    /// A number in the range.
    Number(Range),
}

/// The keys that queries go by.
pub(crate) struct Searchable {
    schemas: Schemas,
    keys: Vec<SearchKey>,
}

impl Searchable {
    /// Those of these keys that are ready.
    pub(crate) fn of(keys: Vec<SearchKey>) -> Self {
        let keys: Vec<SearchKey> = keys.into_iter().filter(|key| key.ready).collect();
        let declared: Vec<SearchSchema> = keys.iter().map(|key| key.declared.clone()).collect();
        Self {
            schemas: Schemas::of(SchemaFor::UserProfile, &declared),
            keys,
        }
    }

    /// Reads the parameter `<prefix>_<key>=<value>`; nothing when it asks for nothing.
    ///
    /// # Errors
    /// What a good value is, when this is none.
    pub(crate) fn condition(
        &self,
        prefix: &str,
        key: &str,
        value: &str,
    ) -> Result<Option<Condition>, String> {
        if let Some(name) = self.text_key(prefix, key).filter(|_| !value.is_empty()) {
            let spans = words_of(value)
                .iter()
                .flat_map(|word| spans(word))
                .collect();
            return Ok(self.number(&name).map(|key| Condition {
                key,
                test: Needed::Spans(spans),
            }));
        }
        let Some(Filter { name, test }) = self.schemas.filter(prefix, key, value)? else {
            return Ok(None);
        };
        let texts = |list: Vec<String>| {
            let different: BTreeSet<String> = list.iter().map(|text| kept(text)).collect();
            different.into_iter().collect::<Vec<_>>()
        };
        let test = match test {
            Test::HasAny(list) => Needed::AnyText(texts(list)),
            Test::HasAll(list) => Needed::EveryText(texts(list)),
            Test::Is(truth) => Needed::Number(Range {
                min: truth.into(),
                max: truth.into(),
            }),
            Test::In(range) => Needed::Number(range),
        };
        Ok(self.number(&name).map(|key| Condition { key, test }))
    }

    /// The key of numbers that the sort key `<prefix>_<key>` names.
    pub(crate) fn long_key(&self, name: &str) -> Option<i64> {
        self.number(&self.schemas.long_key(name)?)
    }

    fn text_key(&self, prefix: &str, key: &str) -> Option<SchemaKey> {
        let name = SchemaKey {
            scope: Scope::from_prefix(prefix)?,
            key: key.to_owned(),
        };
        let (_, schema) = self.schemas.get(&name)?;
        (schema.kind == Kind::Text).then_some(name)
    }

    fn number(&self, name: &SchemaKey) -> Option<i64> {
        let key = self
            .keys
            .iter()
            .find(|key| key.declared.key == name.key && key.declared.scope == name.scope.name());
        key.map(|key| key.id)
    }
}

/// The spans of texts in which a user's words are found by this one: the word itself, and, from
/// three characters on, the words that begin or end with it.
fn spans(word: &str) -> Vec<(String, String)> {
    let from = |text: &str| (text.to_owned(), format!("{text}{LAST}"));
    if word.chars().count() < MIN_PART {
        // No word stands between the two.
        return vec![(word.to_owned(), format!("{word}\u{1}"))];
    }
    vec![from(word), from(&backwards(word))]
}

/// What a change of the declared keys asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct KeyChanges {
    /// To be collected.
    pub(crate) added: Vec<SearchSchema>,
    /// Not declared any more; what another definition replaces stays until that one is ready.
    pub(crate) dropped: Vec<i64>,
}

/// Compares the keys that are there with those that the settings declare.
pub(crate) fn changes(keys: &[SearchKey], settings: &[SearchSchema]) -> KeyChanges {
    let wanted: Vec<SearchSchema> = settings
        .iter()
        .filter(|schema| schema.schema_for == SchemaFor::UserProfile.name())
        .filter(|schema| Schema::read(schema).is_some())
        // A description is no matter of search.
        .map(|schema| SearchSchema {
            doc: None,
            ..schema.clone()
        })
        .collect();
    let is_new = |schema: &&SearchSchema| !keys.iter().any(|key| key.declared == **schema);
    let stays = |key: &SearchKey| {
        let replaced = key.ready && wanted.iter().any(|schema| same_key(schema, &key.declared));
        wanted.contains(&key.declared) || replaced
    };
    KeyChanges {
        added: wanted.iter().filter(is_new).cloned().collect(),
        dropped: keys
            .iter()
            .filter(|key| !stays(key))
            .map(|key| key.id)
            .collect(),
    }
}

/// The keys whose place is taken when everything is collected: those with a newer definition.
pub(crate) fn superseded(keys: &[SearchKey]) -> Vec<i64> {
    let newer = |old: &&SearchKey| {
        let is_newer = |key: &SearchKey| key.id > old.id && same_key(&key.declared, &old.declared);
        keys.iter().any(is_newer)
    };
    keys.iter().filter(newer).map(|key| key.id).collect()
}

fn same_key(one: &SearchSchema, other: &SearchSchema) -> bool {
    one.scope == other.scope && one.key == other.key
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use stoa_types::ExtendedData;

    /// A schema of users as the settings carry it.
    pub(crate) fn declared(scope: &str, key: &str, kind: &str) -> SearchSchema {
        SearchSchema {
            schema_for: "userProfile".into(),
            scope: scope.into(),
            key: key.into(),
            schema_type: kind.into(),
            default_json: None,
            doc: None,
        }
    }

    fn keys(declared: &[SearchSchema]) -> Vec<SearchKey> {
        (1..)
            .zip(declared)
            .map(|(id, declared)| SearchKey {
                id,
                ready: true,
                declared: declared.clone(),
            })
            .collect()
    }

    fn every_kind() -> Vec<SearchKey> {
        let mut vip = declared("metadata", "vip", "boolean");
        vip.default_json = Some("false".into());
        keys(&[
            declared("public", "city", "enum"),
            declared("protected", "age", "long"),
            declared("private", "tags", "multi-enum"),
            vip,
            declared("public", "story", "text"),
        ])
    }

    fn data(public: &str, protected: &str, private: &str) -> Data {
        let read = |json| ExtendedData::parse(json).unwrap();
        Data {
            public: read(public),
            protected: read(protected),
            private: read(private),
            metadata: ExtendedData::empty(),
        }
    }

    #[test]
    fn each_scope_gives_its_own_values_and_defaults_count() {
        let data = data(
            r#"{"city":"Oslo","age":1}"#,
            r#"{"age":30}"#,
            r#"{"tags":["b","a","b"]}"#,
        );
        let values = Values::of(&data, &every_kind());
        let texts = [(1, "Oslo"), (3, "a"), (3, "b")].map(|(key, text)| (key, text.to_owned()));
        assert_eq!(values.texts, texts.into());
        assert_eq!(values.numbers, [(2, 30), (4, 0)].into());
        assert_eq!(last_key(&every_kind()), 5);
    }

    // contract: search S12
    #[test]
    fn a_text_is_found_by_its_words_their_beginnings_and_ends() {
        let searchable = Searchable::of(every_kind());
        let values = Values::of(
            &data(r#"{"story":"Local E-bike"}"#, "{}", "{}"),
            &every_kind(),
        );
        let found = |query: &str| {
            let condition = searchable
                .condition("pub", "story", query)
                .unwrap()
                .unwrap();
            let Needed::Spans(spans) = condition.test else {
                panic!("{condition:?}");
            };
            let inside = |text: &String| spans.iter().any(|(from, to)| from <= text && text < to);
            values.texts.iter().any(|(_, text)| inside(text))
        };
        for query in ["local", "LOC", "ocal", "cal", "e", "oca bike", "bík"] {
            assert!(found(query), "{query}");
        }
        for query in ["oca", "locals", "lo", "!!!", "el"] {
            assert!(!found(query), "{query}");
        }
    }

    #[test]
    fn what_an_index_does_not_take_is_kept_as_its_hash() {
        let long = "x".repeat(MAX_TEXT + 1);
        let values = Values::of(
            &data(&format!(r#"{{"city":"{long}"}}"#), "{}", "{}"),
            &every_kind(),
        );
        let condition = Searchable::of(every_kind()).condition("pub", "city", &long);
        let Needed::AnyText(asked) = condition.unwrap().unwrap().test else {
            panic!("a city is an enum");
        };
        assert!(asked[0].len() < 100);
        assert!(values.texts.contains(&(1, asked[0].clone())));
        let many: Vec<String> = (0..2000).map(|n| format!("\"{n}\"")).collect();
        let tags = format!(r#"{{"tags":[{}]}}"#, many.join(","));
        let values = Values::of(&data("{}", "{}", &tags), &every_kind());
        assert_eq!(values.texts.len(), MAX_TEXTS);
    }

    #[test]
    fn filters_go_by_keys_that_are_ready() {
        let mut keys = every_kind();
        keys[0].ready = false;
        let searchable = Searchable::of(keys);
        let condition = |prefix, key, value| searchable.condition(prefix, key, value);
        assert_eq!(condition("pub", "city", "Oslo"), Ok(None));
        let adults = Condition {
            key: 2,
            test: Needed::Number(Range {
                min: 18,
                max: i64::MAX,
            }),
        };
        assert_eq!(condition("prot", "age", "18,"), Ok(Some(adults)));
        let both = Condition {
            key: 3,
            test: Needed::EveryText(vec!["a".into(), "b".into()]),
        };
        assert_eq!(condition("priv", "tags", "b,a,b"), Ok(Some(both)));
        assert_eq!(condition("pub", "age", "18"), Ok(None), "of another scope");
        assert!(condition("meta", "vip", "yes").is_err());
        assert_eq!(searchable.long_key("prot_age"), Some(2));
        assert_eq!(searchable.long_key("meta_vip"), None);
    }

    #[test]
    fn a_new_definition_replaces_the_old_one_when_it_is_ready() {
        let old = keys(&[
            declared("public", "city", "enum"),
            declared("public", "age", "long"),
        ]);
        let mut listing = declared("public", "other", "enum");
        listing.schema_for = "listing".into();
        let settings = [declared("public", "city", "multi-enum"), listing];
        let expected = KeyChanges {
            added: vec![declared("public", "city", "multi-enum")],
            dropped: vec![2],
        };
        assert_eq!(changes(&old, &settings), expected);
        let mut now = vec![old[0].clone()];
        now.push(SearchKey {
            id: 3,
            ready: false,
            declared: settings[0].clone(),
        });
        assert_eq!(changes(&now, &settings), KeyChanges::default());
        assert_eq!(superseded(&now), [1]);
        // Back again before it was ready.
        let back = changes(&now, &[old[0].declared.clone()]);
        assert_eq!((back.added.len(), back.dropped), (0, vec![3]));
    }
}
