//! ISO 8601 durations and calendar arithmetic in UTC.

use stoa_types::Timestamp;

/// A duration such as `P1M`, `P6D` or `PT15M`: calendar months, then time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    months: i64,
    ms: i64,
}

/// Results stay between the years 1 and 9999; what is farther away is as good as never.
const FIRST_MS: i64 = -62_135_596_800_000;
const LAST_MS: i64 = 253_402_207_200_000;
const DAY_MS: i64 = 86_400_000;

impl Period {
    /// Reads `P[nY][nM][nW][nD][T[nH][nM][nS]]`; seconds may have a fraction, of which
    /// milliseconds count, and weeks may stand beside other parts.
    ///
    /// Nothing for other texts, negative parts, an empty `P` or `PT`, and what is far longer than
    /// any calendar.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix('P')?;
        let (date, time) = match rest.split_once('T') {
            Some((date, time)) if !time.is_empty() => (date, time),
            Some(_) => return None,
            None => (rest, ""),
        };
        if date.is_empty() && time.is_empty() {
            return None;
        }
        let mut period = Self { months: 0, ms: 0 };
        for (unit, number) in parts(date, "YMWD")? {
            let number: i64 = number.parse().ok()?;
            match unit {
                'Y' => period.add_months(number.checked_mul(12)?)?,
                'M' => period.add_months(number)?,
                'W' => period.add_ms(number.checked_mul(7 * DAY_MS)?)?,
                _ => period.add_ms(number.checked_mul(DAY_MS)?)?,
            }
        }
        for (unit, number) in parts(time, "HMS")? {
            if unit == 'S' {
                period.add_ms(seconds_ms(number)?)?;
                continue;
            }
            let unit_ms = if unit == 'H' { 3_600_000 } else { 60_000 };
            period.add_ms(number.parse::<i64>().ok()?.checked_mul(unit_ms)?)?;
        }
        Some(period)
    }

    fn add_months(&mut self, months: i64) -> Option<()> {
        self.months = self
            .months
            .checked_add(months)
            .filter(|sum| *sum <= 12 * 10_000)?;
        Some(())
    }

    fn add_ms(&mut self, ms: i64) -> Option<()> {
        self.ms = self
            .ms
            .checked_add(ms)
            .filter(|sum| *sum <= LAST_MS - FIRST_MS)?;
        Some(())
    }

    /// The instant this long after `at`: months by the calendar with the day clamped to the end of
    /// the month, then the rest.
    pub fn after(&self, at: Timestamp) -> Timestamp {
        clamped(plus_months(clamped(at), self.months).plus_ms(self.ms))
    }

    /// The instant this long before `at`, in the same order.
    pub fn before(&self, at: Timestamp) -> Timestamp {
        clamped(plus_months(clamped(at), -self.months).plus_ms(-self.ms))
    }
}

fn clamped(at: Timestamp) -> Timestamp {
    Timestamp::from_ms(at.as_ms().clamp(FIRST_MS, LAST_MS))
}

fn plus_months(at: Timestamp, months: i64) -> Timestamp {
    use jiff::civil::Date;
    let edge = Timestamp::from_ms(if months < 0 { FIRST_MS } else { LAST_MS });
    let (day, in_day) = (at.as_ms().div_euclid(DAY_MS), at.as_ms().rem_euclid(DAY_MS));
    let epoch = Date::constant(1970, 1, 1);
    let moved = jiff::Span::new()
        .try_days(day)
        .and_then(|days| epoch.checked_add(days))
        .and_then(|date| date.checked_add(jiff::Span::new().try_months(months)?))
        .and_then(|date| epoch.until(date));
    match moved {
        Ok(days) => Timestamp::from_ms(i64::from(days.get_days()) * DAY_MS + in_day),
        Err(_) => edge,
    }
}

/// `10D` into `('D', "10")`, and so on; every unit at most once and in the given order.
fn parts<'t>(text: &'t str, units: &str) -> Option<Vec<(char, &'t str)>> {
    let (mut rest, mut units) = (text, units);
    let mut found = Vec::new();
    while !rest.is_empty() {
        let end = rest.find(|c: char| c.is_ascii_uppercase())?;
        let unit = rest[end..].chars().next()?;
        let number = &rest[..end];
        let whole = number.bytes().all(|b| b.is_ascii_digit());
        if number.is_empty() || !(whole || unit == 'S') {
            return None;
        }
        units = &units[units.find(unit)? + 1..];
        found.push((unit, number));
        rest = &rest[end + 1..];
    }
    Some(found)
}

