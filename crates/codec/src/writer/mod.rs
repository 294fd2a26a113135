//! Writes responses straight into a byte buffer, in all formats through one set of calls.

mod codes;
mod fields;
mod stored;
mod text;

pub(crate) use text::{push_double, push_json_string};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::io::Write as _;
use stoa_types::{LatLng, Money, Timestamp};

use self::codes::{Code, KeyCodes, push_code};
use self::text::push_escaped;
use crate::format::Format;
use crate::lexer::is_json_number;
use crate::value::Value;

/// A JSON text that a store handed out is no JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a stored JSON text is damaged")]
pub struct DamagedJson;

/// Writes one document.
///
/// Brackets, commas and Transit's key codes come by themselves; calls that make no document (a
/// value without key in a map, a bracket that does not close) panic in builds with debug
/// assertions. In Transit's compact mode every repeated key, keyword and tag of more than three
/// characters is written as its cache code.
///
/// ```
/// use stoa_codec::{Format, Writer};
///
/// let mut w = Writer::new(Format::Transit);
/// w.map().key_map("data");
/// w.key_uuid("id", "3c073fae-6172-4e75-8b92-f560d58cd47c").key_keyword("type", "listing");
/// w.key_map("attributes").key_string("title", "Bike").key_json("publicData", r#"{"gears":3}"#);
/// w.end_map().end_map().end_map();
/// assert_eq!(
///     w.finish().unwrap(),
///     br#"["^ ","~:data",["^ ","~:id","~u3c073fae-6172-4e75-8b92-f560d58cd47c","~:type","~:listing","~:attributes",["^ ","~:title","Bike","~:publicData",["^ ","~:gears",3]]]]"#
/// );
/// ```
pub struct Writer {
    out: Vec<u8>,
    format: Format,
    /// A comma is due before the next item.
    comma: bool,
    damaged: bool,
    codes: KeyCodes,
    /// What is open, to find misuse.
    #[cfg(debug_assertions)]
    open: Vec<Open>,
}

#[cfg(debug_assertions)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    MapAwaitingKey,
    MapAwaitingValue,
    Array,
}

impl Writer {
    /// An empty document.
    pub fn new(format: Format) -> Self {
        Self::with_capacity(format, 1024)
    }

    /// An empty document with room for `bytes`.
    pub fn with_capacity(format: Format, bytes: usize) -> Self {
        Self {
            out: Vec::with_capacity(bytes),
            format,
            comma: false,
            damaged: false,
            codes: KeyCodes::default(),
            #[cfg(debug_assertions)]
            open: Vec::new(),
        }
    }

    /// The format that is written.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The bytes of the document.
    ///
    /// # Errors
    /// [`DamagedJson`] when a text given to [`Writer::json`] was no JSON.
    pub fn finish(self) -> Result<Vec<u8>, DamagedJson> {
        #[cfg(debug_assertions)]
        assert!(
            self.open.is_empty() && self.comma,
            "the document is not complete"
        );
        if self.damaged {
            Err(DamagedJson)
        } else {
            Ok(self.out)
        }
    }

    /// Opens a map.
    pub fn map(&mut self) -> &mut Self {
        self.item();
        #[cfg(debug_assertions)]
        self.open.push(Open::MapAwaitingKey);
        if self.format == Format::Transit {
            self.out.extend_from_slice(b"[\"^ \"");
        } else {
            self.out.push(b'{');
            self.comma = false;
        }
        self
    }

    /// Closes the map opened last.
    pub fn end_map(&mut self) -> &mut Self {
        #[cfg(debug_assertions)]
        assert_eq!(
            self.open.pop(),
            Some(Open::MapAwaitingKey),
            "no map to close here"
        );
        self.out.push(if self.format == Format::Transit {
            b']'
        } else {
            b'}'
        });
        self.comma = true;
        self
    }

    /// Opens an array.
    pub fn array(&mut self) -> &mut Self {
        self.item();
        #[cfg(debug_assertions)]
        self.open.push(Open::Array);
        self.out.push(b'[');
        self.comma = false;
        self
    }

