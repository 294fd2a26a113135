//! The parameters of a request body.

use indexmap::IndexMap;
use stoa_types::{PathItem, Problem, Problems, SourceKind};

use super::{FromValue, Given, Place};
use crate::format::RequestKind;
use crate::read::{read_json, read_transit};
use crate::value::Value;

/// A map of parameters, of which each is asked for by name.
///
/// ```
/// use stoa_codec::params::{Body, Given};
/// use stoa_types::{ExtendedData, Money};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bytes = br#"["^ ","~:title","Bike","~:price",["~#mn",[2500,"EUR"]],"~:description",null]"#;
/// let mut body = Body::decode(stoa_codec::request_kind(Some("application/transit+json")), bytes)?;
/// let title: Option<String> = body.required("title");
/// let description: Given<String> = body.nullable("description");
/// let price: Given<Money> = body.nullable("price");
/// let public_data: Option<ExtendedData> = body.optional("publicData");
/// if title.as_ref().is_some_and(|title| title.len() > 1000) {
///     body.invalid("title", "must have at most 1000 characters");
/// }
/// body.finish()?;
/// assert_eq!(description, Given::Null);
/// # assert!(price.is_given() && public_data.is_none());
/// # Ok(())
/// # }
/// ```
pub struct Body {
    entries: IndexMap<String, Value>,
    path: Vec<PathItem>,
    problems: Vec<Problem>,
}

impl Body {
    /// The parameters of a body that was read.
    ///
    /// # Errors
    /// 400 `bad-request` when the value is no map.
    pub fn read(value: Value) -> Result<Self, Problems> {
        match value {
            Value::Map(entries) => Ok(Self {
                entries,
                path: Vec::new(),
                problems: Vec::new(),
            }),
            other => Err(Problem::bad_request("The request body must be a map")
                .details(format!("It is {}", other.kind()))
                .into()),
        }
    }

    /// Reads the parameters of a request from its content type and its body; an empty body has
    /// none, whatever its type.
    ///
    /// # Errors
    /// 400 `unsupported-content-type` unless the type is Transit or JSON, or missing together
    /// with the body; else what [`ReadError::problem`](crate::ReadError::problem) and
    /// [`Body::read`] say.
    pub fn decode(kind: RequestKind, body: &[u8]) -> Result<Self, Problems> {
        match kind {
            RequestKind::Transit | RequestKind::Json | RequestKind::Missing if body.is_empty() => {
                Ok(Self::empty())
            }
            RequestKind::Transit => Self::read(read_transit(body)?),
            RequestKind::Json => Self::read(read_json(body)?),
            RequestKind::Form
            | RequestKind::Multipart
            | RequestKind::Missing
            | RequestKind::Other => Err(Problem::new(
                400,
                "unsupported-content-type",
                "The content type must be application/transit+json or application/json",
            )
            .into()),
        }
    }

    /// The parameters of a request without body: none.
    pub fn empty() -> Self {
        Self {
            entries: IndexMap::new(),
            path: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// A parameter that must be there and not `null`.
    pub fn required<T: FromValue>(&mut self, key: &'static str) -> Option<T> {
        match self.entries.shift_remove(key) {
            Some(value) => self.take(key, value),
            None => {
                self.place().inside(key, |at| at.missing());
                None
            }
        }
    }

    /// A parameter that may be left out but not be `null`.
    pub fn optional<T: FromValue>(&mut self, key: &'static str) -> Option<T> {
        let value = self.entries.shift_remove(key)?;
        self.take(key, value)
    }

    /// A parameter that may be left out or be `null`.
    pub fn nullable<T: FromValue>(&mut self, key: &'static str) -> Given<T> {
        match self.entries.shift_remove(key) {
            None => Given::Absent,
            Some(Value::Null) => Given::Null,
            Some(value) => self.take(key, value).map_or(Given::Absent, Given::Value),
        }
    }

    /// A parameter that must be a whole number within `range`.
    pub fn required_integer(
        &mut self,
        key: &'static str,
        range: std::ops::RangeInclusive<i64>,
    ) -> Option<i64> {
        let n = self.required(key)?;
        self.within(key, n, range)
    }

    /// A parameter that may be left out, else a whole number within `range`.
    pub fn optional_integer(
        &mut self,
        key: &'static str,
        range: std::ops::RangeInclusive<i64>,
    ) -> Option<i64> {
        let n = self.optional(key)?;
        self.within(key, n, range)
    }

    /// A map with parameters of its own, read by `read`; its unknown keys are reported too.
    /// Nothing when it is missing, which is reported, or no map.
    pub fn required_map<R>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Self) -> R,
    ) -> Option<R> {
        let value = self.required::<Value>(key)?;
        self.nested(vec![key.into()], value, read)
    }

