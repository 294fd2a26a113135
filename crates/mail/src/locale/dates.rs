//! Instants, by skeletons of ICU and by patterns of Joda.

use super::{Locale, Zone};
use crate::template::Val;
use icu_calendar::{Date, Gregorian};
use icu_datetime::fieldsets::builder::{DateFields, FieldSetBuilder};
use icu_datetime::fieldsets::enums::CompositeDateTimeFieldSet;
use icu_datetime::options::{Length, TimePrecision};
use icu_datetime::pattern::{DateTimePattern, FixedCalendarDateTimeNames};
use icu_datetime::{DateTimeFormatterPreferences, FixedCalendarDateTimeFormatter};
use icu_locale_core::preferences::extensions::unicode::keywords::HourCycle;
use icu_time::{DateTime, Time};
use jiff::civil;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value as Json, json};
use writeable::TryWriteable as _;

/// Longest pattern that is read.
const PATTERN_MAX: usize = 200;

/// The instant in a value: `{year, month, day, hours, ...}` in UTC, an ISO 8601 text, or
/// milliseconds.
pub(crate) fn instant(value: &Val<'_>) -> Option<Timestamp> {
    match value.json()? {
        Json::Number(ms) => Timestamp::from_millisecond(ms.as_i64()?).ok(),
        Json::String(text) => {
            let instant = stoa_types::Timestamp::parse(text).ok()?;
            Timestamp::from_millisecond(instant.as_ms()).ok()
        }
        Json::Object(fields) => {
            let part = |name: &str, default: i64| match fields.get(name) {
                None | Some(Json::Null) => Some(default),
                Some(part) => part.as_i64(),
            };
            let small = |name: &str, default: i64| i8::try_from(part(name, default)?).ok();
            let year = i16::try_from(fields.get("year")?.as_i64()?).ok()?;
            let ms = i32::try_from(part("milliseconds", 0)?).ok()?;
            let date = civil::DateTime::new(
                year,
                small("month", 1)?,
                small("day", 1)?,
                small("hours", 0)?,
                small("minutes", 0)?,
                small("seconds", 0)?,
                ms.checked_mul(1_000_000)?,
            );
            Some(date.ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp())
        }
        _ => None,
    }
}

/// An instant in the form that contexts have.
pub(crate) fn to_json(instant: Timestamp) -> Json {
    let utc = instant.to_zoned(TimeZone::UTC);
    json!({
        "year": utc.year(), "month": utc.month(), "day": utc.day(), "hours": utc.hour(),
        "minutes": utc.minute(), "seconds": utc.second(), "milliseconds": utc.millisecond(),
    })
}

/// The instant so many days later (of 24 hours: contexts are in UTC).
pub(crate) fn plus_days(instant: Timestamp, days: i64) -> Option<Timestamp> {
    let hours = days.checked_mul(24)?;
    let span = jiff::Span::new().try_hours(hours).ok()?;
    instant.checked_add(span).ok()
}

/// How a date in a message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DateStyle {
    fields: Option<DateFields>,
    length: Length,
    time: Option<TimePrecision>,
    hours: Option<HourCycle>,
}

impl DateStyle {
    /// Reads what stands behind `date,` or `time,` in a message: `short` to `full`, or a skeleton
    /// such as `::YYYYMMMd`.
    pub(crate) fn read(style: &str, is_time: bool) -> Self {
        let style = style.trim();
        if let Some(skeleton) = style.strip_prefix("::") {
            return Self::skeleton(skeleton.trim());
        }
        let length = match style {
            "short" => Length::Short,
            "long" | "full" => Length::Long,
            _ => Length::Medium,
        };
        let fields = match style {
            _ if is_time => None,
            "full" => Some(DateFields::YMDE),
            _ => Some(DateFields::YMD),
        };
        let precision = match style {
            "short" => TimePrecision::Minute,
            _ => TimePrecision::Second,
        };
        Self {
            fields,
            length,
            time: is_time.then_some(precision),
            hours: None,
        }
    }

