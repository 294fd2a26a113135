//! Messages to checked values; says all that is wrong with them.

use crate::domain::fields::{description, extended_data, geolocation, price, title};
use crate::domain::{AvailabilityPlan, Changes, Fields, Patch};
use stoa_proto::{listings as pb, types};
use stoa_types::id::ListingId;
use stoa_types::{ExtendedData, LatLng, Money, Problem, Problems, SourceKind};

/// The id in the body of a command.
pub(super) fn body_id(id: &str) -> Result<ListingId, Problem> {
    bad_id(id, SourceKind::Body)
}

/// The id in the query of a read.
pub(super) fn query_id(id: &str) -> Result<ListingId, Problem> {
    bad_id(id, SourceKind::Query)
}

fn bad_id(id: &str, kind: SourceKind) -> Result<ListingId, Problem> {
    ListingId::parse(id)
        .map_err(|why| Problem::invalid_value(kind, vec!["id".into()], why.to_string()))
}

/// Collects what is wrong.
#[derive(Default)]
struct Faults(Vec<Problem>);

impl Faults {
    fn take<T>(&mut self, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.0.push(problem)).ok()
    }

    fn plan(&mut self, json: &str) -> Option<AvailabilityPlan> {
        let plan = AvailabilityPlan::parse(json);
        plan.map_err(|problems| self.0.extend(problems)).ok()
    }

    fn place(&mut self, at: &types::LatLng) -> Option<LatLng> {
        self.take(geolocation(at.lat, at.lng))
    }

    fn money(&mut self, money: &types::Money) -> Option<Money> {
        self.take(price(money.amount, &money.currency))
    }

    fn data(&mut self, key: &'static str, json: Option<&String>) -> Option<ExtendedData> {
        json.and_then(|json| self.take(extended_data(key, json)))
    }

    /// Metadata is the marketplace's own.
    fn refuse_metadata(&mut self, metadata: Option<&String>, may_set: bool) {
        if metadata.is_some() && !may_set {
            self.0.push(Problem::disallowed_key(
                SourceKind::Body,
                vec!["metadata".into()],
            ));
        }
    }
}

/// Reads the fields of a new listing; `may_set_metadata` is true for those who act for the
/// marketplace.
pub(super) fn fields(
    message: Option<pb::ListingFields>,
    may_set_metadata: bool,
) -> Result<Fields, Problems> {
    let message = message.unwrap_or_default();
    let mut faults = Faults::default();
    faults.refuse_metadata(message.metadata.as_ref(), may_set_metadata);
    // In a new listing a key that is null is a key that is not there.
    let new_data = |data: Option<ExtendedData>| {
        let data = data.unwrap_or_default();
        ExtendedData::empty().merged(&data).unwrap_or(data)
    };
    let checked_title = faults.take(title(message.title));
    let fields = Fields {
        title: checked_title.unwrap_or_default(),
        description: message
            .description
            .and_then(|text| faults.take(description(text))),
        geolocation: message.geolocation.and_then(|at| faults.place(&at)),
        price: message.price.and_then(|money| faults.money(&money)),
        availability_plan: message
            .availability_plan
            .and_then(|json| faults.plan(&json)),
        public_data: new_data(faults.data("publicData", message.public_data.as_ref())),
        private_data: new_data(faults.data("privateData", message.private_data.as_ref())),
        metadata: new_data(faults.data("metadata", message.metadata.as_ref())),
    };
    Problems::check(faults.0)?;
    Ok(fields)
}

/// Reads the changes of an update.
pub(super) fn changes(
    message: pb::UpdateListingRequest,
    may_set_metadata: bool,
) -> Result<Changes, Problems> {
    let mut faults = Faults::default();
    faults.refuse_metadata(message.metadata.as_ref(), may_set_metadata);
    let changes = Changes {
        title: message.title.and_then(|text| faults.take(title(text))),
        description: match message.description {
            None => Patch::Keep,
            Some(patch) => Patch::Set(patch.value.and_then(|text| faults.take(description(text)))),
        },
        geolocation: match message.geolocation {
            None => Patch::Keep,
            Some(patch) => Patch::Set(patch.value.and_then(|at| faults.place(&at))),
        },
        price: match message.price {
            None => Patch::Keep,
            Some(patch) => Patch::Set(patch.value.and_then(|money| faults.money(&money))),
        },
        availability_plan: match message.availability_plan {
            None => Patch::Keep,
            Some(patch) => Patch::Set(patch.value.and_then(|json| faults.plan(&json))),
        },
        public_data: faults.data("publicData", message.public_data.as_ref()),
        private_data: faults.data("privateData", message.private_data.as_ref()),
        metadata: faults.data("metadata", message.metadata.as_ref()),
    };
    Problems::check(faults.0)?;
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_types::PathItem;

    fn places(problems: &Problems) -> Vec<(String, PathItem)> {
        let place = |p: &Problem| (p.code.to_string(), p.source.clone().unwrap().path.remove(0));
        problems.as_slice().iter().map(place).collect()
    }

    // contract: listings L14
    #[test]
    fn an_author_cannot_set_metadata() {
        let message = pb::ListingFields {
            title: "Bike".into(),
            metadata: Some("{}".into()),
            ..Default::default()
        };
        let problems = fields(Some(message.clone()), false).unwrap_err();
        let disallowed = ("validation-disallowed-key".to_owned(), "metadata".into());
        assert_eq!(places(&problems), [disallowed.clone()]);
        assert!(fields(Some(message), true).is_ok());
        let update = pb::UpdateListingRequest {
            metadata: Some("{}".into()),
            ..Default::default()
        };
        assert_eq!(places(&changes(update, false).unwrap_err()), [disallowed]);
    }

    #[test]
    fn every_bad_field_is_named() {
        let message = pb::ListingFields {
            title: " ".into(),
            description: Some("\0".into()),
            geolocation: Some(types::LatLng {
                lat: 91.0,
                lng: 0.0,
            }),
            price: Some(types::Money {
                amount: -1,
                currency: "EUR".into(),
            }),
            availability_plan: Some("{}".into()),
            public_data: Some("[]".into()),
            private_data: Some("{".into()),
            metadata: Some(r#"{"k":"\u0000"}"#.into()),
            image_ids: Vec::new(),
        };
        let problems = fields(Some(message), true).unwrap_err();
        let paths: Vec<PathItem> = places(&problems)
            .into_iter()
            .map(|(_, path)| path)
            .collect();
        let expected = [
            "title",
            "description",
            "geolocation",
            "price",
            "availabilityPlan",
            "publicData",
            "privateData",
            "metadata",
        ];
        assert_eq!(paths, expected.map(PathItem::from));
    }

    #[test]
    fn null_values_of_new_data_are_left_out() {
        let message = pb::ListingFields {
            title: "Bike".into(),
            public_data: Some(r#"{"a":null,"b":1}"#.into()),
            ..Default::default()
        };
        assert_eq!(
            fields(Some(message), false).unwrap().public_data.to_json(),
            r#"{"b":1}"#
        );
    }
}
