//! Fields of a new listing, and the checks that every field has wherever it comes from.

use super::{AvailabilityPlan, Listing, State};
use stoa_types::extended_data::NotExtendedData;
use stoa_types::id::{ListingId, UserId};
use stoa_types::money::MAX_SAFE_INTEGER;
use stoa_types::{ExtendedData, LatLng, Money, Problem, SourceKind, Timestamp};

/// Most characters of a title.
const MAX_TITLE: usize = 1000;
/// Most characters of a description.
const MAX_DESCRIPTION: usize = 50_000;

/// Checked fields of a new listing.
#[derive(Clone, Debug)]
pub(crate) struct Fields {
    pub(crate) title: String,
    pub(crate) description: Option<String>,
    pub(crate) geolocation: Option<LatLng>,
    pub(crate) price: Option<Money>,
    pub(crate) availability_plan: Option<AvailabilityPlan>,
    pub(crate) public_data: ExtendedData,
    pub(crate) private_data: ExtendedData,
    pub(crate) metadata: ExtendedData,
}

impl Fields {
    /// The new listing.
    pub(crate) fn into_listing(
        self,
        id: ListingId,
        author: UserId,
        state: State,
        now: Timestamp,
    ) -> Listing {
        Listing {
            id,
            author,
            version: 1,
            state,
            deleted: false,
            title: self.title,
            description: self.description,
            geolocation: self.geolocation,
            created_at: now,
            price: self.price,
            availability_plan: self.availability_plan,
            public_data: self.public_data.to_json(),
            private_data: self.private_data.to_json(),
            metadata: self.metadata.to_json(),
        }
    }
}

fn invalid(key: &'static str, why: impl Into<String>) -> Problem {
    Problem::invalid_value(SourceKind::Body, vec![key.into()], why)
}

fn text(key: &'static str, text: String, max: usize) -> Result<String, Problem> {
    if text.contains('\0') {
        return Err(invalid(key, "must not contain the character U+0000"));
    }
    // Bytes first: counting characters walks over the whole text.
    if text.len() > max && text.chars().count() > max {
        return Err(invalid(
            key,
            format!("must not be longer than {max} characters"),
        ));
    }
    Ok(text)
}

/// Checks a title: it must say something.
pub(crate) fn title(value: String) -> Result<String, Problem> {
    if value.trim().is_empty() {
        return Err(invalid("title", "must not be empty"));
    }
    text("title", value, MAX_TITLE)
}

/// Checks a description.
pub(crate) fn description(value: String) -> Result<String, Problem> {
    text("description", value, MAX_DESCRIPTION)
}

/// Checks a price; any currency will do, also one that is not the marketplace's.
pub(crate) fn price(amount: i64, currency: &str) -> Result<Money, Problem> {
    let at = |key: &'static str, why| {
        Problem::invalid_value(SourceKind::Body, vec!["price".into(), key.into()], why)
    };
    if !(0..=MAX_SAFE_INTEGER).contains(&amount) {
        return Err(at(
            "amount",
            "must be an integer of at least 0 in minor units",
        ));
    }
    let currency = currency
        .parse()
        .map_err(|_| at("currency", "must be three upper-case letters"))?;
    Ok(Money::new(amount, currency))
}

/// Checks a place.
pub(crate) fn geolocation(lat: f64, lng: f64) -> Result<LatLng, Problem> {
    LatLng::checked(lat, lng).ok_or_else(|| {
        invalid(
            "geolocation",
            "latitude is -90 to 90, longitude -180 to 180 degrees",
        )
    })
}

/// Checks extended data on its own; the size counts again after a merge.
pub(crate) fn extended_data(key: &'static str, json: &str) -> Result<ExtendedData, Problem> {
    ExtendedData::parse(json).map_err(|why| bad_data(key, why))
}

/// The 400 for bad extended data.
pub(crate) fn bad_data(key: &'static str, why: NotExtendedData) -> Problem {
    invalid(key, why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<T: std::fmt::Debug>(result: Result<T, Problem>) -> bool {
        let problem = result.unwrap_err();
        problem.status == 400 && problem.source.is_some()
    }

    #[test]
    fn a_title_says_something_and_has_a_limit() {
        assert_eq!(title("Bike".into()).unwrap(), "Bike");
        assert!(title("é".repeat(MAX_TITLE)).is_ok());
        for bad in ["", "  ", "a\0b", &"é".repeat(MAX_TITLE + 1)] {
            assert!(refused(title(bad.to_owned())));
        }
        assert!(refused(description("x".repeat(MAX_DESCRIPTION + 1))));
    }

    #[test]
    fn a_price_is_not_negative_and_has_a_currency() {
        assert_eq!(price(0, "EUR").unwrap().amount, 0);
        assert!(refused(price(-1, "EUR")));
        assert!(refused(price(1 << 53, "EUR")));
        assert!(refused(price(1, "eur")));
    }

    #[test]
    fn a_place_is_on_the_globe() {
        assert!(geolocation(90.0, -180.0).is_ok());
        assert!(refused(geolocation(90.1, 0.0)));
        assert!(refused(geolocation(0.0, f64::NAN)));
    }
}
