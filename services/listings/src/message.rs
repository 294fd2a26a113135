//! Listings to and from their message.

use crate::domain::{AvailabilityPlan, Listing, State};
use stoa_policy::view::View;
use stoa_proto::listings as pb;
use stoa_types::id::{ListingId, UserId};
use stoa_types::{Currency, LatLng, Money, Timestamp};

/// The listing as a viewer sees it: what the view does not have is left out. A deleted one keeps
/// its id only.
pub(crate) fn encode(listing: &Listing, view: View) -> pb::Listing {
    let form = match view {
        View::Public => pb::ListingView::Public,
        View::Own => pb::ListingView::Own,
        View::Full => pb::ListingView::Full,
    };
    if listing.deleted {
        return pb::Listing {
            id: listing.id.to_string(),
            view: form.into(),
            deleted: true,
            version: listing.version,
            ..pb::Listing::default()
        };
    }
    let plan = listing.availability_plan.as_ref().map(|plan| match view {
        View::Public => plan.public(),
        View::Own | View::Full => plan.stored(),
    });
    pb::Listing {
        id: listing.id.to_string(),
        view: form.into(),
        deleted: false,
        title: listing.title.clone(),
        description: listing.description.clone(),
        geolocation: listing.geolocation.map(Into::into),
        created_at_ms: listing.created_at.as_ms(),
        price: listing.price.map(Into::into),
        availability_plan: plan.map(str::to_owned),
        public_data: listing.public_data.clone(),
        private_data: (view != View::Public).then(|| listing.private_data.clone()),
        metadata: listing.metadata.clone(),
        state: listing.state.name().to_owned(),
        author_id: listing.author.to_string(),
        image_ids: Vec::new(),
        version: listing.version,
    }
}

/// The listing in the payload of an envelope of this service; nothing when it is damaged.
pub(crate) fn decode(message: &pb::Listing) -> Option<Listing> {
    let id = ListingId::parse(&message.id).ok()?;
    if message.deleted {
        return Some(Listing {
            id,
            author: UserId::new(Default::default()),
            version: message.version,
            state: State::Closed,
            deleted: true,
            title: String::new(),
            description: None,
            geolocation: None,
            created_at: Timestamp::default(),
            price: None,
            availability_plan: None,
            public_data: String::new(),
            private_data: String::new(),
            metadata: String::new(),
        });
    }
    let price = match &message.price {
        None => None,
        Some(price) => Some(Money::new(
            price.amount,
            Currency::parse(&price.currency).ok()?,
        )),
    };
    let plan = match &message.availability_plan {
        None => None,
        Some(json) => Some(AvailabilityPlan::from_stored(json)?),
    };
    Some(Listing {
        id,
        author: UserId::parse(&message.author_id).ok()?,
        version: message.version,
        state: State::from_name(&message.state)?,
        deleted: false,
        title: message.title.clone(),
        description: message.description.clone(),
        geolocation: message.geolocation.as_ref().map(LatLng::from),
        created_at: Timestamp::from_ms(message.created_at_ms),
        price,
        availability_plan: plan,
        public_data: message.public_data.clone(),
        private_data: message.private_data.clone()?,
        metadata: message.metadata.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::listing::tests::a_listing;

    // contract: listings L15
    #[test]
    fn the_public_form_has_metadata_but_no_private_data() {
        let mut listing = a_listing(1);
        listing.private_data = r#"{"secret":1}"#.into();
        listing.metadata = r#"{"promoted":true}"#.into();
        let public = encode(&listing, View::Public);
        assert_eq!(public.private_data, None);
        assert_eq!(public.metadata, listing.metadata);
        let own = encode(&listing, View::Own);
        assert_eq!(own.private_data.as_deref(), Some(r#"{"secret":1}"#));
    }

    #[test]
    fn a_deleted_listing_is_an_id() {
        let marker = a_listing(1).marker();
        let expected = pb::Listing {
            id: marker.id.to_string(),
            view: pb::ListingView::Full.into(),
            deleted: true,
            version: 2,
            ..pb::Listing::default()
        };
        assert_eq!(encode(&marker, View::Full), expected);
    }

    #[test]
    fn the_full_form_can_be_read_back() {
        let mut listing = a_listing(1);
        listing.price = Some(Money::new(5, "EUR".parse().unwrap()));
        listing.geolocation = LatLng::checked(60.0, 25.0);
        listing.availability_plan =
            AvailabilityPlan::from_stored(r#"{"type":"availability-plan/day","entries":[]}"#);
        assert_eq!(decode(&encode(&listing, View::Full)), Some(listing));
    }
}
