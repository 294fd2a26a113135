//! The JSON reader. A leading `~` means nothing here.

use indexmap::IndexMap;

use super::{MAX_DEPTH, ReadError, Unreadable, plain_scalar, text_of};
use crate::lexer::Lexer;
use crate::value::Value;

/// Reads a JSON body.
///
/// # Errors
/// [`ReadError`] with the path when the body is no JSON or breaks a limit.
pub fn read_json(body: &[u8]) -> Result<Value, ReadError> {
    let mut reader = Reader {
        lexer: Lexer::new(text_of(body)?),
    };
    let value = reader.value(0).map_err(ReadError::done)?;
    reader.lexer.end().map_err(|why| reader.error(why))?;
    Ok(value)
}

struct Reader<'a> {
    lexer: Lexer<'a>,
}

impl Reader<'_> {
    fn error(&self, why: Unreadable) -> ReadError {
        ReadError::new(why, self.lexer.pos())
    }

    fn value(&mut self, depth: usize) -> Result<Value, ReadError> {
        match self.lexer.peek() {
            Some(b'{' | b'[') if depth == MAX_DEPTH => Err(self.error(Unreadable::TooDeep)),
            Some(b'{') => self.map(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => match self.lexer.string() {
                Ok(text) => Ok(Value::String(text.into_owned())),
                Err(why) => Err(self.error(why)),
            },
            _ => plain_scalar(&mut self.lexer).map_err(|why| self.error(why)),
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, ReadError> {
        let mut items = Vec::new();
        self.lexer.expect(b'[').map_err(|why| self.error(why))?;
        if self.lexer.take(b']') {
            return Ok(Value::Array(items));
        }
        loop {
            let item = self.value(depth + 1).map_err(|e| e.within(items.len()))?;
            items.push(item);
            if !self.lexer.more(b']').map_err(|why| self.error(why))? {
                return Ok(Value::Array(items));
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, ReadError> {
        let mut entries = IndexMap::new();
        self.lexer.expect(b'{').map_err(|why| self.error(why))?;
        if self.lexer.take(b'}') {
            return Ok(Value::Map(entries));
        }
        loop {
            let key = self
                .lexer
                .string()
                .map_err(|why| self.error(why))?
                .into_owned();
            self.lexer.expect(b':').map_err(|why| self.error(why))?;
            let value = self.value(depth + 1).map_err(|e| e.within(key.clone()))?;
            entries.insert(key, value);
            if !self.lexer.more(b'}').map_err(|why| self.error(why))? {
                return Ok(Value::Map(entries));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_types::PathItem;

    #[test]
    fn tildes_mean_nothing_in_json() {
        let value = read_json(br#"{"~:a":"~u1","b":["^ ","~#mn"]}"#).unwrap();
        assert_eq!(value.to_json_text(), r#"{"~:a":"~u1","b":["^ ","~#mn"]}"#);
    }

    #[test]
    fn of_a_repeated_key_the_last_value_counts() {
        assert_eq!(
            read_json(br#"{"a":1,"b":2,"a":3}"#).unwrap().to_json_text(),
            r#"{"a":3,"b":2}"#
        );
    }

    #[test]
    fn errors_name_the_place() {
        let error = read_json(br#"{"a":[1,{"b":"x\u0000"}]}"#).unwrap_err();
        assert_eq!(error.why, Unreadable::NulCharacter);
        let path: Vec<PathItem> = vec!["a".into(), 1.into(), "b".into()];
        assert_eq!(error.path, path);
        assert_eq!(error.problem().code, "validation-invalid-value");
        assert_eq!(error.problem().source.unwrap().path, path);
    }

    // contract: wire W7
    #[test]
    fn a_body_that_is_no_json_is_a_bad_request() {
        for body in [
            &b""[..],
            b" ",
            b"{",
            b"[1,",
            b"[1,]",
            b"{\"a\"}",
            b"{\"a\":1,}",
            b"{a:1}",
            b"\"x",
            b"\"\\",
            b"nul",
            b"01",
            b"1 2",
            b"[1]]",
            b"\"\x01\"",
            b"\xff",
            b"\"\xc3\"",
            b"\xef\xbb\xbf{}",
            b"NaN",
        ] {
            let error = read_json(body).unwrap_err();
            assert_eq!(error.problem().code, "bad-request", "{body:?}");
        }
    }

    // contract: security S55
    #[test]
    fn nesting_stops_at_32_levels() {
        let nested = |n: usize| format!("{}1{}", "[".repeat(n), "]".repeat(n));
        assert!(read_json(nested(32).as_bytes()).is_ok());
        assert_eq!(
            read_json(nested(33).as_bytes()).unwrap_err().why,
            Unreadable::TooDeep
        );
        assert_eq!(
            read_json("[".repeat(1_000_000).as_bytes()).unwrap_err().why,
            Unreadable::TooDeep
        );
    }
}
