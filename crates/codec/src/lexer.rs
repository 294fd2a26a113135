//! The tokens of JSON text (RFC 8259), strict and without a tree.
//!
//! Why not `serde_json`: the spelling of numbers must survive, errors carry a path, depth and
//! U+0000 have errors of their own, and stored JSON is re-encoded token by token. Tests compare
//! this lexer with `serde_json`.

use std::borrow::Cow;

use crate::read::Unreadable;

/// Walks over JSON text.
pub(crate) struct Lexer<'a> {
    text: &'a str,
    pos: usize,
}

impl<'a> Lexer<'a> {
    pub(crate) const fn new(text: &'a str) -> Self {
        Self { text, pos: 0 }
    }

    /// Bytes read so far.
    pub(crate) const fn pos(&self) -> usize {
        self.pos
    }

    /// The next byte that is not white space, without taking it.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.pos) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(*byte);
            }
            self.pos += 1;
        }
        None
    }

    /// Takes the next byte if it is `expected`.
    pub(crate) fn take(&mut self, expected: u8) -> bool {
        let found = self.peek() == Some(expected);
        if found {
            self.pos += 1;
        }
        found
    }

    /// Takes `expected` or fails.
    pub(crate) fn expect(&mut self, expected: u8) -> Result<(), Unreadable> {
        if self.take(expected) {
            Ok(())
        } else {
            Err(Unreadable::Malformed)
        }
    }

    /// After an item: true when another follows (its comma is taken), false when `close` ended
    /// the collection.
    pub(crate) fn more(&mut self, close: u8) -> Result<bool, Unreadable> {
        if self.take(b',') {
            return Ok(true);
        }
        self.expect(close).map(|()| false)
    }

    /// Takes `true`, `false` or `null`.
    pub(crate) fn literal(&mut self, word: &str) -> Result<(), Unreadable> {
        if self.text[self.pos..].starts_with(word) {
            self.pos += word.len();
            Ok(())
        } else {
            Err(Unreadable::Malformed)
        }
    }

    /// Takes a number and gives its spelling.
    pub(crate) fn number(&mut self) -> Result<&'a str, Unreadable> {
        let rest = &self.text[self.pos..];
        let len = number_len(rest.as_bytes()).ok_or(Unreadable::Malformed)?;
        self.pos += len;
        Ok(&rest[..len])
    }

    /// Takes a string and gives its text.
    pub(crate) fn string(&mut self) -> Result<Cow<'a, str>, Unreadable> {
        let (raw, escaped) = self.raw_string()?;
        if escaped {
            unescape(raw).map(Cow::Owned)
        } else {
            Ok(Cow::Borrowed(raw))
        }
    }

    /// Takes a string and gives what stands between its quotes, and whether escapes are in it.
    /// Escapes are not checked yet; [`unescape`] does that.
    pub(crate) fn raw_string(&mut self) -> Result<(&'a str, bool), Unreadable> {
        self.expect(b'"')?;
        let bytes = self.text.as_bytes();
        let start = self.pos;
        let mut escaped = false;
        loop {
            match bytes.get(self.pos) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.pos += 2;
                }
                Some(0) => return Err(Unreadable::NulCharacter),
                Some(..b' ') | None => return Err(Unreadable::Malformed),
                Some(_) => self.pos += 1,
            }
        }
        // A backslash before a character of several bytes leaves `pos` inside of it only until
        // the next round, and the slice ends at a quote: both ends are character boundaries.
        let raw = &self.text[start..self.pos];
        self.pos += 1;
        Ok((raw, escaped))
    }

    /// Fails unless only white space is left.
    pub(crate) fn end(&mut self) -> Result<(), Unreadable> {
        if self.peek().is_none() {
            Ok(())
        } else {
            Err(Unreadable::Malformed)
        }
    }
}

/// The text of a JSON string from what stands between its quotes.
pub(crate) fn unescape(raw: &str) -> Result<String, Unreadable> {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        text.push_str(&rest[..at]);
        let escape = *rest.as_bytes().get(at + 1).ok_or(Unreadable::Malformed)?;
        let mut used = at + 2;
        text.push(match escape {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let (character, len) = unicode_escape(&rest.as_bytes()[at..])?;
                used = at + len;
                character
            }
            _ => return Err(Unreadable::Malformed),
        });
        rest = &rest[used..];
    }
    text.push_str(rest);
    Ok(text)
}

