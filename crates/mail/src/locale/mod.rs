//! Numbers, dates and plurals as people of a place write them, with the data of CLDR.

pub(crate) mod dates;
pub(crate) mod numbers;

use jiff::tz::TimeZone;

/// A language and a place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Locale(pub(crate) icu_locale_core::Locale);

impl Locale {
    /// Reads `en_US`, `en-US`, `fi`; anything else is `en-US`.
    pub(crate) fn named(name: &str) -> Self {
        // A longer one is no locale that anybody speaks.
        let name = if name.len() > 64 { "" } else { name.trim() };
        match name.replace('_', "-").parse() {
            Ok(locale) if !name.is_empty() => Self(locale),
            _ => Self::default(),
        }
    }
}

impl Default for Locale {
    fn default() -> Self {
        Self(icu_locale_core::locale!("en-US"))
    }
}

/// A time zone.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Zone(pub(crate) TimeZone);

impl Zone {
    /// The zone of that name in the database of IANA; UTC when there is none.
    pub(crate) fn named(name: &str) -> Self {
        TimeZone::get(name.trim()).map_or_else(|_| Self::default(), Self)
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}
