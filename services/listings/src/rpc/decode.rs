//! Messages to checked values; says all that is wrong with them.

use crate::domain::fields::{description, extended_data, geolocation, price, title};
use crate::domain::{AvailabilityPlan, Changes, Fields, Patch, State};
use stoa_proto::{listings as pb, types};
use stoa_types::id::{ListingId, UserId};
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

    /// `may_set_metadata` is true for those who act for the marketplace. What is at fault is empty.
    fn fields(&mut self, message: Option<pb::ListingFields>, may_set_metadata: bool) -> Fields {
        let message = message.unwrap_or_default();
        self.refuse_metadata(message.metadata.as_ref(), may_set_metadata);
        // In a new listing a key that is null is a key that is not there.
        let new_data = |data: Option<ExtendedData>| {
            let data = data.unwrap_or_default();
            ExtendedData::empty().merged(&data).unwrap_or(data)
        };
        Fields {
            title: self.take(title(message.title)).unwrap_or_default(),
            description: message
                .description
                .and_then(|text| self.take(description(text))),
            geolocation: message.geolocation.and_then(|at| self.place(&at)),
            price: message.price.and_then(|money| self.money(&money)),
            availability_plan: message.availability_plan.and_then(|json| self.plan(&json)),
            public_data: new_data(self.data("publicData", message.public_data.as_ref())),
            private_data: new_data(self.data("privateData", message.private_data.as_ref())),
            metadata: new_data(self.data("metadata", message.metadata.as_ref())),
        }
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

/// Reads the fields of a new listing of its author.
pub(super) fn own_listing(message: Option<pb::ListingFields>) -> Result<Fields, Problems> {
    let mut faults = Faults::default();
    let fields = faults.fields(message, false);
    Problems::check(faults.0)?;
    Ok(fields)
}

/// Reads a new listing that is made for the marketplace: author, state and fields.
pub(super) fn listing_for(
    message: pb::CreateListingRequest,
) -> Result<(UserId, State, Fields), Problems> {
    let mut faults = Faults::default();
    let author = faults.take(author(&message.author_id));
    let state = faults.take(state(&message.state));
    let fields = faults.fields(message.fields, true);
    Problems::check(faults.0)?;
    let (author, state) = author.zip(state).expect("without a fault both were read");
    Ok((author, state, fields))
}

fn author(id: &str) -> Result<UserId, Problem> {
    let path = vec!["authorId".into()];
    if id.is_empty() {
        return Err(Problem::missing_key(SourceKind::Body, path));
    }
    UserId::parse(id).map_err(|why| Problem::invalid_value(SourceKind::Body, path, why.to_string()))
}

fn state(name: &str) -> Result<State, Problem> {
    let path = vec!["state".into()];
    match State::from_name(name) {
        Some(state @ (State::Published | State::PendingApproval)) => Ok(state),
        None if name.is_empty() => Err(Problem::missing_key(SourceKind::Body, path)),
        Some(State::Draft | State::Closed) | None => {
            let why = "must be published or pendingApproval";
            Err(Problem::invalid_value(SourceKind::Body, path, why))
        }
    }
}

/// Reads which listing an update changes, and how.
pub(super) fn changes(
    message: pb::UpdateListingRequest,
    may_set_metadata: bool,
) -> Result<(ListingId, Changes), Problems> {
    let mut faults = Faults::default();
    let id = faults.take(body_id(&message.id));
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
    Ok((id.expect("without a fault the id was read"), changes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_types::PathItem;

    fn places(problems: &Problems) -> Vec<(String, PathItem)> {
        let place = |p: &Problem| (p.code.to_string(), p.source.clone().unwrap().path.remove(0));
        problems.as_slice().iter().map(place).collect()
    }

    fn read(message: pb::ListingFields) -> Result<Fields, Problems> {
        own_listing(Some(message))
    }

    fn read_for_marketplace(fields: pb::ListingFields) -> Result<Fields, Problems> {
        let message = pb::CreateListingRequest {
            fields: Some(fields),
            author_id: "3c073fae-6172-4e75-8b92-f560d58cd47c".into(),
            state: "published".into(),
        };
        listing_for(message).map(|(_, _, fields)| fields)
    }

    // contract: listings L14
    #[test]
    fn an_author_cannot_set_metadata() {
        let message = pb::ListingFields {
            title: "Bike".into(),
            metadata: Some("{}".into()),
            ..Default::default()
        };
        let problems = read(message.clone()).unwrap_err();
        let disallowed = ("validation-disallowed-key".to_owned(), "metadata".into());
        assert_eq!(places(&problems), std::slice::from_ref(&disallowed));
        assert!(read_for_marketplace(message).is_ok());
        let update = pb::UpdateListingRequest {
            id: "3c073fae-6172-4e75-8b92-f560d58cd47c".into(),
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
        let problems = read_for_marketplace(message).unwrap_err();
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
        assert_eq!(read(message).unwrap().public_data.to_json(), r#"{"b":1}"#);
    }

    // contract: listings L22
    #[test]
    fn a_listing_for_an_author_needs_its_author_and_a_state_of_the_market() {
        assert_eq!(state("published").unwrap(), State::Published);
        assert_eq!(state("pendingApproval").unwrap(), State::PendingApproval);
        for bad in ["draft", "closed", "open"] {
            assert_eq!(
                state(bad).unwrap_err().code,
                "validation-invalid-value",
                "{bad}"
            );
        }
        let missing = |key: &'static str| ("validation-missing-key".to_owned(), key.into());
        let message = pb::CreateListingRequest {
            fields: Some(pb::ListingFields {
                title: "Bike".into(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let problems = listing_for(message).unwrap_err();
        assert_eq!(places(&problems), [missing("authorId"), missing("state")]);
    }
}
