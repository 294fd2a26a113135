//! Instants with millisecond precision: what both databases store and the public API shows.

use std::fmt;
use std::str::FromStr;

/// An instant in milliseconds since 1970-01-01T00:00:00Z.
///
/// Finer parts are cut off when a value is made, so that what is stored, sent and compared is
/// always the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// The text is no instant: neither RFC 3339 with an offset nor a plain date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an ISO 8601 instant")]
pub struct NotAnInstant;

/// Last instant that four-digit years can write: 9999-12-30T22:00:00Z, the end of the time library.
const MAX_MS: i64 = 253_402_207_200_000;
/// First instant that is accepted: 0001-01-01T00:00:00Z.
const MIN_MS: i64 = -62_135_596_800_000;

impl Timestamp {
    /// An instant from epoch milliseconds.
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// An instant from epoch milliseconds that came from outside.
    ///
    /// # Errors
    /// [`NotAnInstant`] outside the years 1 to 9999.
    pub fn checked_from_ms(ms: i64) -> Result<Self, NotAnInstant> {
        if (MIN_MS..=MAX_MS).contains(&ms) {
            Ok(Self(ms))
        } else {
            Err(NotAnInstant)
        }
    }

    /// Milliseconds since the epoch.
    pub const fn as_ms(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down (the unit of JWT claims).
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This instant moved by `ms` milliseconds, saturating at the ends of the range of `i64`.
    #[must_use]
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this instant; negative when it lies before.
    pub const fn ms_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Reads an ISO 8601 instant: with any offset or `Z`, with or without fraction, or a plain
    /// date (`2026-01-02` is 00:00Z of that day).
    ///
    /// # Errors
    /// [`NotAnInstant`] for anything else, or outside the years 1 to 9999.
    pub fn parse(text: &str) -> Result<Self, NotAnInstant> {
        if text.len() == 10 {
            let date: jiff::civil::Date = text.parse().map_err(|_| NotAnInstant)?;
            let zoned = date
                .to_zoned(jiff::tz::TimeZone::UTC)
                .map_err(|_| NotAnInstant)?;
            return Self::checked_from_ms(zoned.timestamp().as_millisecond());
        }
        let instant: jiff::Timestamp = text.parse().map_err(|_| NotAnInstant)?;
        let nanos = instant.as_nanosecond();
        let ms = i64::try_from(nanos.div_euclid(1_000_000)).map_err(|_| NotAnInstant)?;
        Self::checked_from_ms(ms)
    }
}

impl FromStr for Timestamp {
    type Err = NotAnInstant;
    fn from_str(text: &str) -> Result<Self, NotAnInstant> {
        Self::parse(text)
    }
}

impl fmt::Display for Timestamp {
    /// ISO 8601 with exactly three fraction digits and `Z`: `2026-01-02T03:04:05.678Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Days to civil date after Howard Hinnant's public algorithm; on the hot path of every
        // list response, where a calendar library costs several times as much.
        let ms = self.0.clamp(MIN_MS, MAX_MS);
        let (days, in_day) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
        let z = days + 719_468;
        let era = z.div_euclid(146_097);
        let doe = z.rem_euclid(146_097);
        let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let day = doy - (153 * mp + 2) / 5 + 1;
        let month = if mp < 10 { mp + 3 } else { mp - 9 };
        let year = yoe + era * 400 + i64::from(month <= 2);
        let (h, m) = (in_day / 3_600_000, in_day / 60_000 % 60);
        let (s, milli) = (in_day / 1000 % 60, in_day % 1000);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{milli:03}Z"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_instant_prints_with_three_fraction_digits() {
        assert_eq!(
            Timestamp::from_ms(0).to_string(),
            "1970-01-01T00:00:00.000Z"
        );
        assert_eq!(
            Timestamp::from_ms(1_767_225_600_000).to_string(),
            "2026-01-01T00:00:00.000Z"
        );
        assert_eq!(
            Timestamp::from_ms(-1).to_string(),
            "1969-12-31T23:59:59.999Z"
        );
    }

    #[test]
    fn offsets_dates_and_missing_fractions_are_read() {
        let t = Timestamp::parse("2026-01-02T03:04:05.678Z").unwrap();
        assert_eq!(
            Timestamp::parse("2026-01-02T05:04:05.678+02:00").unwrap(),
            t
        );
        assert_eq!(Timestamp::parse("2026-01-02T03:04:05.6789Z").unwrap(), t);
        assert_eq!(
            Timestamp::parse("2026-01-02").unwrap().to_string(),
            "2026-01-02T00:00:00.000Z"
        );
        for bad in [
            "",
            "now",
            "2026-13-01",
            "2026-01-02T03:04:05",
            "NaN",
            "2026-1-2",
        ] {
            assert!(Timestamp::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(ms in MIN_MS..=MAX_MS) {
            let t = Timestamp::from_ms(ms);
            prop_assert_eq!(Timestamp::parse(&t.to_string()), Ok(t));
        }
    }
}
