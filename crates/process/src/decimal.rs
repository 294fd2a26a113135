//! Exact decimals: quantities and shares never pass through binary floats.

use rust_decimal::Decimal;
use stoa_types::money::MAX_SAFE_INTEGER;

/// Reads `-12.50`, `1e2` and the like exactly, without trailing zeros; nothing when the text is no
/// number or has more than 28 digits on either side.
pub(crate) fn parse(text: &str) -> Option<Decimal> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, digits) = match mantissa.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, mantissa),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let mut scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
    let joined = format!("{whole}{fraction}");
    let mut significant = joined.trim_start_matches('0');
    while let Some(shorter) = significant.strip_suffix('0') {
        significant = shorter;
        scale = scale.checked_sub(1)?;
    }
    if significant.is_empty() {
        return Some(Decimal::ZERO);
    }
    if significant.len() > 28 {
        return None;
    }
    let mut value: i128 = significant.parse().ok()?;
    if scale < 0 {
        value = value.checked_mul(10_i128.checked_pow(scale.unsigned_abs())?)?;
        scale = 0;
    }
    let value = if negative { -value } else { value };
    Decimal::try_from_i128_with_scale(value, scale.unsigned_abs()).ok()
}

/// `amount × factor ÷ 10^shift`, rounded once to a whole number, half away from zero; nothing when
/// the result leaves the range that clients can read. `shift` is at most 2.
pub(crate) fn multiply_rounded(amount: i64, factor: Decimal, shift: u32) -> Option<i64> {
    // 64 bits times 96 bits do not fit any integer here, so the amount is split in two parts and
    // divided like on paper: exact for every input, and rounded only once.
    const PART: u32 = 32;
    debug_assert!(shift <= 2, "the bounds below hold for at most 30 decimals");
    let negative = (amount < 0) != (factor.mantissa() < 0);
    let amount = u128::from(amount.unsigned_abs());
    if amount > u128::from(MAX_SAFE_INTEGER.unsigned_abs()) {
        return None;
    }
    let divisor = 10_u128.pow(factor.scale() + shift);
    let (whole, rest) = {
        let mantissa = factor.mantissa().unsigned_abs();
        (mantissa / divisor, mantissa % divisor)
    };
    let (high, low) = (amount >> PART, amount & ((1 << PART) - 1));
    // rest < 2^96 and high < 2^21, so the products stay below 2^128.
    let high_product = high * rest;
    let remainder = high_product % divisor;
    let (carry_whole, carry_rest) = divide_shifted(remainder, PART, divisor);
    let low_product = low * rest;
    let fraction = carry_rest + low_product % divisor;
    let mut total = whole
        .checked_mul(amount)?
        .checked_add((high_product / divisor) << PART)?
        .checked_add(carry_whole + low_product / divisor + fraction / divisor)?;
    if (fraction % divisor) * 2 >= divisor {
        total = total.checked_add(1)?;
    }
    let total = i64::try_from(total)
        .ok()
        .filter(|total| *total <= MAX_SAFE_INTEGER)?;
    Some(if negative { -total } else { total })
}

/// Quotient and remainder of `value × 2^bits ÷ divisor` for `value < divisor ≤ 10^30`.
fn divide_shifted(value: u128, bits: u32, divisor: u128) -> (u128, u128) {
    let (mut quotient, mut rest) = (0, value);
    for _ in 0..bits {
        rest *= 2;
        quotient *= 2;
        if rest >= divisor {
            rest -= divisor;
            quotient += 1;
        }
    }
    (quotient, rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_read_exactly() {
        for (text, value) in [
            ("0", "0"),
            ("-0.0", "0"),
            ("2.50", "2.5"),
            ("1e2", "100"),
            ("15E-1", "1.5"),
            ("0.33333333333333333333", "0.33333333333333333333"),
            ("100", "100"),
            ("-0.5", "-0.5"),
        ] {
            assert_eq!(parse(text).unwrap().to_string(), value, "{text}");
        }
        let too_long = "1".repeat(29);
        for bad in [
            "",
            "-",
            ".5",
            "1.",
            "1e",
            "x",
            "1_0",
            "NaN",
            "1e40",
            "1e-40",
            "1e99999999999",
            &too_long,
        ] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }

    // contract: engine E16, transactions T16
    #[test]
    fn halves_are_rounded_away_from_zero() {
        let product = |amount, factor, shift| {
            multiply_rounded(amount, parse(factor).unwrap(), shift).unwrap()
        };
        assert_eq!(product(333, "0.5", 0), 167);
        assert_eq!(product(333, "-0.5", 0), -167);
        assert_eq!(product(333, "15.5", 2), 52);
        assert_eq!(product(333, "-10", 2), -33);
        assert_eq!(product(5, "0.5", 0), 3);
        assert_eq!(product(-5, "0.5", 0), -3);
        assert_eq!(product(-1, "0.5", 0), -1);
        assert_eq!(product(1, "0.4999999999999999999999999999", 0), 0);
        assert_eq!(product(MAX_SAFE_INTEGER, "1", 0), MAX_SAFE_INTEGER);
        assert!(multiply_rounded(MAX_SAFE_INTEGER, parse("1.01").unwrap(), 0).is_none());
        assert!(multiply_rounded(2, parse("9e27").unwrap(), 0).is_none());
    }

    proptest! {
        #[test]
        fn products_agree_with_plain_integers(
            amount in -1_000_000_000_i64..1_000_000_000,
            mantissa in -1_000_000_000_000_i128..1_000_000_000_000,
            scale in 6_u32..18,
            shift in 0_u32..=2,
        ) {
            let divisor = 10_i128.pow(scale + shift);
            let exact = i128::from(amount) * mantissa;
            let rounded = (exact.abs() * 2 + divisor) / (divisor * 2) * exact.signum();
            let factor = Decimal::try_from_i128_with_scale(mantissa, scale).unwrap();
            let expected = i64::try_from(rounded).ok().filter(|v| v.abs() <= MAX_SAFE_INTEGER);
            prop_assert_eq!(multiply_rounded(amount, factor, shift), expected);
        }

        #[test]
        fn a_whole_factor_with_many_decimals_is_exact(
            amount in 0..=MAX_SAFE_INTEGER, thousandths in 0_i128..=1000,
        ) {
            // 0.xyz written with 28 decimals: the widest numbers the multiplication meets.
            let factor = Decimal::try_from_i128_with_scale(thousandths * 10_i128.pow(25), 28).unwrap();
            let exact = i128::from(amount) * thousandths;
            let expected = i64::try_from((exact * 2 + 1000) / 2000).unwrap();
            prop_assert_eq!(multiply_rounded(amount, factor, 0), Some(expected));
        }

        #[test]
        fn no_text_makes_the_decimal_reader_panic(text in "[0-9.eE+-]{0,40}") {
            let _ = parse(&text);
        }
    }
}
