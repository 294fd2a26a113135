//! Reads request bodies into values.
//!
//! Both readers are linear in the size of the body (which the caller has limited) and recurse at
//! most [`MAX_DEPTH`] times.

pub(crate) mod cache;
mod json;
mod transit;

pub use json::read_json;
pub use transit::read_transit;

use stoa_types::{PathItem, Problem, Problems, SourceKind};

use crate::lexer::Lexer;
use crate::value::Value;

/// Deepest nesting of brackets in a body; a Transit tag counts like the arrays it is written with.
pub const MAX_DEPTH: usize = 32;

/// Why a body cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The bytes are no UTF-8.
    #[error("the body is not UTF-8")]
    NotUtf8,
    /// No JSON at all: wrong or cut off.
    #[error("the body is not well-formed")]
    Malformed,
    /// A Transit cache code that stands for nothing yet.
    #[error("a cache code refers to nothing")]
    UnknownCacheCode,
    /// Cache codes blow the body up to many times its size.
    #[error("the body is too large when its cache codes are resolved")]
    TooLarge,
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("must not be nested deeper than 32 levels")]
    TooDeep,
    /// A string or key holds U+0000.
    #[error("must not contain the character U+0000")]
    NulCharacter,
    /// A string or key holds half of a surrogate pair, which is no character.
    #[error("must not contain half of a surrogate pair")]
    LoneSurrogate,
    /// A tag that is not part of the API, or a known one in a place where no tag can stand.
    #[error("is tagged with an unknown tag")]
    UnknownTag,
    /// NaN or an infinity.
    #[error("must be a finite number")]
    NotFinite,
    /// A number text that is none, or out of all ranges.
    #[error("must be a number")]
    NotANumber,
    /// A tagged UUID that is none.
    #[error("must be a UUID")]
    NotAUuid,
    /// A tagged instant that is none, or outside the years 1 to 9999.
    #[error("must be an instant")]
    NotAnInstant,
    /// A tagged amount of money that is none.
    #[error("must be an amount in minor units and a currency")]
    NotMoney,
    /// A tagged place that is none.
    #[error("must be a latitude and a longitude")]
    NotAPlace,
    /// Tagged bytes that are not base64.
    #[error("must be base64")]
    NotBase64,
    /// The content of a set, list or composite map is no array of the right form.
    #[error("the content does not fit its tag")]
    BadTagContent,
    /// A map key that is no text.
    #[error("keys must be strings or keywords")]
    KeyNotText,
}

impl Unreadable {
    /// True when the body as a whole is broken, false when one value in it is wrong.
    const fn breaks_the_body(self) -> bool {
        match self {
            Self::NotUtf8 | Self::Malformed | Self::UnknownCacheCode | Self::TooLarge => true,
            Self::TooDeep
            | Self::NulCharacter
            | Self::LoneSurrogate
            | Self::UnknownTag
            | Self::NotFinite
            | Self::NotANumber
            | Self::NotAUuid
            | Self::NotAnInstant
            | Self::NotMoney
            | Self::NotAPlace
            | Self::NotBase64
            | Self::BadTagContent
            | Self::KeyNotText => false,
        }
    }
}

/// A body that cannot be read, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why} (byte {offset})")]
pub struct ReadError {
    /// What is wrong.
    pub why: Unreadable,
    /// Keys and indexes from the top of the body to the value that is wrong.
    pub path: Vec<PathItem>,
    /// How many bytes were read when it was noticed.
    pub offset: usize,
}

impl ReadError {
    fn new(why: Unreadable, offset: usize) -> Self {
        Self {
            why,
            path: Vec::new(),
            offset,
        }
    }

    /// Called on the way out of the recursion, so the path grows from its end; see [`Self::done`].
    fn within(mut self, item: impl Into<PathItem>) -> Self {
        self.path.push(item.into());
        self
    }

    fn done(mut self) -> Self {
        self.path.reverse();
        self
    }

    /// What the client is told: 400 `bad-request` for a broken body, 400
    /// `validation-invalid-value` with the path for a wrong value in a sound one.
    pub fn problem(&self) -> Problem {
        if self.why.breaks_the_body() {
            Problem::bad_request("The request body cannot be read").details(self.to_string())
        } else {
            Problem::invalid_value(SourceKind::Body, self.path.clone(), self.why.to_string())
        }
    }
}

impl From<ReadError> for Problems {
    fn from(error: ReadError) -> Self {
        error.problem().into()
    }
}

/// The text of a body. A byte order mark is no white space of JSON, so it is refused later.
fn text_of(body: &[u8]) -> Result<&str, ReadError> {
    std::str::from_utf8(body).map_err(|e| ReadError::new(Unreadable::NotUtf8, e.valid_up_to()))
}

/// Reads what JSON and Transit share: `null`, booleans and numbers.
fn plain_scalar(lexer: &mut Lexer<'_>) -> Result<Value, Unreadable> {
    match lexer.peek() {
        Some(b'n') => lexer.literal("null").map(|()| Value::Null),
        Some(b't') => lexer.literal("true").map(|()| Value::Bool(true)),
        Some(b'f') => lexer.literal("false").map(|()| Value::Bool(false)),
        Some(_) => lexer.number().and_then(number),
        None => Err(Unreadable::Malformed),
    }
}

/// The value of a number, in the variant that keeps its spelling.
fn number(text: &str) -> Result<Value, Unreadable> {
    let integral = text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    if integral
        && text != "-0"
        && let Ok(n) = text.parse()
    {
        return Ok(Value::Integer(n));
    }
    let x: f64 = text.parse().map_err(|_| Unreadable::NotANumber)?;
    if !x.is_finite() {
        return Err(Unreadable::NotANumber);
    }
    if ryu::Buffer::new().format_finite(x) == text {
        Ok(Value::Double(x))
    } else {
        Ok(Value::Number(text.to_owned()))
    }
}
