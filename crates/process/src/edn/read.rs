//! Reads one EDN form.

use super::{Keyword, Node, Number, Position, Value, print::canonical};
use std::collections::HashSet;
use std::iter::Peekable;
use std::str::Chars;

/// Deepest nesting of collections and discards.
pub const MAX_DEPTH: usize = 64;

/// The text is not the supported subset of EDN.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({at})")]
pub struct SyntaxError {
    /// What is wrong, in words.
    pub message: String,
    /// Where: of an unclosed collection, its opening bracket.
    pub at: Position,
}

/// Reads a text that holds exactly one form.
///
/// # Errors
/// [`SyntaxError`] with row and column for everything else, also for symbols, tags, characters,
/// metadata, a repeated key of a map or element of a set, and nesting below [`MAX_DEPTH`].
pub fn read(text: &str) -> Result<Node, SyntaxError> {
    // Editors on one platform put a byte order mark first; it is no part of the text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader {
        chars: text.chars().peekable(),
        at: Position { row: 1, col: 1 },
    };
    let Some(node) = reader.next_form(0)? else {
        return Err(reader.error("The text is empty"));
    };
    match reader.next_form(0)? {
        None if reader.peek().is_none() => Ok(node),
        None => Err(reader.error("A closing bracket without its opening one")),
        Some(second) => Err(SyntaxError {
            message: "Only one form is allowed".into(),
            at: second.at,
        }),
    }
}

struct Reader<'t> {
    chars: Peekable<Chars<'t>>,
    at: Position,
}

