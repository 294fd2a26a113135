//! The Transit reader: compact mode with cache codes and verbose mode, decided by content.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use indexmap::IndexMap;
use stoa_types::id::parse_uuid;
use stoa_types::money::MAX_SAFE_INTEGER;
use stoa_types::{Currency, LatLng, Money, Timestamp};

use super::cache::ReadCache;
use super::{MAX_DEPTH, ReadError, Unreadable, number, plain_scalar, text_of};
use crate::lexer::{Lexer, is_decimal};
use crate::value::Value;

/// Reads a Transit body in either mode; the modes may even be mixed.
///
/// # Errors
/// [`ReadError`] with the path when the body is no Transit, breaks a limit or holds a value that
/// the API does not know.
pub fn read_transit(body: &[u8]) -> Result<Value, ReadError> {
    let text = text_of(body)?;
    let mut reader = Reader {
        lexer: Lexer::new(text),
        cache: ReadCache::for_body_of(text.len()),
    };
    let value = reader.value(0).map_err(ReadError::done)?;
    reader.lexer.end().map_err(|why| reader.error(why))?;
    Ok(value)
}

struct Reader<'a> {
    lexer: Lexer<'a>,
    cache: ReadCache<'a>,
}

impl<'a> Reader<'a> {
    fn error(&self, why: Unreadable) -> ReadError {
        ReadError::new(why, self.lexer.pos())
    }

    /// The next string in its written form, cache codes resolved.
    fn string(&mut self, as_key: bool) -> Result<Cow<'a, str>, ReadError> {
        let string = self.lexer.string().map_err(|why| self.error(why))?;
        self.cache
            .resolve(string, as_key)
            .map_err(|why| self.error(why))
    }

    fn value(&mut self, depth: usize) -> Result<Value, ReadError> {
        match self.lexer.peek() {
            Some(b'{' | b'[') if depth == MAX_DEPTH => Err(self.error(Unreadable::TooDeep)),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => {
                let written = self.string(false)?;
                scalar(&written).map_err(|why| self.error(why))
            }
            _ => plain_scalar(&mut self.lexer).map_err(|why| self.error(why)),
        }
    }

    /// After `[`: a map (`"^ "` first), a tagged value (`"~#..."` first) or an array.
    fn array(&mut self, depth: usize) -> Result<Value, ReadError> {
        let mut items = Vec::new();
        self.lexer.expect(b'[').map_err(|why| self.error(why))?;
        if self.lexer.take(b']') {
            return Ok(Value::Array(items));
        }
        if self.lexer.peek() == Some(b'"') {
            let first = self.string(false).map_err(|e| e.within(0))?;
            if first == "^ " {
                return self.compact_map(depth);
            }
            if let Some(tag) = first.strip_prefix("~#") {
                self.lexer.expect(b',').map_err(|why| self.error(why))?;
                let value = self.tagged(tag, depth)?;
                self.lexer.expect(b']').map_err(|why| self.error(why))?;
                return Ok(value);
            }
            items.push(scalar(&first).map_err(|why| self.error(why).within(0))?);
            if !self.lexer.more(b']').map_err(|why| self.error(why))? {
                return Ok(Value::Array(items));
            }
        }
        loop {
            let item = self.value(depth + 1).map_err(|e| e.within(items.len()))?;
            items.push(item);
            if !self.lexer.more(b']').map_err(|why| self.error(why))? {
                return Ok(Value::Array(items));
            }
        }
    }

    /// After `["^ "`: keys and values in turn.
    fn compact_map(&mut self, depth: usize) -> Result<Value, ReadError> {
        let mut entries = IndexMap::new();
        while self.lexer.more(b']').map_err(|why| self.error(why))? {
            if matches!(self.lexer.peek(), Some(b'[' | b'{')) {
                return Err(self.error(Unreadable::KeyNotText));
            }
            let written = self.string(true)?;
            let key = key_text(&written).map_err(|why| self.error(why))?;
            self.lexer.expect(b',').map_err(|why| self.error(why))?;
            let value = self.value(depth + 1).map_err(|e| e.within(key.clone()))?;
            entries.insert(key, value);
        }
        Ok(Value::Map(entries))
    }

    /// After `{`: a map, or a tagged value when a tag is its only key.
    fn object(&mut self, depth: usize) -> Result<Value, ReadError> {
        let mut entries = IndexMap::new();
        self.lexer.expect(b'{').map_err(|why| self.error(why))?;
        if self.lexer.take(b'}') {
            return Ok(Value::Map(entries));
        }
        loop {
            let written = self.string(true)?;
            self.lexer.expect(b':').map_err(|why| self.error(why))?;
            if let Some(tag) = written.strip_prefix("~#")
                && entries.is_empty()
            {
                let value = self.tagged(tag, depth)?;
                self.lexer.expect(b'}').map_err(|why| self.error(why))?;
                return Ok(value);
            }
            let key = key_text(&written).map_err(|why| self.error(why))?;
            let value = self.value(depth + 1).map_err(|e| e.within(key.clone()))?;
            entries.insert(key, value);
            if !self.lexer.more(b'}').map_err(|why| self.error(why))? {
                return Ok(Value::Map(entries));
            }
        }
    }

    /// The value of a tag, whose content comes next.
    fn tagged(&mut self, tag: &str, depth: usize) -> Result<Value, ReadError> {
        let interpret: fn(Value) -> Result<Value, Unreadable> = match tag {
            "mn" => money,
            "geo" => place,
            "set" | "list" => collection,
            "cmap" => composite_map,
            "'" => quoted,
            _ => return Err(self.error(Unreadable::UnknownTag)),
        };
        let content = self.value(depth + 1)?;
        interpret(content).map_err(|why| self.error(why))
    }
}

