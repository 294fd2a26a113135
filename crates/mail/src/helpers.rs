//! What each helper of the template language does.

use crate::locale::numbers::{self, FRACTION_MAX, NumberStyle};
use crate::locale::{Locale, Zone, dates};
use crate::message::{Message, Writing};
use crate::template::{Fault, Helper, Part, Run, Tag, Val};
use fixed_decimal::Decimal;
use serde_json::Value as Json;
use std::borrow::Cow;
use std::rc::Rc;

/// Most bytes that one message may become.
const MESSAGE_MAX: usize = 256 * 1024;

type Hash<'h, 'a> = &'h [(&'a str, Val<'a>)];

/// Runs a helper. `message` is the literal message among its parameters, where there is one.
pub(crate) fn call<'a>(
    run: &mut Run<'a>,
    helper: Helper,
    parameters: &[Val<'a>],
    hash: Hash<'_, 'a>,
    message: Option<&'a Message>,
) -> Result<Val<'a>, Fault> {
    let given = |index: usize| parameters.get(index).unwrap_or(&Val::Missing);
    let first = given(0);
    let value = match helper {
        Helper::Asset => return Ok(asset(run, first, given(1), given(2))),
        Helper::T => {
            let translation = translation(run, first);
            let message = match translation {
                Some(text) => Cow::Owned(read(&text, given(1), message)),
                None => fallback(given(1), message),
            };
            return write(run, &message, hash);
        }
        Helper::FormatText => return write(run, &fallback(first, message), hash),
        Helper::SetTranslations => {
            run.translations = parameters.to_vec();
            Val::Missing
        }
        Helper::SetLocale => {
            run.locale = Locale::named(&first.print());
            Val::Missing
        }
        Helper::SetTimezone => {
            run.zone = Zone::named(&first.print());
            Val::Missing
        }
        Helper::Concat => {
            let text: String = parameters.iter().map(Val::print).collect();
            Val::text(text)
        }
        Helper::HtmlTag => {
            let attributes = hash.iter().map(|(k, v)| (*k, v.print().into_owned()));
            Val::Tag(Rc::new(Tag::new(&first.print(), attributes)))
        }
        Helper::Contains => Val::own(Json::Bool(contains(first, given(1)))),
        Helper::Eq => Val::own(Json::Bool(first.equals(given(1)))),
        Helper::Inflect => {
            let one = numbers::number(first) == Some(Decimal::from(1))
                || first.json().and_then(Json::as_f64) == Some(1.0);
            given(if one { 1 } else { 2 }).clone()
        }
        Helper::Date => date(first, hash, Some),
        Helper::DateDayBefore => date(first, hash, dates::day_before),
        Helper::DateTransform => {
            let days = of(hash, "days").and_then(Val::json).and_then(Json::as_i64);
            let shifted =
                dates::instant(first).and_then(|at| dates::plus_days(at, days.unwrap_or_default()));
            shifted.map_or(Val::Missing, |at| Val::own(dates::to_json(at)))
        }
        Helper::MoneyAmount => {
            let currency = first.get("currency");
            let digits = numbers::currency_digits(&currency.print());
            number(&first.get("amount"), hash, NumberStyle::fixed(digits))
        }
        Helper::Number => {
            let digits = |key: &str| {
                let digits = of(hash, key)?.json()?.as_i64()?;
                i16::try_from(digits.clamp(0, i64::from(FRACTION_MAX))).ok()
            };
            let least = digits("min-fraction-digits").unwrap_or(0);
            let style = NumberStyle {
                least,
                most: digits("max-fraction-digits").unwrap_or(3).max(least),
                ..NumberStyle::default()
            };
            number(first, hash, style)
        }
        Helper::UrlEncode => Val::text(encode(&first.print(), false)),
        Helper::FormEncode => Val::text(encode(&first.print(), true)),
    };
    run.charge(value.str().map_or(16, str::len))?;
    Ok(value)
}

/// Whether a list has the value.
pub(crate) fn contains(list: &Val<'_>, value: &Val<'_>) -> bool {
    list.entries().iter().any(|(_, item)| item.equals(value))
}

fn of<'h, 'a>(hash: Hash<'h, 'a>, key: &str) -> Option<&'h Val<'a>> {
    let found = hash.iter().rev().find(|(known, _)| *known == key);
    found.map(|(_, value)| value)
}

/// The asset at a path, or what is in it at a dotted key, or the default.
fn asset<'a>(run: &Run<'a>, path: &Val<'a>, key: &Val<'a>, default: &Val<'a>) -> Val<'a> {
    let mut value = Val::of(run.assets.asset(&path.print()));
    if !key.is_missing() {
        let key = key.print();
        // Texts have dots in their keys.
        let whole = value.get(&key);
        value = if whole.is_missing() {
            key.split('.').fold(value, |value, part| value.get(part))
        } else {
            whole
        };
    }
    if value.is_missing() {
        default.clone()
    } else {
        value
    }
}

/// The text of a key in the first of the translations that has it.
fn translation(run: &Run<'_>, key: &Val<'_>) -> Option<String> {
    let key = key.print();
    let mut texts = run.translations.iter().map(|texts| texts.get(&key));
    let found = texts.find(|text| text.str().is_some())?;
    found.str().map(str::to_owned)
}

/// Reads a translation. One that cannot be read does not stop the mail: the fallback is used.
fn read(text: &str, other: &Val<'_>, literal: Option<&Message>) -> Message {
    Message::parse(text).unwrap_or_else(|_| fallback(other, literal).into_owned())
}

fn fallback<'m>(text: &Val<'_>, literal: Option<&'m Message>) -> Cow<'m, Message> {
    match literal {
        Some(message) => Cow::Borrowed(message),
        None => {
            let text = text.print();
            Cow::Owned(Message::parse(&text).unwrap_or_else(|_| Message::plain(&text)))
        }
    }
}

fn write<'a>(run: &mut Run<'a>, message: &Message, hash: Hash<'_, 'a>) -> Result<Val<'a>, Fault> {
    let text = message.format(&Writing {
        values: hash,
        locale: &run.locale,
        zone: &run.zone,
        html: run.part == Part::Html,
        most: MESSAGE_MAX,
    });
    run.charge(text.len())?;
    Ok(Val::Safe(text.into()))
}

fn lang(hash: Hash<'_, '_>) -> Locale {
    of(hash, "lang").map_or_else(Locale::default, |lang| Locale::named(&lang.print()))
}

fn date<'a>(
    value: &Val<'a>,
    hash: Hash<'_, 'a>,
    moved: impl Fn(jiff::Timestamp) -> Option<jiff::Timestamp>,
) -> Val<'a> {
    let Some(at) = dates::instant(value).and_then(moved) else {
        return Val::Missing;
    };
    let zone = of(hash, "tz").map_or_else(Zone::default, |tz| Zone::named(&tz.print()));
    let pattern = of(hash, "format").map_or(Cow::Borrowed("MMM d, YYYY"), Val::print);
    Val::text(dates::joda(&lang(hash), &zone, at, &pattern))
}

fn number<'a>(value: &Val<'a>, hash: Hash<'_, 'a>, style: NumberStyle) -> Val<'a> {
    match numbers::number(value) {
        Some(number) => Val::text(numbers::format(&lang(hash), &number, style)),
        None => Val::Missing,
    }
}

/// Percent-encoding of all but unreserved characters; in a form a space is `+`.
fn encode(text: &str, form: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => out.push(byte.into()),
            b'~' if !form => out.push('~'),
            b'*' if form => out.push('*'),
            b' ' if form => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