impl Reader<'_> {
    fn error(&self, message: impl Into<String>) -> SyntaxError {
        SyntaxError {
            message: message.into(),
            at: self.at,
        }
    }

    fn peek(&mut self) -> Option<char> {
        self.chars.peek().copied()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.chars.next()?;
        if c == '\n' {
            self.at = Position {
                row: self.at.row.saturating_add(1),
                col: 1,
            };
        } else {
            self.at.col = self.at.col.saturating_add(1);
        }
        Some(c)
    }

    fn skip_blank(&mut self) {
        while let Some(c) = self.peek() {
            if c == ';' {
                while self.peek().is_some_and(|c| c != '\n') {
                    self.bump();
                }
            } else if c.is_whitespace() || c == ',' {
                self.bump();
            } else {
                return;
            }
        }
    }

    /// The next form, or nothing before a closing bracket and at the end of the text.
    fn next_form(&mut self, depth: usize) -> Result<Option<Node>, SyntaxError> {
        loop {
            self.skip_blank();
            let at = self.at;
            if depth > MAX_DEPTH {
                return Err(self.error("Nested too deeply"));
            }
            let value = match self.peek() {
                None | Some(')' | ']' | '}') => return Ok(None),
                Some('[') => Value::Vector(self.collection(']', depth)?),
                Some('(') => Value::List(self.collection(')', depth)?),
                Some('{') => self.map(depth)?,
                Some('"') => self.string()?,
                Some('#') => {
                    self.bump();
                    match self.peek() {
                        Some('{') => {
                            let items = self.collection('}', depth)?;
                            refuse_repeated(items.iter(), "element")?;
                            Value::Set(items)
                        }
                        Some('_') => {
                            self.bump();
                            if self.next_form(depth + 1)?.is_none() {
                                return Err(SyntaxError {
                                    message: "#_ has nothing to discard".into(),
                                    at,
                                });
                            }
                            continue;
                        }
                        _ => {
                            return Err(SyntaxError {
                                message: "Tags and regular expressions are not supported".into(),
                                at,
                            });
                        }
                    }
                }
                Some(_) => self.token()?,
            };
            return Ok(Some(Node { value, at }));
        }
    }

    /// Opening bracket, forms, closing bracket.
    fn collection(&mut self, close: char, depth: usize) -> Result<Vec<Node>, SyntaxError> {
        let opened = self.at;
        let open = self.bump().unwrap_or(close);
        let mut items = Vec::new();
        while let Some(item) = self.next_form(depth + 1)? {
            items.push(item);
        }
        match self.peek() {
            Some(c) if c == close => {
                self.bump();
                Ok(items)
            }
            Some(c) => Err(self.error(format!("{c} does not close {open} of {opened}"))),
            None => Err(SyntaxError {
                message: format!("{open} is never closed"),
                at: opened,
            }),
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, SyntaxError> {
        let mut items = self.collection('}', depth)?.into_iter();
        let mut entries = Vec::with_capacity(items.len() / 2);
        while let Some(key) = items.next() {
            let Some(value) = items.next() else {
                return Err(SyntaxError {
                    message: "A key without a value".into(),
                    at: key.at,
                });
            };
            entries.push((key, value));
        }
        refuse_repeated(entries.iter().map(|(key, _)| key), "key")?;
        Ok(Value::Map(entries))
    }

    fn string(&mut self) -> Result<Value, SyntaxError> {
        let opened = self.at;
        self.bump();
        let mut text = String::new();
        loop {
            let at = self.at;
            match self.bump() {
                None => {
                    let message = "The string is never closed".into();
                    return Err(SyntaxError {
                        message,
                        at: opened,
                    });
                }
                Some('"') => return Ok(Value::String(text)),
                Some('\\') => text.push(self.escape(at)?),
                Some(c) => text.push(c),
            }
        }
    }

    fn escape(&mut self, at: Position) -> Result<char, SyntaxError> {
        let bad = |message: &str| SyntaxError {
            message: message.into(),
            at,
        };
        match self.bump() {
            Some('"') => Ok('"'),
            Some('\\') => Ok('\\'),
            Some('n') => Ok('\n'),
            Some('t') => Ok('\t'),
            Some('r') => Ok('\r'),
            Some('u') => {
                let lone = || bad("Half of a surrogate pair");
                let first = self
                    .hex4()
                    .ok_or_else(|| bad("\\u needs four hex digits"))?;
                if !(0xD800..=0xDFFF).contains(&first) {
                    return char::from_u32(first).ok_or_else(lone);
                }
                // Characters outside the basic plane are written as two escapes.
                if self.bump() != Some('\\') || self.bump() != Some('u') {
                    return Err(lone());
                }
                let second = self.hex4().ok_or_else(lone)?;
                if first > 0xDBFF || !(0xDC00..=0xDFFF).contains(&second) {
                    return Err(lone());
                }
                let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                char::from_u32(code).ok_or_else(lone)
            }
            _ => Err(bad("Unknown escape in a string")),
        }
    }

    fn hex4(&mut self) -> Option<u32> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek()?.to_digit(16)?;
            self.bump();
            code = code * 16 + digit;
        }
        Some(code)
    }

    /// Keyword, number, `true`, `false` or `nil`.
    fn token(&mut self) -> Result<Value, SyntaxError> {
        let at = self.at;
        let mut text = String::new();
        while let Some(c) = self.peek() {
            if c.is_whitespace() || ",;\"()[]{}".contains(c) {
                break;
            }
            text.push(c);
            self.bump();
        }
        let bad = |message: String| SyntaxError { message, at };
        if let Some(name) = text.strip_prefix(':') {
            let keyword = Keyword::new(name);
            return keyword
                .map(Value::Keyword)
                .ok_or_else(|| bad("Not a keyword".into()));
        }
        match text.as_str() {
            "nil" => return Ok(Value::Nil),
            "true" => return Ok(Value::Bool(true)),
            "false" => return Ok(Value::Bool(false)),
            _ => {}
        }
        if text
            .trim_start_matches(['+', '-'])
            .starts_with(|c: char| c.is_ascii_digit())
        {
            return Number::new(&text)
                .map(Value::Number)
                .ok_or_else(|| bad("Not a number".into()));
        }
        Err(bad(
            "Only keywords, strings, numbers, true, false and nil are supported".into(),
        ))
    }
}