    /// Closes the array opened last.
    pub fn end_array(&mut self) -> &mut Self {
        #[cfg(debug_assertions)]
        assert_eq!(self.open.pop(), Some(Open::Array), "no array to close here");
        self.out.push(b']');
        self.comma = true;
        self
    }

    /// Writes a map key; its value comes next. In Transit every key is a keyword, also those
    /// that users chose: `~x` is `~:~x`.
    pub fn key(&mut self, key: &str) -> &mut Self {
        #[cfg(debug_assertions)]
        {
            let last = self.open.last_mut().expect("a key stands in a map");
            assert_eq!(*last, Open::MapAwaitingKey, "no key fits here");
            *last = Open::MapAwaitingValue;
        }
        if self.comma {
            self.out.push(b',');
        }
        self.comma = self.format == Format::Transit;
        match self.format {
            Format::Json => push_json_string(&mut self.out, key),
            Format::Transit | Format::TransitVerbose => self.push_coded(b':', key),
        }
        if self.format != Format::Transit {
            self.out.push(b':');
        }
        self
    }

    /// Writes a text.
    pub fn string(&mut self, text: &str) -> &mut Self {
        self.item();
        self.out.push(b'"');
        if self.is_transit() && matches!(text.as_bytes(), [b'~' | b'^' | b'`', ..]) {
            self.out.push(b'~');
        }
        push_escaped(&mut self.out, text);
        self.out.push(b'"');
        self
    }

    /// Writes a name such as a resource type: a keyword in Transit, a text in JSON.
    pub fn keyword(&mut self, name: &str) -> &mut Self {
        self.item();
        if self.is_transit() {
            self.push_coded(b':', name);
        } else {
            push_json_string(&mut self.out, name);
        }
        self
    }

    /// Writes a UUID given in its canonical form.
    pub fn uuid(&mut self, uuid: &str) -> &mut Self {
        self.item();
        self.push_prefixed(b"~u", uuid);
        self
    }

    /// Writes an instant with milliseconds and `Z`, in every format.
    pub fn instant(&mut self, at: Timestamp) -> &mut Self {
        self.item();
        self.out
            .extend_from_slice(if self.is_transit() { b"\"~t" } else { b"\"" });
        write!(self.out, "{at}\"").expect("a Vec takes all bytes");
        self
    }

    /// Writes a whole number; clients hold up to 2^53 - 1 exactly.
    pub fn integer(&mut self, n: i64) -> &mut Self {
        self.item();
        self.push_integer(n);
        self
    }

    /// Writes a finite number.
    pub fn double(&mut self, x: f64) -> &mut Self {
        self.item();
        push_double(&mut self.out, x);
        self
    }

    /// Writes an exact decimal, verbatim in Transit; in JSON a number where JSON can spell it.
    pub fn decimal(&mut self, decimal: &str) -> &mut Self {
        self.item();
        if self.is_transit() || !is_json_number(decimal) {
            self.push_prefixed(b"~f", decimal);
        } else {
            self.out.extend_from_slice(decimal.as_bytes());
        }
        self
    }

    /// Writes `true` or `false`.
    pub fn boolean(&mut self, truth: bool) -> &mut Self {
        self.item();
        self.out
            .extend_from_slice(if truth { b"true" } else { b"false" });
        self
    }

    /// Writes `null`.
    pub fn null(&mut self) -> &mut Self {
        self.item();
        self.out.extend_from_slice(b"null");
        self
    }

    /// Writes money: the tag `mn` in Transit, `{amount, currency}` in JSON.
    pub fn money(&mut self, money: Money) -> &mut Self {
        self.item();
        let close = self.open_tag("mn", b"{\"amount\":");
        self.push_integer(money.amount);
        self.out.extend_from_slice(if self.is_transit() {
            b","
        } else {
            b",\"currency\":"
        });
        push_json_string(&mut self.out, money.currency.as_str());
        self.out.extend_from_slice(close);
        self
    }

    /// Writes a place: the tag `geo` in Transit, `{lat, lng}` in JSON.
    pub fn lat_lng(&mut self, place: LatLng) -> &mut Self {
        self.item();
        let close = self.open_tag("geo", b"{\"lat\":");
        push_double(&mut self.out, place.lat);
        self.out.extend_from_slice(if self.is_transit() {
            b","
        } else {
            b",\"lng\":"
        });
        push_double(&mut self.out, place.lng);
        self.out.extend_from_slice(close);
        self
    }