    /// Reads the letters of a skeleton. `Y` is the calendar's year, as `y`.
    fn skeleton(letters: &str) -> Self {
        let count = |wanted: &[char]| letters.chars().filter(|c| wanted.contains(c)).count();
        let (year, month, day) = (count(&['y', 'Y', 'u']), count(&['M', 'L']), count(&['d']));
        let weekday = count(&['E', 'c', 'e']);
        let fields = match (year > 0, month > 0, day > 0, weekday > 0) {
            (true, _, true, false) => Some(DateFields::YMD),
            (true, _, _, true) => Some(DateFields::YMDE),
            (true, true, false, false) => Some(DateFields::YM),
            (true, false, false, false) => Some(DateFields::Y),
            (false, true, true, false) => Some(DateFields::MD),
            (false, true, _, true) => Some(DateFields::MDE),
            (false, true, false, false) => Some(DateFields::M),
            (false, false, true, false) => Some(DateFields::D),
            (false, false, true, true) => Some(DateFields::DE),
            (false, false, false, true) => Some(DateFields::E),
            (false, false, false, false) => None,
        };
        let length = match (month, weekday) {
            (1 | 2, _) => Length::Short,
            (4.., _) | (0, 4) => Length::Long,
            _ => Length::Medium,
        };
        let (locals, twelve, whole) = (
            count(&['j', 'J']),
            count(&['h', 'K', 'a']),
            count(&['H', 'k']),
        );
        let has_time = locals + twelve + whole + count(&['m', 's']) > 0;
        let precision = if count(&['s', 'S']) > 0 {
            TimePrecision::Second
        } else if count(&['m']) > 0 {
            TimePrecision::Minute
        } else {
            TimePrecision::Hour
        };
        Self {
            // A skeleton of nothing is a date.
            fields: fields.or_else(|| (!has_time).then_some(DateFields::YMD)),
            length,
            time: has_time.then_some(precision),
            hours: match (twelve, whole) {
                (0, 0) => None,
                (0, _) => Some(HourCycle::H23),
                _ => Some(HourCycle::H12),
            },
        }
    }
}

/// Writes an instant in the style.
pub(crate) fn format(locale: &Locale, zone: &Zone, instant: Timestamp, style: DateStyle) -> String {
    write(locale, zone, instant, style).unwrap_or_default()
}

fn write(locale: &Locale, zone: &Zone, instant: Timestamp, style: DateStyle) -> Option<String> {
    let mut fields = FieldSetBuilder::new();
    fields.date_fields = style.fields;
    fields.length = Some(style.length);
    fields.time_precision = style.time;
    let fields = fields.build_composite_datetime().ok()?;
    let mut preferences = DateTimeFormatterPreferences::from(&locale.0);
    if style.hours.is_some() {
        preferences.hour_cycle = style.hours;
    }
    let formatter = FixedCalendarDateTimeFormatter::<Gregorian, CompositeDateTimeFieldSet>::try_new(
        preferences,
        fields,
    );
    Some(formatter.ok()?.format(&local(zone, instant)?).to_string())
}

fn local(zone: &Zone, instant: Timestamp) -> Option<DateTime<Gregorian>> {
    let at = instant.to_zoned(zone.0.clone());
    let small = |part: i8| u8::try_from(part).unwrap_or_default();
    let (month, day) = (small(at.month()), small(at.day()));
    let date = Date::try_new_gregorian(i32::from(at.year()), month, day).ok()?;
    let nanosecond = u32::try_from(at.subsec_nanosecond()).ok()?;
    let (hour, minute) = (small(at.hour()), small(at.minute()));
    let time = Time::try_new(hour, minute, small(at.second()), nanosecond).ok()?;
    Some(DateTime { date, time })
}

