//! Stored JSON texts (extended data, availability plans) in the format of the document.

use super::Writer;
use crate::format::Format;
use crate::lexer::{Lexer, unescape};
use crate::read::Unreadable;

/// Deeper texts than this are damaged: what is stored was limited to far less.
const MAX_DEPTH: u32 = 128;

impl Writer {
    /// Writes a stored JSON text as one value: in JSON as it is, in Transit token by token.
    /// Numbers keep their spelling, keys become keywords byte for byte.
    ///
    /// A text that is no JSON makes [`Writer::finish`] fail.
    pub fn json(&mut self, text: &str) -> &mut Self {
        if self.format == Format::Json {
            self.item();
            // Checked where it was stored; an empty text is the one slip worth a look here.
            self.damaged |= text.is_empty();
            self.out.extend_from_slice(text.as_bytes());
            return self;
        }
        #[cfg(debug_assertions)]
        let open_before = self.open.clone();
        if self.reencode(text).is_err() {
            self.damaged = true;
            self.comma = true;
            #[cfg(debug_assertions)]
            {
                self.open = open_before;
                if let Some(map @ super::Open::MapAwaitingValue) = self.open.last_mut() {
                    *map = super::Open::MapAwaitingKey;
                }
            }
        }
        self
    }

    fn reencode(&mut self, text: &str) -> Result<(), Unreadable> {
        let mut lexer = Lexer::new(text);
        // A bit for each open collection, the lowest for the innermost: 1 is a map.
        let (mut maps, mut depth) = (0_u128, 0);
        loop {
            match lexer.peek().ok_or(Unreadable::Malformed)? {
                open @ (b'{' | b'[') => {
                    let is_map = open == b'{';
                    lexer.expect(open)?;
                    if is_map {
                        self.map()
                    } else {
                        self.array()
                    };
                    if !lexer.take(if is_map { b'}' } else { b']' }) {
                        if depth == MAX_DEPTH {
                            return Err(Unreadable::TooDeep);
                        }
                        depth += 1;
                        maps = maps << 1 | u128::from(is_map);
                        if is_map {
                            self.stored_key(&mut lexer)?;
                        }
                        continue;
                    }
                    if is_map {
                        self.end_map()
                    } else {
                        self.end_array()
                    };
                }
                b'"' => self.stored_string(&mut lexer)?,
                b't' => {
                    lexer.literal("true")?;
                    self.boolean(true);
                }
                b'f' => {
                    lexer.literal("false")?;
                    self.boolean(false);
                }
                b'n' => {
                    lexer.literal("null")?;
                    self.null();
                }
                _ => {
                    self.spelled_number(lexer.number()?);
                }
            }
            // A value is complete: go on in its collection, or close as many as end here.
            loop {
                if depth == 0 {
                    return lexer.end();
                }
                let in_map = maps & 1 == 1;
                if lexer.more(if in_map { b'}' } else { b']' })? {
                    if in_map {
                        self.stored_key(&mut lexer)?;
                    }
                    break;
                }
                if in_map {
                    self.end_map()
                } else {
                    self.end_array()
                };
                maps >>= 1;
                depth -= 1;
            }
        }
    }

    fn stored_key(&mut self, lexer: &mut Lexer<'_>) -> Result<(), Unreadable> {
        let key = lexer.string()?;
        self.key(&key);
        lexer.expect(b':')
    }

    /// Escapes are the same in Transit, so the text is copied; only its first character counts.
    fn stored_string(&mut self, lexer: &mut Lexer<'_>) -> Result<(), Unreadable> {
        let (raw, escaped) = lexer.raw_string()?;
        if escaped && raw.starts_with("\\u") {
            self.string(&unescape(raw)?);
            return Ok(());
        }
        self.item();
        self.out.push(b'"');
        if matches!(raw.as_bytes(), [b'~' | b'^' | b'`', ..]) {
            self.out.push(b'~');
        }
        self.out.extend_from_slice(raw.as_bytes());
        self.out.push(b'"');
        Ok(())
    }
}