    /// Writes bytes as base64.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.item();
        self.push_prefixed(b"~b", &STANDARD.encode(bytes));
        self
    }

    /// Writes a value that was read, or made up.
    pub fn value(&mut self, value: &Value) -> &mut Self {
        match value {
            Value::Null => self.null(),
            Value::Bool(truth) => self.boolean(*truth),
            Value::Integer(n) => self.integer(*n),
            Value::Double(x) => self.double(*x),
            Value::Number(number) => self.spelled_number(number),
            Value::Decimal(decimal) => self.decimal(decimal),
            Value::String(text) => self.string(text),
            Value::Keyword(name) => self.keyword(name),
            Value::Uuid(uuid) => self.uuid(
                uuid.hyphenated()
                    .encode_lower(&mut uuid::Uuid::encode_buffer()),
            ),
            Value::Instant(at) => self.instant(*at),
            Value::Money(money) => self.money(*money),
            Value::LatLng(place) => self.lat_lng(*place),
            Value::Bytes(bytes) => self.bytes(bytes),
            Value::Array(items) => {
                self.array();
                for item in items {
                    self.value(item);
                }
                self.end_array()
            }
            Value::Map(entries) => {
                self.map();
                for (key, value) in entries {
                    self.key(key).value(value);
                }
                self.end_map()
            }
        }
    }

    /// A number that is spelled as JSON spells numbers.
    fn spelled_number(&mut self, number: &str) -> &mut Self {
        debug_assert!(is_json_number(number), "{number} is no number of JSON");
        self.item();
        self.out.extend_from_slice(number.as_bytes());
        self
    }

    fn is_transit(&self) -> bool {
        self.format != Format::Json
    }

    /// Before each value: its comma, and whether it may stand here.
    fn item(&mut self) {
        #[cfg(debug_assertions)]
        match self.open.last_mut() {
            Some(map @ Open::MapAwaitingValue) => *map = Open::MapAwaitingKey,
            Some(Open::Array) => {}
            Some(Open::MapAwaitingKey) => panic!("a value in a map needs a key"),
            None => assert!(self.out.is_empty(), "a document has one value at its top"),
        }
        if self.comma {
            self.out.push(b',');
        }
        self.comma = true;
    }

    /// A string of two fixed characters (in Transit only) and a text.
    fn push_prefixed(&mut self, prefix: &[u8; 2], text: &str) {
        self.out.push(b'"');
        if self.is_transit() {
            self.out.extend_from_slice(prefix);
        }
        push_escaped(&mut self.out, text);
        self.out.push(b'"');
    }

    /// A keyword (`:`) or tag (`#`), in compact mode its code where it has one.
    fn push_coded(&mut self, kind: u8, name: &str) {
        self.out.push(b'"');
        let code = match self.format {
            Format::Transit => self.codes.code(kind, name),
            Format::TransitVerbose | Format::Json => Code::InFull,
        };
        match code {
            Code::Index(index) => push_code(&mut self.out, index),
            Code::InFull => {
                self.out.extend_from_slice(&[b'~', kind]);
                push_escaped(&mut self.out, name);
            }
        }
        self.out.push(b'"');
    }

    /// Opens a tagged pair, in JSON with `json_open`; gives what closes it.
    fn open_tag(&mut self, tag: &str, json_open: &[u8]) -> &'static [u8] {
        match self.format {
            Format::Transit => {
                self.out.push(b'[');
                self.push_coded(b'#', tag);
                self.out.extend_from_slice(b",[");
                b"]]"
            }
            Format::TransitVerbose => {
                self.out.push(b'{');
                self.push_coded(b'#', tag);
                self.out.extend_from_slice(b":[");
                b"]}"
            }
            Format::Json => {
                self.out.extend_from_slice(json_open);
                b"}"
            }
        }
    }

    fn push_integer(&mut self, n: i64) {
        self.out
            .extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
    }
}

#[cfg(test)]
mod tests;
