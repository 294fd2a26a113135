//! The types of query parameters.

use stoa_types::id::parse_uuid;
use stoa_types::{LatLng, Timestamp};
use uuid::Uuid;

use super::Place;

/// A type that a query parameter can have.
pub trait FromText: Sized {
    /// Reads the decoded text, or reports at `place` why it cannot and gives nothing.
    fn from_text(text: &str, place: &mut Place<'_>) -> Option<Self>;
}

/// A box on the globe. It crosses the date line when `sw.lng` is greater than `ne.lng`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LatLngBounds {
    /// The north-eastern corner.
    pub ne: LatLng,
    /// The south-western corner.
    pub sw: LatLng,
}

fn or_invalid<T>(value: Option<T>, why: &str, place: &mut Place<'_>) -> Option<T> {
    if value.is_none() {
        place.invalid(why);
    }
    value
}

impl FromText for String {
    fn from_text(text: &str, _: &mut Place<'_>) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl FromText for bool {
    fn from_text(text: &str, place: &mut Place<'_>) -> Option<Self> {
        let truth = match text {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        };
        or_invalid(truth, "must be true or false", place)
    }
}

/// Decimal digits with an optional minus.
impl FromText for i64 {
    fn from_text(text: &str, place: &mut Place<'_>) -> Option<Self> {
        let n = if text.starts_with('+') {
            None
        } else {
            text.parse().ok()
        };
        or_invalid(n, "must be a whole number", place)
    }
}

impl FromText for Uuid {
    fn from_text(text: &str, place: &mut Place<'_>) -> Option<Self> {
        or_invalid(parse_uuid(text).ok(), "must be a UUID", place)
    }
}

/// ISO 8601 with an offset or `Z`, or a plain date, which is its midnight in UTC.
impl FromText for Timestamp {
    fn from_text(text: &str, place: &mut Place<'_>) -> Option<Self> {
        or_invalid(
            Self::parse(text).ok(),
            "must be an ISO 8601 instant or date",
            place,
        )
    }
}

/// `lat,lng`.
impl FromText for LatLng {
    fn from_text(text: &str, place: &mut Place<'_>) -> Option<Self> {
        let found = match degrees(text).as_deref() {
            Some([lat, lng]) => Self::checked(*lat, *lng),
            _ => None,
        };
        or_invalid(
            found,
            "must be a latitude and a longitude in degrees",
            place,
        )
    }
}

/// `ne.lat,ne.lng,sw.lat,sw.lng`.
impl FromText for LatLngBounds {
    fn from_text(text: &str, place: &mut Place<'_>) -> Option<Self> {
        let found = match degrees(text).as_deref() {
            Some([n, e, s, w]) => LatLng::checked(*n, *e).zip(LatLng::checked(*s, *w)),
            _ => None,
        };
        let found = found.map(|(ne, sw)| Self { ne, sw });
        or_invalid(
            found,
            "must be the north-eastern and the south-western corner",
            place,
        )
    }
}

/// Numbers between commas; nothing when one is none. Only plain spellings: the standard library
/// would also take `inf` and `nan`.
fn degrees(text: &str) -> Option<Vec<f64>> {
    let number = |part: &str| -> Option<f64> {
        if crate::lexer::is_decimal(part) {
            part.parse().ok()
        } else {
            None
        }
    };
    text.split(',').map(number).collect()
}

/// Items between commas, which no item can contain. Empty items are left out, so an empty text
/// is an empty list; every wrong item is reported once, at the parameter.
impl<T: FromText> FromText for Vec<T> {
    fn from_text(text: &str, place: &mut Place<'_>) -> Option<Self> {
        text.split(',')
            .filter(|item| !item.is_empty())
            .map(|item| T::from_text(item, place))
            .collect()
    }
}