/// Writes an instant by a pattern of Joda, such as `MMM d, YYYY`. Letters that are not known are
/// left out.
pub(crate) fn joda(locale: &Locale, zone: &Zone, instant: Timestamp, pattern: &str) -> String {
    let pattern: String = pattern.chars().take(PATTERN_MAX).collect();
    let at = instant.to_zoned(zone.0.clone());
    let mut out = String::new();
    let mut rest = pattern.as_str();
    while let Some(c) = rest.chars().next() {
        let count = rest.chars().take_while(|other| *other == c).count();
        if c == '\'' {
            let (text, after) = quoted(&rest[1..]);
            out.push_str(&text);
            rest = after;
            continue;
        }
        let width = count;
        match c {
            'Y' | 'y' | 'x' if width == 2 => {
                out.push_str(&format!("{:02}", at.year().rem_euclid(100)))
            }
            'Y' | 'y' | 'x' => out.push_str(&format!("{:0width$}", at.year())),
            'M' if width < 3 => out.push_str(&format!("{:0width$}", at.month())),
            'M' | 'E' | 'a' => {
                out.push_str(&name(locale, zone, instant, c, width).unwrap_or_default());
            }
            'd' => out.push_str(&format!("{:0width$}", at.day())),
            'D' => out.push_str(&format!("{:0width$}", at.day_of_year())),
            'e' => out.push_str(&format!("{:0width$}", at.weekday().to_monday_one_offset())),
            'H' => out.push_str(&format!("{:0width$}", at.hour())),
            'k' => out.push_str(&format!("{:0width$}", (at.hour() + 23) % 24 + 1)),
            'K' => out.push_str(&format!("{:0width$}", at.hour() % 12)),
            'h' => out.push_str(&format!("{:0width$}", (at.hour() + 11) % 12 + 1)),
            'm' => out.push_str(&format!("{:0width$}", at.minute())),
            's' => out.push_str(&format!("{:0width$}", at.second())),
            'S' => {
                let digits = format!("{:09}", at.subsec_nanosecond());
                out.push_str(&digits[..width.min(9)]);
            }
            'z' => out.push_str(&at.strftime("%Z").to_string()),
            'Z' if width == 1 => out.push_str(&at.strftime("%z").to_string()),
            'Z' => out.push_str(&at.strftime("%:z").to_string()),
            c if c.is_ascii_alphabetic() => {}
            c => out.extend(std::iter::repeat_n(c, count)),
        }
        rest = &rest[c.len_utf8() * count..];
    }
    out
}

/// Text up to the next apostrophe; two of them are one.
fn quoted(rest: &str) -> (String, &str) {
    if let Some(after) = rest.strip_prefix('\'') {
        return ("'".to_owned(), after);
    }
    let mut text = String::new();
    let mut rest = rest;
    loop {
        let Some((part, after)) = rest.split_once('\'') else {
            text.push_str(rest);
            return (text, "");
        };
        text.push_str(part);
        rest = after;
        match rest.strip_prefix('\'') {
            Some(after) => {
                text.push('\'');
                rest = after;
            }
            None => return (text, rest),
        }
    }
}

/// The name of the month, of the weekday, or of the half of the day.
fn name(
    locale: &Locale,
    zone: &Zone,
    instant: Timestamp,
    letter: char,
    width: usize,
) -> Option<String> {
    let text = match (letter, width) {
        ('M', 3) => "MMM",
        ('M', _) => "MMMM",
        ('E', ..=3) => "EEE",
        ('E', _) => "EEEE",
        _ => "a",
    };
    let pattern = DateTimePattern::try_from_pattern_str(text).ok()?;
    let mut names = FixedCalendarDateTimeNames::<Gregorian, CompositeDateTimeFieldSet>::try_new(
        DateTimeFormatterPreferences::from(&locale.0),
    )
    .ok()?;
    let formatter = names.include_for_pattern(&pattern).ok()?;
    let formatted = formatter.format(&local(zone, instant)?);
    let text = formatted.try_write_to_string();
    text.ok().map(std::borrow::Cow::into_owned)
}

