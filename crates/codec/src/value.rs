//! The value of a request body, whatever format it came in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use indexmap::IndexMap;
use std::io::Write as _;
use stoa_types::money::MAX_SAFE_INTEGER;
use stoa_types::{LatLng, Money, Timestamp};
use uuid::Uuid;

use crate::lexer::is_json_number;
use crate::writer::{push_double, push_json_string};

/// One value of a Transit or JSON document.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`; JavaScript's `undefined` arrives as it too.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number without fraction or exponent in its spelling.
    Integer(i64),
    /// A number that a double spells the same way again. Always finite.
    Double(f64),
    /// A number, verbatim, whose spelling (`1.50`, `1e+21`, more than 64 bits) would be lost in
    /// [`Value::Integer`] or [`Value::Double`]. Finite as a double, and a number of JSON.
    Number(String),
    /// An exact decimal, verbatim: Transit `~f`. JSON has none.
    Decimal(String),
    /// A text.
    String(String),
    /// A Transit keyword without its colon, namespace included: `a/b`. JSON has none.
    Keyword(String),
    /// A tagged UUID. JSON has none; a text that holds a UUID stays a text.
    Uuid(Uuid),
    /// A tagged instant. JSON has none.
    Instant(Timestamp),
    /// Transit `mn`. JSON has none; a map `{amount, currency}` stays a map.
    Money(Money),
    /// Transit `geo`. JSON has none.
    LatLng(LatLng),
    /// Transit `~b`.
    Bytes(Vec<u8>),
    /// An array, set or list.
    Array(Vec<Value>),
    /// A map with the text of its keys (keywords without colon); of equal keys the last counts.
    Map(IndexMap<String, Value>),
}

impl Value {
    /// The plain JSON text of the value, as extended data is stored: keywords and UUIDs are
    /// strings, instants ISO strings, money `{"amount","currency"}`, places `{"lat","lng"}`,
    /// bytes base64, decimals numbers where JSON can spell them and strings where it cannot.
    /// Keys and numbers keep their spelling.
    pub fn to_json_text(&self) -> String {
        let mut out = Vec::with_capacity(128);
        self.push_json(&mut out);
        String::from_utf8(out).expect("JSON is written from strings and ASCII")
    }

    fn push_json(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Bool(true) => out.extend_from_slice(b"true"),
            Self::Bool(false) => out.extend_from_slice(b"false"),
            Self::Integer(n) => out.extend_from_slice(itoa::Buffer::new().format(*n).as_bytes()),
            Self::Double(x) => push_double(out, *x),
            Self::Number(text) => out.extend_from_slice(text.as_bytes()),
            Self::Decimal(text) if is_json_number(text) => out.extend_from_slice(text.as_bytes()),
            Self::Decimal(text) | Self::String(text) | Self::Keyword(text) => {
                push_json_string(out, text);
            }
            Self::Uuid(uuid) => write!(out, "\"{uuid}\"").expect("a Vec takes all bytes"),
            Self::Instant(at) => write!(out, "\"{at}\"").expect("a Vec takes all bytes"),
            Self::Money(money) => {
                write!(
                    out,
                    "{{\"amount\":{},\"currency\":\"{}\"}}",
                    money.amount, money.currency
                )
                .expect("a Vec takes all bytes");
            }
            Self::LatLng(place) => {
                out.extend_from_slice(b"{\"lat\":");
                push_double(out, place.lat);
                out.extend_from_slice(b",\"lng\":");
                push_double(out, place.lng);
                out.push(b'}');
            }
            Self::Bytes(bytes) => push_json_string(out, &STANDARD.encode(bytes)),
            Self::Array(items) => {
                out.push(b'[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    item.push_json(out);
                }
                out.push(b']');
            }
            Self::Map(entries) => {
                out.push(b'{');
                for (i, (key, value)) in entries.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    push_json_string(out, key);
                    out.push(b':');
                    value.push_json(out);
                }
                out.push(b'}');
            }
        }
    }

    /// The whole number that the value is: an integer, or a number without fractional part
    /// (`3.0`, `1e3`) that JavaScript holds exactly.
    pub fn as_integer(&self) -> Option<i64> {
        let x = match self {
            Self::Integer(n) => return Some(*n),
            Self::Double(x) => *x,
            Self::Number(text) | Self::Decimal(text) => text.parse().ok()?,
            _ => return None,
        };
        // The cast is exact: the range was checked.
        (x.fract() == 0.0 && x.abs() <= MAX_SAFE_INTEGER as f64).then_some(x as i64)
    }

    /// The finite number that the value is, whole or not.
    pub fn as_double(&self) -> Option<f64> {
        match self {
            Self::Integer(n) => Some(*n as f64),
            Self::Double(x) => Some(*x),
            Self::Number(text) | Self::Decimal(text) => {
                text.parse().ok().filter(|x: &f64| x.is_finite())
            }
            _ => None,
        }
    }

    /// What the value is, for messages to the developer of a client.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Integer(_) | Self::Double(_) | Self::Number(_) => "a number",
            Self::Decimal(_) => "a decimal",
            Self::String(_) => "a string",
            Self::Keyword(_) => "a keyword",
            Self::Uuid(_) => "a UUID",
            Self::Instant(_) => "an instant",
            Self::Money(_) => "money",
            Self::LatLng(_) => "a place",
            Self::Bytes(_) => "bytes",
            Self::Array(_) => "an array",
            Self::Map(_) => "a map",
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{read_json, read_transit};

    #[test]
    fn json_text_of_tagged_values_has_their_plain_forms() {
        let body = br#"["^ ","~:id","~u3c073fae-6172-4e75-8b92-f560d58cd47c","~:at","~t2026-01-02T03:04:05Z","~:price",["~#mn",[2500,"EUR"]],"~:place",["~#geo",[60.16,24]],"~:state","~:ns/open","~:share","~f-10.50","~:odd","~f.5","~:raw","~bAQI="]"#;
        assert_eq!(
            read_transit(body).unwrap().to_json_text(),
            r#"{"id":"3c073fae-6172-4e75-8b92-f560d58cd47c","at":"2026-01-02T03:04:05.000Z","price":{"amount":2500,"currency":"EUR"},"place":{"lat":60.16,"lng":24.0},"state":"ns/open","share":-10.50,"odd":".5","raw":"AQI="}"#
        );
    }

    #[test]
    fn plain_json_keeps_its_spelling() {
        let text = r#"{"b":[1.50,1e3,-0,0.1,12345678901234567890,1e+21],"":{},"a/b":"é\"\\\n\u0001","~x":null,"t":[true,false,[]]}"#;
        assert_eq!(read_json(text.as_bytes()).unwrap().to_json_text(), text);
    }
}
