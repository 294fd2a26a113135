//! The types of body parameters. Clients write most of them in more than one way.

use indexmap::IndexMap;
use stoa_types::id::parse_uuid;
use stoa_types::money::MAX_SAFE_INTEGER;
use stoa_types::{Currency, ExtendedData, LatLng, Money, Timestamp};
use uuid::Uuid;

use super::Place;
use crate::lexer::is_decimal;
use crate::value::Value;

/// A type that a body parameter can have.
pub trait FromValue: Sized {
    /// Takes the value, or reports at `place` why it cannot and gives nothing.
    fn from_value(value: Value, place: &mut Place<'_>) -> Option<Self>;
}

/// The name of something from a fixed or known set, such as a transition: a text or a keyword,
/// because JavaScript knows no keywords.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(pub String);

/// An exact decimal as the client spelled it: a tagged decimal, a number or a numeric text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecimalText(pub String);

/// Reports that the value is not what was expected.
fn expected<T>(what: &str, found: &Value, place: &mut Place<'_>) -> Option<T> {
    place.invalid(format!("must be {what}, not {}", found.kind()));
    None
}

/// Reports that a value of the right kind is still wrong.
fn refuse<T>(why: &str, place: &mut Place<'_>) -> Option<T> {
    place.invalid(why);
    None
}

impl FromValue for Value {
    fn from_value(value: Value, _: &mut Place<'_>) -> Option<Self> {
        Some(value)
    }
}

impl FromValue for String {
    fn from_value(value: Value, place: &mut Place<'_>) -> Option<Self> {
        match value {
            Value::String(text) => Some(text),
            other => expected("a string", &other, place),
        }
    }
}

impl FromValue for Name {
    fn from_value(value: Value, place: &mut Place<'_>) -> Option<Self> {
        match value {
            Value::String(text) | Value::Keyword(text) => Some(Self(text)),
            other => expected("a string or keyword", &other, place),
        }
    }
}

impl FromValue for bool {
    fn from_value(value: Value, place: &mut Place<'_>) -> Option<Self> {
        match value {
            Value::Bool(truth) => Some(truth),
            other => expected("true or false", &other, place),
        }
    }
}

/// `3.0` and `1e3` are whole numbers: JavaScript does not tell them from `3` and `1000`.
impl FromValue for i64 {
    fn from_value(value: Value, place: &mut Place<'_>) -> Option<Self> {
        value
            .as_integer()
            .or_else(|| expected("a whole number", &value, place))
    }
}

impl FromValue for f64 {
    fn from_value(value: Value, place: &mut Place<'_>) -> Option<Self> {
        value
            .as_double()
            .or_else(|| expected("a number", &value, place))
    }
}

impl FromValue for DecimalText {
    fn from_value(value: Value, place: &mut Place<'_>) -> Option<Self> {
        match value {
            Value::Decimal(text) | Value::Number(text) => Some(Self(text)),
            Value::String(text) if is_decimal(&text) => Some(Self(text)),
            Value::Integer(n) => Some(Self(n.to_string())),
            Value::Double(x) => Some(Self(x.to_string())),
            other => expected("a decimal number", &other, place),
        }
    }
}

impl FromValue for Uuid {
    fn from_value(value: Value, place: &mut Place<'_>) -> Option<Self> {
        match &value {
            Value::Uuid(uuid) => Some(*uuid),
            Value::String(text) => parse_uuid(text)
                .ok()
                .or_else(|| refuse("must be a UUID", place)),
            other => expected("a UUID", other, place),
        }
    }
}

impl FromValue for Timestamp {
    fn from_value(value: Value, place: &mut Place<'_>) -> Option<Self> {
        match &value {
            Value::Instant(at) => Some(*at),
            Value::String(text) => Self::parse(text)
                .ok()
                .or_else(|| refuse("must be an ISO 8601 instant", place)),
            other => expected("an instant", other, place),
        }
    }
}

/// Takes the two values of a pair that a client wrote as a plain map. `_sdkType` is what the
/// SDKs add when they serialise their own types as JSON.
fn pair<A: FromValue, B: FromValue>(
    mut map: IndexMap<String, Value>,
    keys: [&'static str; 2],
    place: &mut Place<'_>,
) -> Option<(A, B)> {
    fn member<T: FromValue>(
        map: &mut IndexMap<String, Value>,
        key: &'static str,
        place: &mut Place<'_>,
    ) -> Option<T> {
        let value = map.swap_remove(key);
        place.inside(key, |place| match value {
            Some(value) => T::from_value(value, place),
            None => {
                place.missing();
                None
            }
        })
    }
    let first = member(&mut map, keys[0], place);
    let second = member(&mut map, keys[1], place);
    map.swap_remove("_sdkType");
    let only_known = map.is_empty();
    for (key, _) in map {
        place.inside(key, |at| at.disallowed());
    }
    first.zip(second).filter(|_| only_known)
}

impl FromValue for Money {
    fn from_value(value: Value, place: &mut Place<'_>) -> Option<Self> {
        let map = match value {
            Value::Money(money) => return Some(money),
            Value::Map(map) => map,
            other => return expected("money", &other, place),
        };
        let (amount, currency): (i64, String) = pair(map, ["amount", "currency"], place)?;
        let Ok(currency) = Currency::parse(&currency) else {
            return place.inside("currency", |at| refuse("must be an ISO 4217 code", at));
        };
        if amount.unsigned_abs() > MAX_SAFE_INTEGER.unsigned_abs() {
            return place.inside("amount", |at| refuse("must be within 2^53 - 1", at));
        }
        Some(Self::new(amount, currency))
    }
}

impl FromValue for LatLng {
    fn from_value(value: Value, place: &mut Place<'_>) -> Option<Self> {
        let map = match value {
            Value::LatLng(found) => return Some(found),
            Value::Map(map) => map,
            other => return expected("a place", &other, place),
        };
        let (lat, lng) = pair(map, ["lat", "lng"], place)?;
        Self::checked(lat, lng)
            .or_else(|| refuse("must be a latitude and a longitude in degrees", place))
    }
}

/// An object of JSON; its size, depth and characters are checked here.
impl FromValue for ExtendedData {
    fn from_value(value: Value, place: &mut Place<'_>) -> Option<Self> {
        if !matches!(value, Value::Map(_)) {
            return expected("an object", &value, place);
        }
        match Self::parse(&value.to_json_text()) {
            Ok(data) => Some(data),
            Err(why) => refuse(&why.to_string(), place),
        }
    }
}

/// An array, set or list; every wrong element is reported with its index.
impl<T: FromValue> FromValue for Vec<T> {
    fn from_value(value: Value, place: &mut Place<'_>) -> Option<Self> {
        let Value::Array(items) = value else {
            return expected("an array", &value, place);
        };
        let count = items.len();
        let read: Self = items
            .into_iter()
            .enumerate()
            .filter_map(|(i, item)| place.inside(i, |place| T::from_value(item, place)))
            .collect();
        (read.len() == count).then_some(read)
    }
}