    /// Like [`Body::required_map`], but it may be left out or be `null`.
    pub fn nullable_map<R>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Self) -> R,
    ) -> Given<R> {
        self.nullable::<Value>(key)
            .and_then(|value| self.nested(vec![key.into()], value, read))
    }

    /// An array of maps, each read by `read`; it may be left out or be `null`. Elements that are
    /// no map are reported and left out.
    pub fn nullable_maps<R>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Self) -> R,
    ) -> Given<Vec<R>> {
        self.nullable::<Vec<Value>>(key).map(|items| {
            let nested = items
                .into_iter()
                .enumerate()
                .filter_map(|(i, item)| self.nested(vec![key.into(), i.into()], item, &mut read));
            nested.collect()
        })
    }

    /// True while the key is there and was not asked for.
    pub fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Reports `validation-invalid-value` at a key, for rules that go beyond the type.
    pub fn invalid(&mut self, key: &'static str, why: impl Into<String>) {
        self.place().inside(key, |place| place.invalid(why));
    }

    /// Reports any other problem.
    pub fn refuse(&mut self, problem: Problem) {
        self.place().report(problem);
    }

    /// All problems, and every key nobody asked for as `validation-disallowed-key`.
    ///
    /// # Errors
    /// The problems, when there is at least one.
    pub fn finish(mut self) -> Result<(), Problems> {
        self.report_unknown();
        Problems::check(self.problems)
    }

    /// All problems; keys nobody asked for are ignored.
    ///
    /// # Errors
    /// The problems, when there is at least one.
    pub fn finish_ignoring_unknown(self) -> Result<(), Problems> {
        Problems::check(self.problems)
    }

    /// Takes the keys nobody asked for so far, for maps whose keys are known only elsewhere.
    pub fn rest(&mut self) -> IndexMap<String, Value> {
        std::mem::take(&mut self.entries)
    }

    fn take<T: FromValue>(&mut self, key: &'static str, value: Value) -> Option<T> {
        self.place().inside(key, |place| {
            if value == Value::Null {
                place.invalid("must not be null");
                return None;
            }
            T::from_value(value, place)
        })
    }

    fn within(
        &mut self,
        key: &'static str,
        n: i64,
        range: std::ops::RangeInclusive<i64>,
    ) -> Option<i64> {
        if range.contains(&n) {
            return Some(n);
        }
        self.invalid(
            key,
            format!("must lie between {} and {}", range.start(), range.end()),
        );
        None
    }

    fn nested<R>(
        &mut self,
        items: Vec<PathItem>,
        value: Value,
        read: impl FnOnce(&mut Self) -> R,
    ) -> Option<R> {
        let mut path = self.path.clone();
        path.extend(items);
        let Value::Map(entries) = value else {
            let why = format!("must be a map, not {}", value.kind());
            self.refuse(Problem::invalid_value(SourceKind::Body, path, why));
            return None;
        };
        // The problems move along, so that the limit on their number holds for all together.
        let problems = std::mem::take(&mut self.problems);
        let mut inner = Self {
            entries,
            path,
            problems,
        };
        let result = read(&mut inner);
        inner.report_unknown();
        self.problems = inner.problems;
        Some(result)
    }

    fn report_unknown(&mut self) {
        for (key, _) in self.rest() {
            self.place().inside(key, |at| at.disallowed());
        }
    }

    fn place(&mut self) -> Place<'_> {
        Place {
            kind: SourceKind::Body,
            path: &mut self.path,
            problems: &mut self.problems,
        }
    }
}

#[cfg(test)]
mod tests;