/// Seconds with an optional fraction, in milliseconds; finer parts are cut off.
fn seconds_ms(text: &str) -> Option<i64> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = match text.split_once(['.', ',']) {
        Some((whole, fraction)) if digits(fraction) => (whole, fraction),
        Some(_) => return None,
        None => (text, "0"),
    };
    if !digits(whole) {
        return None;
    }
    let thousandths: i64 = format!("{fraction}00").get(..3)?.parse().ok()?;
    whole
        .parse::<i64>()
        .ok()?
        .checked_mul(1000)?
        .checked_add(thousandths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn after(start: &str, period: &str) -> String {
        Period::parse(period)
            .unwrap()
            .after(Timestamp::parse(start).unwrap())
            .to_string()
    }

    #[test]
    fn every_part_of_a_period_counts() {
        let start = "2026-01-01T00:00:00Z";
        for (period, expected) in [
            ("P1Y", "2027-01-01T00:00:00.000Z"),
            ("P1Y2M", "2027-03-01T00:00:00.000Z"),
            ("P1W1D", "2026-01-09T00:00:00.000Z"),
            ("P1DT1H1M1.5S", "2026-01-02T01:01:01.500Z"),
            ("PT0.0019S", "2026-01-01T00:00:00.001Z"),
            ("PT36H", "2026-01-02T12:00:00.000Z"),
            ("P0D", "2026-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(after(start, period), expected, "{period}");
        }
    }

    #[test]
    fn months_are_clamped_to_the_end_of_the_month() {
        assert_eq!(
            after("2024-01-31T09:00:00Z", "P1M"),
            "2024-02-29T09:00:00.000Z"
        );
        assert_eq!(
            after("2024-02-29T09:00:00Z", "P1Y"),
            "2025-02-28T09:00:00.000Z"
        );
        assert_eq!(
            after("2024-01-31T23:59:59.999Z", "P1MT1M"),
            "2024-03-01T00:00:59.999Z"
        );
        let before = Period::parse("P1M")
            .unwrap()
            .before(Timestamp::parse("2026-03-31").unwrap());
        assert_eq!(before.to_string(), "2026-02-28T00:00:00.000Z");
        let old = Period::parse("P1M")
            .unwrap()
            .before(Timestamp::parse("1969-03-31").unwrap());
        assert_eq!(old.to_string(), "1969-02-28T00:00:00.000Z");
    }

    #[test]
    fn what_is_no_period_is_refused() {
        for bad in [
            "",
            "P",
            "PT",
            "P1DT",
            "1D",
            "P-1D",
            "-P1D",
            "P1H",
            "PT1D",
            "P1D1Y",
            "P1D1D",
            "P1.5D",
            "PT1.S",
            "PT.5S",
            "PT1.5.5S",
            "p1d",
            "P1",
            "P 1D",
            "P99999999999999999999D",
            "P1é",
            "P999999Y",
        ] {
            assert!(Period::parse(bad).is_none(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "P?[0-9YMWDTHS.,é-]{0,20}") {
            let _ = Period::parse(&text);
        }

        #[test]
        fn later_and_earlier_stay_within_the_calendar(
            ms in any::<i64>(), months in 0_i64..=120_000, days in 0_i64..4_000_000,
        ) {
            let period = Period { months, ms: days * DAY_MS };
            for result in [
                period.after(Timestamp::from_ms(ms)), period.before(Timestamp::from_ms(ms)),
            ] {
                prop_assert!((FIRST_MS..=LAST_MS).contains(&result.as_ms()));
            }
        }

        #[test]
        fn a_longer_period_ends_no_earlier(
            ms in 0_i64..4_000_000_000_000, months in 0_i64..200, more in 0_i64..200,
        ) {
            let at = Timestamp::from_ms(ms);
            let (short, long) = (Period { months, ms: 0 }, Period { months: months + more, ms: 0 });
            prop_assert!(short.after(at) <= long.after(at));
        }
    }
}
