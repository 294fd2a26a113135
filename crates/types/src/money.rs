//! Money in minor units, and places on the globe.

use std::fmt;
use std::str::FromStr;

/// A currency code: three upper-case ASCII letters (ISO 4217 form; the list is not checked).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

/// The text is not three upper-case letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a currency code")]
pub struct NotACurrency;

impl Currency {
    /// Reads a code such as `EUR`.
    ///
    /// # Errors
    /// [`NotACurrency`] unless the text is exactly three upper-case ASCII letters.
    pub fn parse(text: &str) -> Result<Self, NotACurrency> {
        let bytes: [u8; 3] = text.as_bytes().try_into().map_err(|_| NotACurrency)?;
        if bytes.iter().all(u8::is_ascii_uppercase) {
            Ok(Self(bytes))
        } else {
            Err(NotACurrency)
        }
    }

    /// The code as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a currency is ASCII")
    }
}

impl FromStr for Currency {
    type Err = NotACurrency;
    fn from_str(text: &str) -> Result<Self, NotACurrency> {
        Self::parse(text)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An amount in minor units (cents of `EUR`, whole yen of `JPY`) and its currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Money {
    /// Minor units; may be negative in line items.
    pub amount: i64,
    /// The currency.
    pub currency: Currency,
}

/// Largest amount that every client can read: 2^53 - 1.
pub const MAX_SAFE_INTEGER: i64 = 9_007_199_254_740_991;

impl Money {
    /// An amount of minor units in a currency.
    pub const fn new(amount: i64, currency: Currency) -> Self {
        Self { amount, currency }
    }

    /// The sum, or nothing when the currencies differ or the amount leaves the range that
    /// clients can read.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        if self.currency != other.currency {
            return None;
        }
        let amount = self.amount.checked_add(other.amount)?;
        (amount.abs() <= MAX_SAFE_INTEGER).then_some(Self { amount, ..self })
    }
}

/// A place: degrees of latitude (-90 to 90) and longitude (-180 to 180).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LatLng {
    /// Degrees north.
    pub lat: f64,
    /// Degrees east.
    pub lng: f64,
}

impl LatLng {
    /// A place, or nothing when a coordinate is out of range or not a number.
    pub fn checked(lat: f64, lng: f64) -> Option<Self> {
        ((-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lng))
            .then_some(Self { lat, lng })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn currencies_are_three_upper_case_letters() {
        assert_eq!(Currency::parse("EUR").unwrap().to_string(), "EUR");
        for bad in ["eur", "EU", "EURO", "E1R", "ÄÖ"] {
            assert!(Currency::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn money_of_two_currencies_does_not_add_up() {
        let eur = Money::new(1, Currency::parse("EUR").unwrap());
        let usd = Money::new(1, Currency::parse("USD").unwrap());
        assert_eq!(eur.checked_add(eur).unwrap().amount, 2);
        assert!(eur.checked_add(usd).is_none());
        assert!(
            Money::new(MAX_SAFE_INTEGER, eur.currency)
                .checked_add(eur)
                .is_none()
        );
    }

    #[test]
    fn places_off_the_globe_are_refused() {
        assert!(LatLng::checked(60.16, 24.94).is_some());
        assert!(LatLng::checked(90.1, 0.0).is_none());
        assert!(LatLng::checked(0.0, f64::NAN).is_none());
    }
}
