//! Messages in the format of ICU: `{name}`, numbers, dates, plurals, choices, and tags around text.

mod parse;

use crate::locale::dates::{self, DateStyle};
use crate::locale::numbers::{self, NumberStyle};
use crate::locale::{Locale, Zone};
use crate::template::{Val, escape};
use fixed_decimal::Decimal;

/// A message that was read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message(Vec<Piece>);

/// A part of a message.
#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Text(String),
    Value(String),
    Number(String, NumberStyle),
    Date(String, DateStyle),
    Plural {
        name: String,
        offset: i64,
        ordinal: bool,
        arms: Vec<(Selector, Vec<Piece>)>,
    },
    Select(String, Vec<(String, Vec<Piece>)>),
    /// `#` inside of a plural.
    Count,
    /// `<name>`; plain text where `name` is no tag among the values.
    Open(String),
    /// `</name>`.
    Close(String),
}

#[derive(Clone, Debug, PartialEq)]
enum Selector {
    /// `=2`.
    Exactly(i64),
    /// `one`.
    Category(String),
}

/// A message cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BadMessage(pub(crate) String);

/// What a message is written with.
pub(crate) struct Writing<'w, 'v> {
    pub(crate) values: &'w [(&'v str, Val<'v>)],
    pub(crate) locale: &'w Locale,
    pub(crate) zone: &'w Zone,
    /// Values become text for HTML, and tags are printed.
    pub(crate) html: bool,
    /// Most bytes of the result; what is beyond is cut off.
    pub(crate) most: usize,
}

impl Message {
    /// Reads a message. An apostrophe quotes only right before a brace (or `#` in a plural).
    ///
    /// # Errors
    /// [`BadMessage`] says what is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, BadMessage> {
        parse::parse(text).map(Self)
    }

    /// A message without any syntax.
    pub(crate) fn plain(text: &str) -> Self {
        Self(vec![Piece::Text(text.to_owned())])
    }

    /// The message with its values.
    pub(crate) fn format(&self, writing: &Writing<'_, '_>) -> String {
        let mut out = String::new();
        writing.pieces(&self.0, None, &mut out);
        out
    }
}

