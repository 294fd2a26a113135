//! Reads a message.

use super::{BadMessage, Piece, Selector};
use crate::locale::dates::DateStyle;
use crate::locale::numbers::NumberStyle;

/// Deepest nesting of plurals and choices.
const NESTING: usize = 16;
/// Longest message, in bytes.
const LENGTH: usize = 64 * 1024;

pub(super) fn parse(text: &str) -> Result<Vec<Piece>, BadMessage> {
    if text.len() > LENGTH {
        return bad("it is longer than 64 KB");
    }
    let mut parser = Parser { rest: text };
    let pieces = parser.pieces(0, false)?;
    if parser.rest.is_empty() {
        Ok(pieces)
    } else {
        bad("} without {")
    }
}

fn bad<T>(reason: impl Into<String>) -> Result<T, BadMessage> {
    Err(BadMessage(reason.into()))
}

struct Parser<'t> {
    rest: &'t str,
}

impl<'t> Parser<'t> {
    /// Pieces up to a closing brace or the end.
    fn pieces(&mut self, depth: usize, in_plural: bool) -> Result<Vec<Piece>, BadMessage> {
        if depth > NESTING {
            return bad("it is nested too deep");
        }
        let mut pieces = Vec::new();
        let mut text = String::new();
        while let Some(c) = self.rest.chars().next() {
            let piece = match c {
                '}' => break,
                '{' => {
                    self.rest = &self.rest[1..];
                    Some(self.argument(depth, in_plural)?)
                }
                '#' if in_plural => {
                    self.rest = &self.rest[1..];
                    Some(Piece::Count)
                }
                '\'' => {
                    self.apostrophe(&mut text, in_plural);
                    None
                }
                '<' => self.tag(),
                _ => None,
            };
            match piece {
                Some(piece) => {
                    if !text.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut text)));
                    }
                    pieces.push(piece);
                }
                None if c == '\'' => {}
                None => {
                    text.push(c);
                    self.rest = &self.rest[c.len_utf8()..];
                }
            }
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        Ok(pieces)
    }

    /// An apostrophe: two are one, one before a brace quotes up to the next, else it is itself.
    fn apostrophe(&mut self, text: &mut String, in_plural: bool) {
        let after = &self.rest[1..];
        let quotes = |c: char| matches!(c, '{' | '}') || (c == '#' && in_plural);
        match after.chars().next() {
            Some('\'') => {
                text.push('\'');
                self.rest = &after[1..];
            }
            Some(c) if quotes(c) => {
                self.rest = after;
                loop {
                    let Some((part, after)) = self.rest.split_once('\'') else {
                        text.push_str(self.rest);
                        self.rest = "";
                        return;
                    };
                    text.push_str(part);
                    self.rest = after;
                    let Some(after) = after.strip_prefix('\'') else {
                        return;
                    };
                    text.push('\'');
                    self.rest = after;
                }
            }
            _ => {
                text.push('\'');
                self.rest = after;
            }
        }
    }

    /// `<name>` or `</name>`, if that comes next.
    fn tag(&mut self) -> Option<Piece> {
        let inside = &self.rest[1..];
        let (closes, inside) = match inside.strip_prefix('/') {
            Some(inside) => (true, inside),
            None => (false, inside),
        };
        let end = inside.find(|c: char| !is_name(c))?;
        let (name, after) = inside.split_at(end);
        let after = after.strip_prefix('>')?;
        if name.is_empty() {
            return None;
        }
        self.rest = after;
        Some(if closes {
            Piece::Close(name.to_owned())
        } else {
            Piece::Open(name.to_owned())
        })
    }

    /// What stands behind `{`.
    fn argument(&mut self, depth: usize, in_plural: bool) -> Result<Piece, BadMessage> {
        let name = self.word()?.to_owned();
        if self.take('}') {
            return Ok(Piece::Value(name));
        }
        self.expect(',')?;
        let kind = self.word()?;
        match kind {
            "number" => Ok(Piece::Number(name, NumberStyle::read(self.style()?))),
            "date" => Ok(Piece::Date(name, DateStyle::read(self.style()?, false))),
            "time" => Ok(Piece::Date(name, DateStyle::read(self.style()?, true))),
            "select" => {
                let mut arms = Vec::new();
                self.expect(',')?;
                while !self.take('}') {
                    let key = self.word()?.to_owned();
                    arms.push((key, self.arm(depth, in_plural)?));
                }
                if !arms.iter().any(|(key, _)| key == "other") {
                    return bad(format!("the choice of {name} has no other"));
                }
                Ok(Piece::Select(name, arms))
            }
            "plural" | "selectordinal" => {
                self.expect(',')?;
                self.plural(name, kind == "selectordinal", depth)
            }
            kind => bad(format!("{kind} is no kind of value")),
        }
    }

    fn plural(&mut self, name: String, ordinal: bool, depth: usize) -> Result<Piece, BadMessage> {
        let mut offset = 0;
        self.blanks();
        if let Some(rest) = self.rest.strip_prefix("offset:") {
            self.rest = rest;
            offset = self.integer()?;
        }
        let mut arms = Vec::new();
        while !self.take('}') {
            let selector = if self.take('=') {
                Selector::Exactly(self.integer()?)
            } else {
                Selector::Category(self.word()?.to_owned())
            };
            arms.push((selector, self.arm(depth, true)?));
        }
        let other = |(s, _): &(Selector, _)| matches!(s, Selector::Category(c) if c == "other");
        if !arms.iter().any(other) {
            return bad(format!("the plural of {name} has no other"));
        }
        Ok(Piece::Plural {
            name,
            offset,
            ordinal,
            arms,
        })
    }

    /// `{ message }`.
    fn arm(&mut self, depth: usize, in_plural: bool) -> Result<Vec<Piece>, BadMessage> {
        self.expect('{')?;
        let pieces = self.pieces(depth + 1, in_plural)?;
        if !self.rest.starts_with('}') {
            return bad("a { is not closed");
        }
        self.rest = &self.rest[1..];
        Ok(pieces)
    }

    /// The rest of a number or date: nothing, or a style up to the closing brace.
    fn style(&mut self) -> Result<&'t str, BadMessage> {
        if self.take('}') {
            return Ok("");
        }
        self.expect(',')?;
        let Some((style, rest)) = self.rest.split_once('}') else {
            return bad("a { is not closed");
        };
        self.rest = rest;
        Ok(style)
    }

    fn integer(&mut self) -> Result<i64, BadMessage> {
        let word = self.word()?;
        match word.parse() {
            Ok(n) => Ok(n),
            Err(_) => bad(format!("{word} is no number")),
        }
    }

    fn word(&mut self) -> Result<&'t str, BadMessage> {
        self.blanks();
        let end = self.rest.find(|c: char| !is_name(c));
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        if word.is_empty() {
            return bad("a name is missing behind {");
        }
        self.rest = rest;
        Ok(word)
    }

    fn blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, c: char) -> bool {
        self.blanks();
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, c: char) -> Result<(), BadMessage> {
        if self.take(c) {
            Ok(())
        } else {
            bad(format!("{c} is missing"))
        }
    }
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}
