//! What this service tells others: one envelope per changed listing, with its public event.

use crate::domain::Listing;
use crate::message::encode;
use stoa_feed::{EnvelopeBuilder, Origin};
use stoa_policy::view::View;
use stoa_proto::events::{Envelope, PublicEvent, Resource, envelope::Payload, resource};
use stoa_proto::listings as pb;
use stoa_types::id::UserId;
use stoa_types::{Entropy, ExtendedData, Timestamp};

/// Every attribute, as paths into the public form.
const ALL_ATTRIBUTES: [&str; 11] = [
    "attributes.title",
    "attributes.description",
    "attributes.geolocation",
    "attributes.createdAt",
    "attributes.price",
    "attributes.availabilityPlan",
    "attributes.publicData",
    "attributes.privateData",
    "attributes.metadata",
    "attributes.state",
    "attributes.deleted",
];

/// Makes the envelopes of one change.
#[derive(Clone, Copy)]
pub(crate) struct Events<'a> {
    pub(crate) origin: &'a Origin,
    /// Domain time.
    pub(crate) now: Timestamp,
    pub(crate) entropy: &'a dyn Entropy,
}

impl Events<'_> {
    /// `listing.created`.
    pub(crate) fn created(&self, new: &Listing) -> Envelope {
        let event = PublicEvent {
            resource: Some(resource_of(encode(new, View::Full))),
            ..public_event("listing/created", new)
        };
        self.envelope("listing.created", new, event)
    }

    /// `listing.updated`, or `listing.deleted` when `next` is a marker.
    pub(crate) fn changed(&self, old: &Listing, next: &Listing) -> Envelope {
        if next.deleted {
            return self.deleted(old, next);
        }
        let (previous, previous_paths) = previous_of(old, next);
        let event = PublicEvent {
            resource: Some(resource_of(encode(next, View::Full))),
            previous: Some(resource_of(previous)),
            previous_paths,
            ..public_event("listing/updated", old)
        };
        self.envelope("listing.updated", next, event)
    }

    /// `listing.deleted` because its author is gone for good: what the person wrote is left out.
    pub(crate) fn erased(&self, old: &Listing, marker: &Listing, author: UserId) -> Envelope {
        let mut envelope = self.deleted(old, marker);
        let gone = stoa_feed::erase::Erasure {
            user: author,
            texts: false,
        };
        stoa_feed::erase::strip(&mut envelope, gone);
        envelope
    }

    fn deleted(&self, old: &Listing, marker: &Listing) -> Envelope {
        let event = PublicEvent {
            previous: Some(resource_of(encode(old, View::Full))),
            previous_paths: ALL_ATTRIBUTES.map(str::to_owned).into(),
            ..public_event("listing/deleted", old)
        };
        self.envelope("listing.deleted", marker, event)
    }

    fn envelope(&self, kind: &str, listing: &Listing, event: PublicEvent) -> Envelope {
        EnvelopeBuilder::new(kind, listing.id, listing.version)
            .payload(Payload::Listing(encode(listing, View::Full)))
            .public_event(event)
            .build(self.origin, self.now, self.entropy)
    }
}

fn public_event(kind: &str, listing: &Listing) -> PublicEvent {
    PublicEvent {
        event_type: kind.to_owned(),
        resource_type: "listing".to_owned(),
        resource_id: listing.id.to_string(),
        related_ids: vec![listing.author.to_string()],
        personal_of: vec![listing.author.to_string()],
        ..PublicEvent::default()
    }
}

fn resource_of(listing: pb::Listing) -> Resource {
    Resource {
        resource: Some(resource::Resource::Listing(listing)),
    }
}

/// What changed, with the old values, and its paths.
fn previous_of(old: &Listing, next: &Listing) -> (pb::Listing, Vec<String>) {
    let before = encode(old, View::Full);
    let mut previous = pb::Listing {
        id: before.id.clone(),
        view: before.view,
        author_id: before.author_id.clone(),
        version: before.version,
        ..pb::Listing::default()
    };
    let mut paths = Vec::new();
    let mut changed = |is: bool, path: &str| {
        if is {
            paths.push(path.to_owned());
        }
        is
    };
    if changed(old.title != next.title, "attributes.title") {
        previous.title = before.title;
    }
    if changed(
        old.description != next.description,
        "attributes.description",
    ) {
        previous.description = before.description;
    }
    if changed(
        old.geolocation != next.geolocation,
        "attributes.geolocation",
    ) {
        previous.geolocation = before.geolocation;
    }
    if changed(old.price != next.price, "attributes.price") {
        previous.price = before.price;
    }
    let plan = old.availability_plan != next.availability_plan;
    if changed(plan, "attributes.availabilityPlan") {
        previous.availability_plan = before.availability_plan;
    }
    if changed(old.public_data != next.public_data, "attributes.publicData") {
        previous.public_data = changed_keys(&old.public_data, &next.public_data);
    }
    if changed(
        old.private_data != next.private_data,
        "attributes.privateData",
    ) {
        previous.private_data = Some(changed_keys(&old.private_data, &next.private_data));
    }
    if changed(old.metadata != next.metadata, "attributes.metadata") {
        previous.metadata = changed_keys(&old.metadata, &next.metadata);
    }
    if changed(old.state != next.state, "attributes.state") {
        previous.state = before.state;
    }
    (previous, paths)
}