impl<'v> Writing<'_, 'v> {
    fn value(&self, name: &str) -> Option<&Val<'v>> {
        let found = self.values.iter().rev().find(|(known, _)| *known == name);
        found.map(|(_, value)| value)
    }

    fn pieces(&self, pieces: &[Piece], count: Option<&Decimal>, out: &mut String) {
        for piece in pieces {
            if out.len() > self.most {
                return;
            }
            self.piece(piece, count, out);
        }
    }

    fn piece(&self, piece: &Piece, count: Option<&Decimal>, out: &mut String) {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Value(name) => self.text(name, out),
            Piece::Number(name, style) => match self.value(name).and_then(numbers::number) {
                Some(number) => out.push_str(&numbers::format(self.locale, &number, *style)),
                None => self.text(name, out),
            },
            Piece::Date(name, style) => match self.value(name).and_then(dates::instant) {
                Some(at) => out.push_str(&dates::format(self.locale, self.zone, at, *style)),
                None => self.text(name, out),
            },
            Piece::Plural {
                name,
                offset,
                ordinal,
                arms,
            } => {
                let number = self.value(name).and_then(numbers::number);
                let number = number.unwrap_or_else(|| Decimal::from(0));
                self.plural(&number, *offset, *ordinal, arms, out);
            }
            Piece::Select(name, arms) => {
                let value = self.value(name).map(Val::print).unwrap_or_default();
                let arm = |wanted: &str| arms.iter().find(|(key, _)| key == wanted);
                if let Some((_, pieces)) = arm(&value).or_else(|| arm("other")) {
                    self.pieces(pieces, count, out);
                }
            }
            Piece::Count => {
                if let Some(count) = count {
                    let style = NumberStyle::default();
                    out.push_str(&numbers::format(self.locale, count, style));
                }
            }
            Piece::Open(name) => match self.value(name) {
                Some(Val::Tag(tag)) if self.html => tag.open(out),
                Some(Val::Tag(_)) => {}
                _ => out.extend(["<", name, ">"]),
            },
            Piece::Close(name) => match self.value(name) {
                Some(Val::Tag(tag)) if self.html => tag.close(out),
                Some(Val::Tag(_)) => {}
                _ => out.extend(["</", name, ">"]),
            },
        }
    }

    fn plural(
        &self,
        number: &Decimal,
        offset: i64,
        ordinal: bool,
        arms: &[(Selector, Vec<Piece>)],
        out: &mut String,
    ) {
        let written = number.to_string();
        let exact = arms.iter().find(|(selector, _)| {
            matches!(selector, Selector::Exactly(n) if Decimal::from(*n).to_string() == written)
        });
        let counted = match (offset, written.parse::<i64>()) {
            (0, _) | (_, Err(_)) => number.clone(),
            (_, Ok(whole)) => Decimal::from(whole.saturating_sub(offset)),
        };
        let category = numbers::category(self.locale, &counted, ordinal);
        let arm = |wanted: &str| {
            arms.iter()
                .find(|(s, _)| matches!(s, Selector::Category(c) if c == wanted))
        };
        let arm = exact.or_else(|| arm(category)).or_else(|| arm("other"));
        if let Some((_, pieces)) = arm {
            self.pieces(pieces, Some(&counted), out);
        }
    }

    fn text(&self, name: &str, out: &mut String) {
        let Some(value) = self.value(name) else {
            return;
        };
        let text = match numbers::number(value) {
            // A number is written as in the place, a text that looks like one is not.
            Some(number) if value.str().is_none() => {
                numbers::format(self.locale, &number, NumberStyle::default())
            }
            _ => value.print().into_owned(),
        };
        if self.html && !matches!(value, Val::Safe(_)) {
            out.push_str(&escape(&text));
        } else {
            out.push_str(&text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Tag;
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};
    use std::rc::Rc;

    fn format_in(locale: &str, text: &str, values: &Json) -> String {
        let values: Vec<_> = values.as_object().unwrap().iter().collect();
        let values: Vec<_> = values
            .iter()
            .map(|(k, v)| (k.as_str(), Val::Ref(v)))
            .collect();
        let writing = Writing {
            values: &values,
            locale: &Locale::named(locale),
            zone: &Zone::default(),
            html: false,
            most: 100_000,
        };
        Message::parse(text).unwrap().format(&writing)
    }

    fn format(text: &str, values: &Json) -> String {
        format_in("en", text, values)
    }

    // contract: operator N10
    #[test]
    fn plurals_count_and_apostrophes_stay() {
        let text = "You're {n, plural, one {# day} other {# days}} {name}'s";
        assert_eq!(
            format(text, &json!({"n": 2, "name": "X"})),
            "You're 2 days X's"
        );
        assert_eq!(
            format(text, &json!({"n": 1, "name": "X"})),
            "You're 1 day X's"
        );
        let text = "{n, plural, offset:1 =0 {nobody} =1 {you} one {you and # more} other {you and # more!}}";
        for (n, expected) in [
            (0, "nobody"),
            (1, "you"),
            (2, "you and 1 more"),
            (1235, "you and 1,234 more!"),
        ] {
            assert_eq!(format(text, &json!({ "n": n })), expected);
        }
        assert_eq!(
            format_in(
                "ru",
                "{n, plural, one {a} few {b} many {c} other {d}}",
                &json!({"n": 5})
            ),
            "c"
        );
        assert_eq!(
            format(
                "{n, selectordinal, one {#st} two {#nd} few {#rd} other {#th}}",
                &json!({"n": 22})
            ),
            "22nd"
        );
    }

    #[test]
    fn apostrophes_quote_only_before_braces() {
        for (text, expected) in [
            ("Can't '{name}' it''s", "Can't {name} it's"),
            ("'{'a'}'", "{a}"),
            ("{n, plural, other {'#' # it's}}", "# 3 it's"),
            ("a # b", "a # b"),
            ("open '{ end", "open { end"),
        ] {
            assert_eq!(format(text, &json!({"n": 3})), expected, "{text}");
        }
    }

    #[test]
    fn choices_nest_and_missing_values_are_empty() {
        let text = "{how, select, shipping {by {carrier}} other {{n, number, ::.00} at {at, date, ::YYYYMMMd}}}";
        assert_eq!(
            format(text, &json!({"how": "shipping", "carrier": "post"})),
            "by post"
        );
        assert_eq!(
            format(
                text,
                &json!({"how": "x", "n": 2.5, "at": "2017-12-01T18:30:00Z"})
            ),
            "2.50 at Dec 1, 2017"
        );
        assert_eq!(
            format("[{a}{b, number}{c, date}]", &json!({"b": "many"})),
            "[many]"
        );
    }

    // contract: operator N9
    #[test]
    fn a_tag_goes_around_its_text_and_other_angles_stay() {
        let tag = Tag::new("a", [("href", "https://x/?a=1&b".to_owned())].into_iter());
        let name = json!("<B>");
        let values = [("link", Val::Tag(Rc::new(tag))), ("name", Val::Ref(&name))];
        let mut writing = Writing {
            values: &values,
            locale: &Locale::default(),
            zone: &Zone::default(),
            html: true,
            most: 1000,
        };
        let message =
            Message::parse("Hi {name}, <b>see</b> <link>{name}'s page</link>, 1 < 2").unwrap();
        assert_eq!(
            message.format(&writing),
            "Hi &lt;B&gt;, <b>see</b> <a href=\"https://x/?a&#x3D;1&amp;b\">&lt;B&gt;'s page</a>, 1 < 2"
        );
        writing.html = false;
        assert_eq!(
            message.format(&writing),
            "Hi <B>, <b>see</b> <B>'s page, 1 < 2"
        );
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for bad in [
            "{",
            "{a",
            "}",
            "{a, bogus}",
            "{a, plural}",
            "{a, plural, one {x}}",
            "{a, select, other {x}",
            "{a b}",
            "{n, plural, =x {a} other {b}}",
            "{}",
        ] {
            assert!(Message::parse(bad).is_err(), "{bad}");
        }
        let deep = format!("{}{}", "{a, select, other {".repeat(100), "}}".repeat(100));
        assert!(Message::parse(&deep).is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[{}<>/'#,=:a-c0-9 plurasectohdmnb]{0,60}", n in any::<f64>()) {
            if let Ok(message) = Message::parse(&text) {
                let n = json!(n);
                let values = [("a", Val::Ref(&n)), ("b", Val::text("x"))];
                message.format(&Writing {
                    values: &values,
                    locale: &Locale::default(),
                    zone: &Zone::default(),
                    html: true,
                    most: 10_000,
                });
            }
        }
    }
}