fn refuse_repeated<'n>(
    nodes: impl Iterator<Item = &'n Node>,
    what: &str,
) -> Result<(), SyntaxError> {
    let mut seen = HashSet::new();
    for node in nodes {
        let text = canonical(node);
        if seen.contains(&text) {
            let message = format!("The {what} {text} stands twice");
            return Err(SyntaxError {
                message,
                at: node.at,
            });
        }
        seen.insert(text);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::print;
    use super::*;
    use proptest::prelude::*;

    fn error(text: &str) -> (u32, u32, String) {
        let e = read(text).unwrap_err();
        (e.at.row, e.at.col, e.message)
    }

    #[test]
    fn every_kind_of_form_is_read_with_its_place() {
        let text = "{:format :v3 ; comment\n :b [true,nil #_ skipped? #_#_ 1 2 -1.50M] (\"a\\n\\u00e9\") #{1 2N}}";
        // `skipped?` is a symbol: even a discarded form must be readable.
        assert_eq!(error(text).0, 2);
        let text = text.replace("skipped?", ":skipped?");
        let node = read(&text).unwrap();
        assert_eq!(
            print(&node),
            "{:format :v3 :b [true nil -1.50M] (\"a\\né\") #{1 2N}}"
        );
        let Value::Map(entries) = &node.value else {
            panic!("a map")
        };
        assert_eq!(entries[1].0.at, Position { row: 2, col: 2 });
        let Value::Vector(items) = &entries[1].1.value else {
            panic!("a vector")
        };
        assert_eq!(items[2].at, Position { row: 2, col: 37 });
    }

    // contract: engine E15
    #[test]
    fn an_unbalanced_bracket_is_reported_with_row_and_column() {
        assert_eq!(
            error("{:a\n  [1 2}"),
            (2, 7, "} does not close [ of row 2, column 3".into())
        );
        assert_eq!(error("{:a\n  [1 2]"), (1, 1, "{ is never closed".into()));
        assert_eq!(error("{:a 1}]").1, 7);
        assert_eq!(
            error("{:a \"x"),
            (1, 5, "The string is never closed".into())
        );
    }

    #[test]
    fn a_repeated_key_is_an_error() {
        assert_eq!(
            error("{:a 1\n :a 2}"),
            (2, 2, "The key :a stands twice".into())
        );
        assert_eq!(error("#{1 1}").1, 5);
        assert_eq!(
            error("{{:a 1 :b 2} 1 {:b 2 :a 1} 2}").1,
            16,
            "order does not count in a map"
        );
    }

    #[test]
    fn forms_outside_the_subset_are_errors() {
        for text in [
            "",
            "; only a comment",
            "sym",
            "#inst \"2026\"",
            "\\c",
            "^{:a 1} {}",
            "#\"re\"",
            "{:a}",
            ":",
            ":a/",
            ":/a",
            ":a/b/c",
            "01",
            "1.",
            "1.5N",
            "1x",
            "\"\\x\"",
            "\"\\ud800\"",
            "\"\\u12\"",
            "1 2",
            "[#_]",
            "#_ 1",
            "-",
            "+",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn nesting_ends_at_the_limit() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(read(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(
            read(&nested(MAX_DEPTH + 2)).unwrap_err().message,
            "Nested too deeply"
        );
        assert!(read(&"[".repeat(1_000_000)).is_err());
        assert!(read(&"#_".repeat(1_000_000)).is_err());
    }

    // contract: engine E16
    #[test]
    fn decimals_keep_every_digit() {
        let Value::Number(number) = read("0.1000000000000000000000001M").unwrap().value else {
            panic!("a number")
        };
        assert_eq!(
            number.decimal().unwrap().to_string(),
            "0.1000000000000000000000001"
        );
    }

    #[test]
    fn surrogate_pairs_and_a_byte_order_mark_are_read() {
        let node = read("\u{feff}\"\\ud83d\\ude00\"").unwrap();
        assert_eq!(node.value, Value::String("😀".into()));
        assert_eq!(node.at, Position { row: 1, col: 1 });
    }

    fn forms() -> impl Strategy<Value = Node> {
        let node = |value| Node {
            value,
            at: Position { row: 1, col: 1 },
        };
        let leaf = prop_oneof![
            Just(Value::Nil),
            any::<bool>().prop_map(Value::Bool),
            "[+-]?(0|[1-9][0-9]{0,25})(N|M|\\.[0-9]{1,5}M?|e-?[0-9]{1,3})?"
                .prop_map(|text| Value::Number(Number::new(&text).unwrap())),
            any::<String>().prop_map(Value::String),
            "[a-z?!*<>=.-]{1,5}(/[a-z0-9é-]{1,5})?"
                .prop_map(|text| Value::Keyword(Keyword::new(&text).unwrap())),
        ]
        .prop_map(node);
        leaf.prop_recursive(5, 40, 6, move |inner| {
            let many = proptest::collection::vec(inner.clone(), 0..6);
            let pairs = proptest::collection::vec((inner.clone(), inner), 0..6);
            prop_oneof![
                many.clone()
                    .prop_map(move |items| node(Value::Vector(items))),
                many.clone().prop_map(move |items| node(Value::List(items))),
                many.prop_map(move |items| {
                    let mut seen = HashSet::new();
                    let once = items
                        .into_iter()
                        .filter(|n| seen.insert(canonical(n)))
                        .collect();
                    node(Value::Set(once))
                }),
                pairs.prop_map(move |items| {
                    let mut seen = HashSet::new();
                    let once = items.into_iter().filter(|(k, _)| seen.insert(canonical(k)));
                    node(Value::Map(once.collect()))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(node in forms()) {
            prop_assert_eq!(read(&print(&node)), Ok(node));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in any::<String>()) {
            let _ = read(&text);
        }

        #[test]
        fn no_text_of_edn_signs_makes_the_reader_panic(
            text in "[\\[\\]{}()#_:;\"\\\\a0-9.NMe+/u, \n-]{0,60}"
        ) {
            if let Err(error) = read(&text) {
                prop_assert!(error.at.row >= 1 && error.at.col >= 1);
            }
        }
    }
}
