//! Extended data: the JSON objects that marketplaces hang on users, listings and transactions.
//!
//! Values are kept as the JSON text that came in, so that numbers, key order inside values and
//! spelling survive; only the top-level keys are looked at, because updates merge on them.

use indexmap::IndexMap;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// Most bytes of UTF-8 JSON that one object may have after a merge (50 KB).
pub const MAX_BYTES: usize = 51_200;
/// Deepest nesting of maps and arrays inside one object.
pub const MAX_DEPTH: usize = 32;

/// A JSON object whose top-level keys can be merged.
#[derive(Clone, Default)]
pub struct ExtendedData(IndexMap<String, Box<RawValue>>);

/// Why a text is no extended data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotExtendedData {
    /// Not JSON, or not an object.
    #[error("must be a JSON object")]
    NotAnObject,
    /// More than [`MAX_BYTES`] after the merge.
    #[error("must not be larger than 50 KB as JSON")]
    TooLarge,
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("must not be nested deeper than 32 levels")]
    TooDeep,
    /// Holds the character U+0000, which no store keeps reliably.
    #[error("must not contain the character U+0000")]
    NulCharacter,
}

impl ExtendedData {
    /// The object without keys.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Reads an object; of a repeated key the last value counts.
    ///
    /// # Errors
    /// [`NotExtendedData`] when it is no object, too large, too deep or holds U+0000.
    pub fn parse(json: &str) -> Result<Self, NotExtendedData> {
        if json.len() > MAX_BYTES {
            return Err(NotExtendedData::TooLarge);
        }
        check_depth_and_nul(json)?;
        Self::from_stored(json)
    }

    /// Reads what a store wrote: the limits were checked before.
    ///
    /// # Errors
    /// [`NotExtendedData::NotAnObject`] when the text is damaged.
    pub fn from_stored(json: &str) -> Result<Self, NotExtendedData> {
        struct Top;
        impl<'de> Visitor<'de> for Top {
            type Value = IndexMap<String, Box<RawValue>>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut top = IndexMap::new();
                while let Some((key, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    top.insert(key, value);
                }
                Ok(top)
            }
        }
        let mut reader = serde_json::Deserializer::from_str(json);
        let top = reader
            .deserialize_map(Top)
            .map_err(|_| NotExtendedData::NotAnObject)?;
        reader.end().map_err(|_| NotExtendedData::NotAnObject)?;
        Ok(Self(top))
    }

    /// The object after `patch`: its keys replace the stored ones whole, a key whose value is
    /// `null` is removed, all others stay.
    ///
    /// # Errors
    /// [`NotExtendedData::TooLarge`] when the result is larger than [`MAX_BYTES`].
    pub fn merged(&self, patch: &Self) -> Result<Self, NotExtendedData> {
        let mut merged = self.clone();
        for (key, value) in &patch.0 {
            if value.get() == "null" {
                merged.0.shift_remove(key);
            } else {
                merged.0.insert(key.clone(), value.clone());
            }
        }
        if merged.to_json().len() > MAX_BYTES {
            return Err(NotExtendedData::TooLarge);
        }
        Ok(merged)
    }

    /// What changed on the way to `next`, as events show it: each key that was changed or
    /// removed with its old value, each key that was added with `null`.
    pub fn previous_of(&self, next: &Self) -> Self {
        let mut previous = IndexMap::new();
        for (key, old) in &self.0 {
            if next.0.get(key).is_none_or(|new| new.get() != old.get()) {
                previous.insert(key.clone(), old.clone());
            }
        }
        for key in next.0.keys().filter(|key| !self.0.contains_key(*key)) {
            let null = RawValue::from_string("null".into()).expect("null is JSON");
            previous.insert(key.clone(), null);
        }
        Self(previous)
    }

