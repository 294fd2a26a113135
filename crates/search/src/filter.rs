//! Filters and sort keys as queries write them.

use crate::{Kind, Range, SchemaKey, Schemas, Scope};

/// A filter on a key with a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Which key.
    pub name: SchemaKey,
    /// What its value must be.
    pub test: Test,
}

/// What the value must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// At least one of these strings.
    HasAny(Vec<String>),
    /// All of these strings.
    HasAll(Vec<String>),
    /// This truth value.
    Is(bool),
    /// A number in the range.
    In(Range),
}

impl Schemas {
    /// Reads the parameter `<prefix>_<key>=<value>`. Nothing for a key without a schema, for texts,
    /// which are no matter of filters, and for a value that asks for nothing.
    ///
    /// # Errors
    /// What a good value is, when this is none.
    pub fn filter(&self, prefix: &str, key: &str, value: &str) -> Result<Option<Filter>, String> {
        let Some(scope) = Scope::from_prefix(prefix) else {
            return Ok(None);
        };
        let name = SchemaKey {
            scope,
            key: key.to_owned(),
        };
        let Some((_, schema)) = self.get(&name).filter(|_| !value.is_empty()) else {
            return Ok(None);
        };
        let items = |list: &str| -> Vec<String> {
            let items = list.split(',').filter(|item| !item.is_empty());
            items.map(str::to_owned).collect()
        };
        let test = match schema.kind {
            Kind::Enum => Test::HasAny(items(value)),
            Kind::MultiEnum => match value.strip_prefix("has_any:") {
                Some(any) => Test::HasAny(items(any)),
                None => Test::HasAll(items(value.strip_prefix("has_all:").unwrap_or(value))),
            },
            Kind::Boolean => match value {
                "true" => Test::Is(true),
                "false" => Test::Is(false),
                _ => return Err("must be true or false".to_owned()),
            },
            Kind::Long => match Range::parse(value).map_err(|why| why.to_string())? {
                Some(range) => Test::In(range),
                None => return Ok(None),
            },
            Kind::Text => return Ok(None),
        };
        match &test {
            Test::HasAny(list) | Test::HasAll(list) if list.is_empty() => Ok(None),
            _ => Ok(Some(Filter { name, test })),
        }
    }

    /// The key that the sort key `<prefix>_<key>` names: one of numbers, else nothing.
    pub fn long_key(&self, name: &str) -> Option<SchemaKey> {
        let (prefix, key) = name.split_once('_')?;
        let name = SchemaKey {
            scope: Scope::from_prefix(prefix)?,
            key: key.to_owned(),
        };
        let (_, schema) = self.get(&name)?;
        (schema.kind == Kind::Long).then_some(name)
    }
}

/// Takes a sort key apart: whether it is ascending, and its name. A bare key is the highest first,
/// a dash turns that around.
pub fn sort_key(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(name) => (true, name),
        None => (false, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SchemaFor;
    use crate::schema::tests::setting;

    fn schemas() -> Schemas {
        Schemas::of(
            SchemaFor::Listing,
            &[
                setting("public", "condition", "enum", None),
                setting("public", "accessories", "multi-enum", None),
                setting("public", "rating", "long", None),
                setting("public", "story", "text", None),
                setting("metadata", "promoted", "boolean", None),
            ],
        )
    }

    fn strings(list: &[&str]) -> Vec<String> {
        list.iter().map(|s| (*s).to_owned()).collect()
    }

    // contract: search S5, S6, S7
    #[test]
    fn a_filter_is_read_by_the_kind_of_its_key() {
        let test = |prefix, key, value| schemas().filter(prefix, key, value).unwrap().unwrap().test;
        let ab = strings(&["a", "b"]);
        assert_eq!(test("pub", "condition", "a,b"), Test::HasAny(ab.clone()));
        assert_eq!(test("pub", "accessories", "a,b"), Test::HasAll(ab.clone()));
        assert_eq!(
            test("pub", "accessories", "has_all:a,b"),
            Test::HasAll(ab.clone())
        );
        assert_eq!(test("pub", "accessories", "has_any:a,b"), Test::HasAny(ab));
        assert_eq!(
            test("pub", "rating", "3,"),
            Test::In(Range {
                min: 3,
                max: i64::MAX
            })
        );
        assert_eq!(test("meta", "promoted", "true"), Test::Is(true));
        for (prefix, key, value) in [("pub", "rating", "high"), ("meta", "promoted", "yes")] {
            assert!(
                schemas().filter(prefix, key, value).is_err(),
                "{key}={value}"
            );
        }
    }

    // contract: search S10
    #[test]
    fn a_filter_that_asks_for_nothing_is_none() {
        for (prefix, key, value) in [
            ("pub", "foo", "x"),
            ("meta", "condition", "x"),
            ("priv", "condition", "x"),
            ("pub", "story", "x"),
            ("pub", "condition", ""),
            ("pub", "accessories", "has_any:"),
            ("pub", "rating", ","),
        ] {
            assert_eq!(
                schemas().filter(prefix, key, value),
                Ok(None),
                "{key}={value}"
            );
        }
    }

    // contract: search S19, S22
    #[test]
    fn numbers_are_sorted_by_and_a_dash_turns_the_order() {
        assert_eq!(sort_key("-pub_rating"), (true, "pub_rating"));
        assert_eq!(sort_key("createdAt"), (false, "createdAt"));
        let rating = schemas().long_key("pub_rating").unwrap();
        assert_eq!(
            (rating.scope, rating.key.as_str()),
            (Scope::Public, "rating")
        );
        for none in [
            "pub_condition",
            "meta_rating",
            "pub_unknown",
            "rating",
            "-pub_rating",
        ] {
            assert_eq!(schemas().long_key(none), None, "{none}");
        }
    }
}