/// The keys that changed with their old values, added ones with null.
fn changed_keys(old: &str, next: &str) -> String {
    let read = |json| ExtendedData::from_stored(json).unwrap_or_default();
    read(old).previous_of(&read(next)).to_json()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::State;
    use crate::domain::listing::tests::a_listing;
    use stoa_policy::Actor;
    use stoa_types::SeededEntropy;
    use stoa_types::id::ClientId;

    fn with_events<T>(make: impl FnOnce(Events<'_>) -> T) -> T {
        let entropy = SeededEntropy::new(9);
        let client = ClientId::random(&entropy);
        make(Events {
            origin: &Origin::new(&Actor::integration(client), None),
            now: Timestamp::from_ms(5),
            entropy: &entropy,
        })
    }

    fn listing_in(resource: &Option<Resource>) -> &pb::Listing {
        match &resource.as_ref().unwrap().resource {
            Some(resource::Resource::Listing(listing)) => listing,
            other => panic!("{other:?}"),
        }
    }

    // contract: integration I7
    #[test]
    fn a_creation_tells_source_and_application_and_nothing_before() {
        let listing = a_listing(1);
        let envelope = with_events(|events| events.created(&listing));
        assert_eq!(envelope.r#type, "listing.created");
        assert_eq!(envelope.aggregate_version, 1);
        let actor = envelope.actor.unwrap();
        assert!(actor.user_id.is_empty() && !actor.client_id.is_empty());
        let [event] = &envelope.public_events[..] else {
            panic!()
        };
        assert_eq!(event.event_type, "listing/created");
        assert_eq!(event.source, "source/integration-api");
        assert_eq!(*listing_in(&event.resource), encode(&listing, View::Full));
        assert!(event.previous.is_none() && event.previous_paths.is_empty());
    }

    // contract: integration I8
    #[test]
    fn an_update_tells_the_old_values_of_what_changed() {
        let mut old = a_listing(1);
        old.public_data = r#"{"a":1,"same":[2]}"#.into();
        let mut next = old.clone();
        next.version = 2;
        next.title = "New".into();
        next.public_data = r#"{"same":[2],"b":3}"#.into();
        let envelope = with_events(|events| events.changed(&old, &next));
        let event = &envelope.public_events[0];
        assert_eq!(
            event.previous_paths,
            ["attributes.title", "attributes.publicData"]
        );
        let previous = listing_in(&event.previous);
        assert_eq!(previous.title, old.title);
        assert_eq!(previous.public_data, r#"{"a":1,"b":null}"#);
        assert!(previous.state.is_empty());
        assert_eq!(listing_in(&event.resource).title, "New");
    }

    #[test]
    fn every_attribute_has_its_path() {
        let old = a_listing(1);
        let mut next = old.clone();
        next.description = Some("d".into());
        next.geolocation = stoa_types::LatLng::checked(1.0, 2.0);
        next.price = Some(stoa_types::Money::new(1, "EUR".parse().unwrap()));
        next.availability_plan = crate::domain::AvailabilityPlan::from_stored(
            r#"{"type":"availability-plan/day","entries":[]}"#,
        );
        next.private_data = r#"{"x":1}"#.into();
        next.metadata = r#"{"y":1}"#.into();
        next.state = State::Closed;
        let (_, paths) = previous_of(&old, &next);
        let expected = [
            "description",
            "geolocation",
            "price",
            "availabilityPlan",
            "privateData",
            "metadata",
            "state",
        ];
        assert_eq!(paths, expected.map(|name| format!("attributes.{name}")));
    }

    #[test]
    fn a_deletion_tells_all_old_attributes_and_its_payload_is_the_marker() {
        let old = a_listing(1);
        let marker = old.marker();
        let envelope = with_events(|events| events.changed(&old, &marker));
        assert_eq!(envelope.r#type, "listing.deleted");
        let event = &envelope.public_events[0];
        assert_eq!(event.event_type, "listing/deleted");
        assert!(event.resource.is_none());
        assert_eq!(*listing_in(&event.previous), encode(&old, View::Full));
        assert_eq!(event.previous_paths.len(), ALL_ATTRIBUTES.len());
        let Some(Payload::Listing(payload)) = &envelope.payload else {
            panic!()
        };
        assert!(payload.deleted && payload.title.is_empty());
    }

    #[test]
    fn a_deletion_with_its_author_leaves_out_what_the_person_wrote() {
        let mut old = a_listing(1);
        old.description = Some("secret".into());
        old.public_data = r#"{"phone":"secret"}"#.into();
        let envelope = with_events(|events| events.erased(&old, &old.marker(), old.author));
        assert!(!format!("{envelope:?}").contains("secret"));
        let previous = listing_in(&envelope.public_events[0].previous);
        assert_eq!(previous.state, "published");
    }
}
