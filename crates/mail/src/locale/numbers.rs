//! Numbers.

use super::Locale;
use crate::template::Val;
use fixed_decimal::{Decimal, FloatPrecision, SignedRoundingMode, UnsignedRoundingMode};
use icu_decimal::DecimalFormatter;
use icu_decimal::options::{DecimalFormatterOptions, GroupingStrategy};
use icu_plurals::{PluralCategory, PluralRuleType, PluralRules};
use serde_json::Value as Json;

/// Most fraction digits that a style may ask for.
pub(crate) const FRACTION_MAX: i16 = 20;
/// Longest text that is read as a number.
const TEXT_MAX: usize = 40;

/// How a number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NumberStyle {
    /// Fewest fraction digits.
    pub(crate) least: i16,
    /// Most fraction digits.
    pub(crate) most: i16,
    pub(crate) grouping: bool,
    pub(crate) percent: bool,
}

impl Default for NumberStyle {
    fn default() -> Self {
        Self {
            least: 0,
            most: 3,
            grouping: true,
            percent: false,
        }
    }
}

impl NumberStyle {
    /// Exactly so many fraction digits.
    pub(crate) fn fixed(digits: i16) -> Self {
        Self {
            least: digits,
            most: digits,
            ..Self::default()
        }
    }

    /// Reads what stands behind `number,` in a message: `integer`, `percent`, or a skeleton such
    /// as `::.00`. What it does not know it leaves out.
    pub(crate) fn read(style: &str) -> Self {
        let mut read = Self::default();
        let Some(skeleton) = style.trim().strip_prefix("::") else {
            match style.trim() {
                "integer" => read.most = 0,
                "percent" => (read.percent, read.most) = (true, 0),
                _ => {}
            }
            return read;
        };
        for word in skeleton.split_whitespace() {
            match word {
                "percent" | "%" | "%x100" => (read.percent, read.most) = (true, 0),
                "precision-integer" => (read.least, read.most) = (0, 0),
                "group-off" | ",_" => read.grouping = false,
                _ => {
                    let Some(digits) = word.strip_prefix('.') else {
                        continue;
                    };
                    let digits = digits.split('/').next().unwrap_or_default();
                    let zeros = digits.bytes().take_while(|b| *b == b'0').count();
                    let most = zeros + digits[zeros..].bytes().filter(|b| *b == b'#').count();
                    let limited = |n| i16::try_from(n).unwrap_or(FRACTION_MAX).min(FRACTION_MAX);
                    (read.least, read.most) = (limited(zeros), limited(most));
                    if digits.ends_with(['*', '+']) {
                        read.most = FRACTION_MAX;
                    }
                }
            }
        }
        read
    }
}

/// The number in a value; a text that is one counts.
pub(crate) fn number(value: &Val<'_>) -> Option<Decimal> {
    match value.json()? {
        Json::Number(n) => {
            if let Some(whole) = n.as_i64() {
                return Some(whole.into());
            }
            if let Some(whole) = n.as_u64() {
                return Some(whole.into());
            }
            Decimal::try_from_f64(n.as_f64()?, FloatPrecision::RoundTrip).ok()
        }
        Json::String(text) if text.len() <= TEXT_MAX => text.trim().parse().ok(),
        _ => None,
    }
}

/// Writes a number.
pub(crate) fn format(locale: &Locale, number: &Decimal, style: NumberStyle) -> String {
    let mut number = number.clone();
    if style.percent {
        number.multiply_pow10(2);
    }
    let mode = SignedRoundingMode::Unsigned(UnsignedRoundingMode::HalfExpand);
    number.round_with_mode(-style.most, mode);
    number.absolute.trim_end();
    number.absolute.pad_end(-style.least);
    number.absolute.trim_start();
    let mut options = DecimalFormatterOptions::default();
    options.grouping_strategy = Some(if style.grouping {
        GroupingStrategy::Auto
    } else {
        GroupingStrategy::Never
    });
    let formatted = match DecimalFormatter::try_new((&locale.0).into(), options) {
        Ok(formatter) => formatter.format(&number).to_string(),
        Err(_) => number.to_string(),
    };
    if style.percent {
        format!("{formatted}%")
    } else {
        formatted
    }
}

/// The plural category of a number: `one`, `few`, `other`, ...
pub(crate) fn category(locale: &Locale, number: &Decimal, ordinal: bool) -> &'static str {
    let kind = if ordinal {
        PluralRuleType::Ordinal
    } else {
        PluralRuleType::Cardinal
    };
    let rules = PluralRules::try_new((&locale.0).into(), kind.into());
    match rules.map(|rules| rules.category_for(number)) {
        Ok(PluralCategory::Zero) => "zero",
        Ok(PluralCategory::One) => "one",
        Ok(PluralCategory::Two) => "two",
        Ok(PluralCategory::Few) => "few",
        Ok(PluralCategory::Many) => "many",
        Ok(PluralCategory::Other) | Err(_) => "other",
    }
}

/// Fraction digits of a currency, after ISO 4217.
pub(crate) fn currency_digits(currency: &str) -> i16 {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX"
        | "UYI" | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        "CLF" | "UYW" => 4,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(locale: &str, number: f64, style: &str) -> String {
        let number = Decimal::try_from_f64(number, FloatPrecision::RoundTrip).unwrap();
        format(&Locale::named(locale), &number, NumberStyle::read(style))
    }

    #[test]
    fn numbers_are_written_as_in_the_place() {
        for (locale, number, style, expected) in [
            ("en_US", 1234.5, "::.00", "1,234.50"),
            ("fi_FI", 1234.5, "::.00", "1\u{a0}234,50"),
            ("de", -1_234_567.891_2, "", "-1.234.567,891"),
            ("es", 1234.0, "", "1234"),
            ("en", 0.5, "percent", "50%"),
            ("en", 1234.5, "::group-off .0##", "1234.5"),
            ("en", 2.0, "::.##", "2"),
            ("en", 2.5, "integer", "3"),
            ("en", 0.0, "::.00", "0.00"),
            ("zz-nonsense", 1.5, "", "1.5"),
        ] {
            assert_eq!(
                shown(locale, number, style),
                expected,
                "{locale} {number} {style}"
            );
        }
    }

    #[test]
    fn plurals_follow_the_language() {
        let category =
            |locale: &str, n: i64| category(&Locale::named(locale), &Decimal::from(n), false);
        assert_eq!(category("en", 1), "one");
        assert_eq!(category("en", 0), "other");
        assert_eq!(category("fr", 0), "one");
        assert_eq!(category("ru", 2), "few");
        assert_eq!(category("ja", 1), "other");
    }
}