/// The value of a string in value position.
fn scalar(written: &str) -> Result<Value, Unreadable> {
    let Some(rest) = written.strip_prefix('~') else {
        return Ok(Value::String(written.to_owned()));
    };
    let mut characters = rest.chars();
    let tag = characters.next().ok_or(Unreadable::UnknownTag)?;
    let content = characters.as_str();
    match tag {
        '~' | '^' | '`' => Ok(Value::String(rest.to_owned())),
        ':' => Ok(Value::Keyword(content.to_owned())),
        // A symbol, a URI, a character.
        '$' | 'r' | 'c' => Ok(Value::String(content.to_owned())),
        'u' => parse_uuid(content)
            .map(Value::Uuid)
            .map_err(|_| Unreadable::NotAUuid),
        't' => Timestamp::parse(content)
            .map(Value::Instant)
            .map_err(|_| Unreadable::NotAnInstant),
        'm' => content
            .parse()
            .ok()
            .and_then(|ms| Timestamp::checked_from_ms(ms).ok())
            .map(Value::Instant)
            .ok_or(Unreadable::NotAnInstant),
        'f' if is_decimal(content) => Ok(Value::Decimal(content.to_owned())),
        'd' if is_decimal(content) => match content.parse::<f64>() {
            Ok(x) if x.is_finite() => Ok(Value::Double(x)),
            _ => Err(Unreadable::NotANumber),
        },
        'i' | 'n' if is_digits(content) => number(content),
        'f' | 'd' | 'i' | 'n' => Err(Unreadable::NotANumber),
        'z' => Err(Unreadable::NotFinite),
        'b' => STANDARD
            .decode(content)
            .map(Value::Bytes)
            .map_err(|_| Unreadable::NotBase64),
        '_' if content.is_empty() => Ok(Value::Null),
        '?' if content == "t" => Ok(Value::Bool(true)),
        '?' if content == "f" => Ok(Value::Bool(false)),
        _ => Err(Unreadable::UnknownTag),
    }
}

/// True for a whole number in canonical decimal digits.
fn is_digits(text: &str) -> bool {
    crate::lexer::is_json_number(text) && text.bytes().all(|b| b == b'-' || b.is_ascii_digit())
}

/// The text of a map key: of keywords, strings and symbols their name, of other scalars what they
/// look like as text (JavaScript objects do the same).
fn key_text(written: &str) -> Result<String, Unreadable> {
    match scalar(written)? {
        Value::String(text) | Value::Keyword(text) | Value::Number(text) | Value::Decimal(text) => {
            Ok(text)
        }
        Value::Null => Ok("null".to_owned()),
        Value::Bool(truth) => Ok(truth.to_string()),
        Value::Integer(n) => Ok(n.to_string()),
        Value::Double(x) => Ok(x.to_string()),
        Value::Uuid(uuid) => Ok(uuid.to_string()),
        Value::Instant(at) => Ok(at.to_string()),
        Value::Money(_) | Value::LatLng(_) | Value::Bytes(_) | Value::Array(_) | Value::Map(_) => {
            Err(Unreadable::KeyNotText)
        }
    }
}

fn money(content: Value) -> Result<Value, Unreadable> {
    let Value::Array(items) = content else {
        return Err(Unreadable::NotMoney);
    };
    let [amount, Value::String(currency)] = items.as_slice() else {
        return Err(Unreadable::NotMoney);
    };
    let amount = amount.as_integer().ok_or(Unreadable::NotMoney)?;
    let currency = Currency::parse(currency).map_err(|_| Unreadable::NotMoney)?;
    if amount.unsigned_abs() > MAX_SAFE_INTEGER.unsigned_abs() {
        return Err(Unreadable::NotMoney);
    }
    Ok(Value::Money(Money::new(amount, currency)))
}

fn place(content: Value) -> Result<Value, Unreadable> {
    let Value::Array(items) = content else {
        return Err(Unreadable::NotAPlace);
    };
    let [lat, lng] = items.as_slice() else {
        return Err(Unreadable::NotAPlace);
    };
    let (lat, lng) = lat
        .as_double()
        .zip(lng.as_double())
        .ok_or(Unreadable::NotAPlace)?;
    LatLng::checked(lat, lng)
        .map(Value::LatLng)
        .ok_or(Unreadable::NotAPlace)
}

fn collection(content: Value) -> Result<Value, Unreadable> {
    match content {
        Value::Array(_) => Ok(content),
        _ => Err(Unreadable::BadTagContent),
    }
}

/// A map that its writer thought had composite keys; a map all the same when it has none.
fn composite_map(content: Value) -> Result<Value, Unreadable> {
    let Value::Array(items) = content else {
        return Err(Unreadable::BadTagContent);
    };
    if items.len() % 2 != 0 {
        return Err(Unreadable::BadTagContent);
    }
    let mut entries = IndexMap::with_capacity(items.len() / 2);
    let mut items = items.into_iter();
    while let (Some(key), Some(value)) = (items.next(), items.next()) {
        let (Value::String(key) | Value::Keyword(key)) = key else {
            return Err(Unreadable::KeyNotText);
        };
        entries.insert(key, value);
    }
    Ok(Value::Map(entries))
}

/// A scalar at the top of a document.
fn quoted(content: Value) -> Result<Value, Unreadable> {
    match content {
        Value::Array(_) | Value::Map(_) => Err(Unreadable::BadTagContent),
        scalar => Ok(scalar),
    }
}
