//! The subset of EDN that process definitions are written in: values with their place in the text.
//!
//! Kept here rather than taken from a library because validation messages need row and column,
//! decimals must stay exact, maps must keep their order and a repeated key must be an error.

mod print;
mod read;

pub use print::print;
pub use read::{MAX_DEPTH, SyntaxError, read};

use rust_decimal::Decimal;
use std::fmt;

/// A place in a text; rows and columns count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Line, from 1.
    pub row: u32,
    /// Character within the line, from 1.
    pub col: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {}, column {}", self.row, self.col)
    }
}

/// A value and where its first character stands.
#[derive(Clone, Debug)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Its first character.
    pub at: Position,
}

/// Two nodes are equal when their values are; where they stand does not count.
impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl Eq for Node {}

/// An EDN value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `nil`
    Nil,
    /// `true`, `false`
    Bool(bool),
    /// A number, kept as written.
    Number(Number),
    /// `"text"`
    String(String),
    /// `:name` or `:namespace/name`
    Keyword(Keyword),
    /// `[a b]`
    Vector(Vec<Node>),
    /// `(a b)`
    List(Vec<Node>),
    /// `#{a b}`
    Set(Vec<Node>),
    /// `{k v}` in the order of the text; no key stands twice.
    Map(Vec<(Node, Node)>),
}

impl Value {
    /// What this is, as a message for people names it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::Keyword(_) => "a keyword",
            Self::Vector(_) => "a vector",
            Self::List(_) => "a list",
            Self::Set(_) => "a set",
            Self::Map(_) => "a map",
        }
    }

    /// The keyword's text without its colon, when this is a keyword.
    pub fn as_keyword(&self) -> Option<&str> {
        match self {
            Self::Keyword(keyword) => Some(keyword.as_str()),
            _ => None,
        }
    }
}

/// A keyword; the colon is not part of the text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Keyword(String);

impl Keyword {
    /// A keyword from its text without the colon, or nothing when the text is no keyword.
    pub fn new(text: &str) -> Option<Self> {
        let part = |part: &str| !part.is_empty() && part.chars().all(is_keyword_char);
        let valid = match text.split_once('/') {
            Some((namespace, name)) => part(namespace) && part(name),
            None => part(text),
        };
        valid.then(|| Self(text.to_owned()))
    }

    /// Namespace and name as written, `actor.role/customer`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Letters and digits of any script, and the signs that EDN allows inside a symbol.
fn is_keyword_char(c: char) -> bool {
    c.is_alphanumeric() || "-_?!.*+<>=&%$#'|".contains(c)
}

/// How a number was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberKind {
    /// `12`
    Integer,
    /// `12N`
    BigInteger,
    /// `1.5`, `1e3`
    Decimal,
    /// `1.5M`
    ExactDecimal,
}

/// A number as written, so that no digit is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number {
    text: String,
    kind: NumberKind,
}

impl Number {
    /// A number from its whole text with suffix, or nothing when the text is none.
    pub fn new(text: &str) -> Option<Self> {
        let (digits, kind) = match text.as_bytes().last()? {
            b'N' => (&text[..text.len() - 1], NumberKind::BigInteger),
            b'M' => (&text[..text.len() - 1], NumberKind::ExactDecimal),
            _ if text.contains(['.', 'e', 'E']) => (text, NumberKind::Decimal),
            _ => (text, NumberKind::Integer),
        };
        let whole_only = matches!(kind, NumberKind::Integer | NumberKind::BigInteger);
        is_number(digits, whole_only).then(|| Self {
            text: digits.to_owned(),
            kind,
        })
    }

    /// The value, or nothing when it has more than 28 digits.
    pub fn decimal(&self) -> Option<Decimal> {
        crate::decimal::parse(self.text.strip_prefix('+').unwrap_or(&self.text))
    }

    /// How it was written.
    pub const fn kind(&self) -> NumberKind {
        self.kind
    }
}

impl fmt::Display for Number {
    /// As written, with its suffix.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suffix = match self.kind {
            NumberKind::BigInteger => "N",
            NumberKind::ExactDecimal => "M",
            NumberKind::Integer | NumberKind::Decimal => "",
        };
        write!(f, "{}{suffix}", self.text)
    }
}

/// `[+-] digits [. digits] [e [+-] digits]`, without leading zeros.
fn is_number(text: &str, whole_only: bool) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let no_leading_zero = whole == "0" || !whole.starts_with('0');
    digits(whole)
        && no_leading_zero
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|e| digits(e.strip_prefix(['+', '-']).unwrap_or(e)))
        && !(whole_only && (fraction.is_some() || exponent.is_some()))
}