/// An instant one day earlier.
pub(crate) fn day_before(instant: Timestamp) -> Option<Timestamp> {
    instant.checked_sub(24.hours()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn shown(locale: &str, zone: &str, skeleton: &str) -> String {
        let style = DateStyle::read(skeleton, false);
        let text = format(
            &Locale::named(locale),
            &Zone::named(zone),
            at("2017-12-01T18:30:00Z"),
            style,
        );
        // CLDR separates the halves of the day by a narrow space.
        text.replace(['\u{202f}', '\u{a0}'], " ")
    }

    #[test]
    fn skeletons_read_as_in_the_place() {
        for (locale, zone, skeleton, expected) in [
            ("en_US", "UTC", "::YYYYMMMd", "Dec 1, 2017"),
            ("en_US", "UTC", "::MMMd", "Dec 1"),
            ("en_US", "UTC", "::EE", "Fri"),
            ("en_US", "UTC", "::EEjmm", "Fri 6:30 PM"),
            ("en_US", "UTC", "::jmmYYYYMMMd", "Dec 1, 2017, 6:30 PM"),
            ("en_US", "UTC", "::hmmaYYYYMMMd", "Dec 1, 2017, 6:30 PM"),
            ("fi_FI", "Europe/Helsinki", "::YYYYMMMd", "1.12.2017"),
            ("fi_FI", "Europe/Helsinki", "::EEjmm", "pe 20.30"),
            ("de", "Europe/Berlin", "::jmm", "19:30"),
            ("en_US", "nowhere", "::jmm", "6:30 PM"),
            ("en_US", "UTC", "::MMMM", "December"),
            ("en_US", "UTC", "::yMMMM", "December 2017"),
            ("en_US", "UTC", "short", "12/1/17"),
            ("en_US", "UTC", "full", "Friday, December 1, 2017"),
        ] {
            assert_eq!(
                shown(locale, zone, skeleton),
                expected,
                "{locale} {skeleton}"
            );
        }
    }

    #[test]
    fn patterns_of_joda_are_kept() {
        let shown = |locale: &str, zone: &str, pattern: &str| {
            let instant = at("2016-12-31T23:05:09.007Z");
            joda(&Locale::named(locale), &Zone::named(zone), instant, pattern)
        };
        assert_eq!(shown("en-US", "Etc/UTC", "MMM d, YYYY"), "Dec 31, 2016");
        assert_eq!(
            shown("en-US", "Europe/Helsinki", "EEEE d/M/yy"),
            "Sunday 1/1/17"
        );
        assert_eq!(
            shown("en-US", "UTC", "hh:mm a 'o''clock'"),
            "11:05 PM o'clock"
        );
        assert_eq!(shown("fr-FR", "UTC", "EEE d MMMM"), "sam. 31 décembre");
        assert_eq!(
            shown("en", "UTC", "HH.mm.ss.SSS Z 'x"),
            "23.05.09.007 +0000 x"
        );
        assert_eq!(shown("en", "UTC", "q['']"), "[']");
    }

    #[test]
    fn instants_are_read_from_every_form() {
        let expected = at("2017-12-01T18:30:00Z");
        for value in [
            json!({"year": 2017, "month": 12, "day": 1, "hours": 18, "minutes": 30}),
            json!("2017-12-01T18:30:00.000Z"),
            json!(1_512_153_000_000_i64),
        ] {
            assert_eq!(instant(&Val::Ref(&value)), Some(expected), "{value}");
        }
        for bad in [
            json!({"year": 2017, "month": 13}),
            json!("soon"),
            json!(1e300),
            json!([]),
        ] {
            assert_eq!(instant(&Val::Ref(&bad)), None, "{bad}");
        }
        assert_eq!(instant(&Val::own(to_json(expected))), Some(expected));
    }
}