    /// The JSON text of the value under a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|value| value.get())
    }

    /// Sets one key to a JSON value.
    ///
    /// # Errors
    /// [`NotExtendedData::NotAnObject`] when `json` is no JSON value.
    pub fn set(&mut self, key: &str, json: &str) -> Result<(), NotExtendedData> {
        let value =
            RawValue::from_string(json.to_owned()).map_err(|_| NotExtendedData::NotAnObject)?;
        self.0.insert(key.to_owned(), value);
        Ok(())
    }

    /// Removes one key; tells whether it was there.
    pub fn remove(&mut self, key: &str) -> bool {
        self.0.shift_remove(key).is_some()
    }

    /// Keys and the JSON texts of their values, in stored order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(key, value)| (key.as_str(), value.get()))
    }

    /// True when there is no key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The whole object as JSON text.
    pub fn to_json(&self) -> String {
        serde_json::to_string(&self.0).expect("keys are strings and values are JSON")
    }
}

impl PartialEq for ExtendedData {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len()
            && self
                .0
                .iter()
                .all(|(k, v)| other.0.get(k).is_some_and(|o| o.get() == v.get()))
    }
}

impl Eq for ExtendedData {}

impl fmt::Debug for ExtendedData {
    /// The keys only: values may be personal data and must not reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Walks the bytes once: nesting outside strings, and U+0000 raw or escaped inside them.
fn check_depth_and_nul(json: &str) -> Result<(), NotExtendedData> {
    let bytes = json.as_bytes();
    let (mut depth, mut in_string, mut i) = (0_usize, false, 0_usize);
    while i < bytes.len() {
        match bytes[i] {
            0 => return Err(NotExtendedData::NulCharacter),
            b'\\' if in_string => {
                if bytes[i + 1..].starts_with(b"u0000") {
                    return Err(NotExtendedData::NulCharacter);
                }
                i += 1;
            }
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(NotExtendedData::TooDeep);
                }
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        i += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(json: &str) -> ExtendedData {
        ExtendedData::parse(json).unwrap()
    }

    // contract: users 7, listings L12
    #[test]
    fn an_update_replaces_given_keys_and_removes_nulls() {
        let merged = data(r#"{"a":{"x":1,"y":2},"b":1}"#)
            .merged(&data(r#"{"a":{"x":9},"b":null,"c":[1]}"#))
            .unwrap();
        assert_eq!(merged.to_json(), r#"{"a":{"x":9},"c":[1]}"#);
    }

    #[test]
    fn values_keep_their_spelling() {
        let text = r#"{"length":10,"n":1.50,"big":12345678901234567890,"a/b":"\u00e9"}"#;
        assert_eq!(data(text).to_json(), text);
    }

    // contract: integration I8
    #[test]
    fn previous_values_name_changed_removed_and_added_keys() {
        let previous = data(r#"{"a":1,"same":2}"#).previous_of(&data(r#"{"same":2,"b":3}"#));
        assert_eq!(previous.to_json(), r#"{"a":1,"b":null}"#);
    }

    #[test]
    fn limits_are_named() {
        let large = format!(r#"{{"k":"{}"}}"#, "x".repeat(MAX_BYTES));
        let deep = format!(
            r#"{{"k":{}1{}}}"#,
            "[".repeat(MAX_DEPTH),
            "]".repeat(MAX_DEPTH)
        );
        for (text, why) in [
            (large.as_str(), NotExtendedData::TooLarge),
            (deep.as_str(), NotExtendedData::TooDeep),
            (r#"{"k":"\u0000"}"#, NotExtendedData::NulCharacter),
            ("[]", NotExtendedData::NotAnObject),
            ("{} {}", NotExtendedData::NotAnObject),
            (r#"{"k":"#, NotExtendedData::NotAnObject),
        ] {
            assert_eq!(ExtendedData::parse(text), Err(why));
        }
        assert_eq!(data(r#"{"k":"\\u0000"}"#).to_json(), r#"{"k":"\\u0000"}"#);
    }

    #[test]
    fn a_merge_over_the_limit_is_refused() {
        let half = format!(r#"{{"a":"{}"}}"#, "x".repeat(MAX_BYTES / 2));
        let other = format!(r#"{{"b":"{}"}}"#, "x".repeat(MAX_BYTES / 2));
        assert_eq!(
            data(&half).merged(&data(&other)),
            Err(NotExtendedData::TooLarge)
        );
    }
}