/// The character of `\uXXXX` or of a surrogate pair at the start of `bytes`, and its length.
fn unicode_escape(bytes: &[u8]) -> Result<(char, usize), Unreadable> {
    let first = hex4(bytes).ok_or(Unreadable::Malformed)?;
    match first {
        0 => Err(Unreadable::NulCharacter),
        0xD800..=0xDBFF => match bytes.get(6..).and_then(hex4) {
            Some(second @ 0xDC00..=0xDFFF) => {
                let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                Ok((char::from_u32(code).ok_or(Unreadable::LoneSurrogate)?, 12))
            }
            _ => Err(Unreadable::LoneSurrogate),
        },
        _ => Ok((char::from_u32(first).ok_or(Unreadable::LoneSurrogate)?, 6)),
    }
}

/// The number in `\uXXXX`.
fn hex4(bytes: &[u8]) -> Option<u32> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0, |sum, digit| {
        Some(sum * 16 + (*digit as char).to_digit(16)?)
    })
}

/// How many bytes at the start are a JSON number; nothing when none is.
fn number_len(bytes: &[u8]) -> Option<usize> {
    let digits = |from: usize| {
        bytes[from..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count()
    };
    let mut len = usize::from(bytes.first() == Some(&b'-'));
    len += match bytes.get(len)? {
        b'0' => 1,
        b'1'..=b'9' => digits(len),
        _ => return None,
    };
    if bytes.get(len) == Some(&b'.') {
        let fraction = digits(len + 1);
        if fraction == 0 {
            return None;
        }
        len += 1 + fraction;
    }
    if matches!(bytes.get(len), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(len + 1), Some(b'+' | b'-')));
        let exponent = digits(len + 1 + sign);
        if exponent == 0 {
            return None;
        }
        len += 1 + sign + exponent;
    }
    Some(len)
}

/// True when the whole text is a number as JSON spells it.
pub(crate) fn is_json_number(text: &str) -> bool {
    number_len(text.as_bytes()) == Some(text.len())
}

/// True when the whole text is a decimal as the clients' BigDecimal spells it: JSON's numbers and
/// also `+1`, `.5`, `1.` and leading zeros.
pub(crate) fn is_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_fits = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !digits.is_empty() && all_digits(digits)
    });
    (!whole.is_empty() || !fraction.is_empty())
        && all_digits(whole)
        && all_digits(fraction)
        && exponent_fits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_json() {
        for good in ["0", "-0", "10", "1.5", "-1.50", "1e3", "1E+3", "2.5e-10"] {
            assert!(is_json_number(good), "{good}");
            assert!(is_decimal(good), "{good}");
        }
        for bad in [
            "", "-", "01", "+1", ".5", "1.", "1e", "1e+", "NaN", "1 ", "0x1",
        ] {
            assert!(!is_json_number(bad), "{bad}");
        }
        for decimal in ["+1", ".5", "1.", "007"] {
            assert!(is_decimal(decimal), "{decimal}");
        }
        for bad in [
            "", "-", ".", "e3", "1e", "1,5", "--1", "NaN", "Infinity", "1.2.3", " 1",
        ] {
            assert!(!is_decimal(bad), "{bad}");
        }
    }

    #[test]
    fn escapes_are_undone_and_checked() {
        assert_eq!(
            unescape(r#"a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"#).unwrap(),
            "a\"\\/\u{8}\u{c}\n\r\té😀"
        );
        for (raw, why) in [
            (r"\x", Unreadable::Malformed),
            (r"\u12", Unreadable::Malformed),
            (r"\u12g4", Unreadable::Malformed),
            (r"\é", Unreadable::Malformed),
            (r"\u0000", Unreadable::NulCharacter),
            (r"\ud800", Unreadable::LoneSurrogate),
            (r"\ud800\u0041", Unreadable::LoneSurrogate),
            (r"\udc00", Unreadable::LoneSurrogate),
        ] {
            assert_eq!(unescape(raw), Err(why), "{raw}");
        }
    }
}
