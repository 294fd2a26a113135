//! The listing.

use super::AvailabilityPlan;
use stoa_types::id::{ListingId, UserId};
use stoa_types::{LatLng, Money, Timestamp};

/// State of a listing that is not deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum State {
    /// Being written; only its author sees it.
    Draft,
    /// Waits for an operator.
    PendingApproval,
    /// On the market.
    Published,
    /// Taken off the market.
    Closed,
}

impl State {
    /// Every state.
    pub(crate) const ALL: [Self; 4] = [
        Self::Draft,
        Self::PendingApproval,
        Self::Published,
        Self::Closed,
    ];

    /// The name in the public API and in the database.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::PendingApproval => "pendingApproval",
            Self::Published => "published",
            Self::Closed => "closed",
        }
    }

    /// The state of that name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A listing as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Listing {
    pub(crate) id: ListingId,
    pub(crate) author: UserId,
    /// Grows by one with every change.
    pub(crate) version: u64,
    pub(crate) state: State,
    /// Gone for good: nothing but id, author and version is left.
    pub(crate) deleted: bool,
    pub(crate) title: String,
    pub(crate) description: Option<String>,
    pub(crate) geolocation: Option<LatLng>,
    pub(crate) created_at: Timestamp,
    pub(crate) price: Option<Money>,
    /// None: one seat on every day.
    pub(crate) availability_plan: Option<AvailabilityPlan>,
    /// JSON texts of objects. Texts, because most listings are only read and shown; an update
    /// and the index parse them.
    pub(crate) public_data: String,
    pub(crate) private_data: String,
    pub(crate) metadata: String,
}

impl Listing {
    /// What stays after the deletion: transactions keep referring to it.
    pub(crate) fn marker(&self) -> Self {
        Self {
            id: self.id,
            author: self.author,
            version: self.version + 1,
            state: State::Closed,
            deleted: true,
            title: String::new(),
            description: None,
            geolocation: None,
            created_at: self.created_at,
            price: None,
            availability_plan: None,
            public_data: "{}".to_owned(),
            private_data: "{}".to_owned(),
            metadata: "{}".to_owned(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use stoa_types::{Entropy, SeededEntropy};

    /// A published listing with little in it; ids follow from the seed.
    pub(crate) fn a_listing(seed: u64) -> Listing {
        let entropy = SeededEntropy::new(seed);
        Listing {
            id: ListingId::new(entropy.uuid()),
            author: UserId::new(entropy.uuid()),
            version: 1,
            state: State::Published,
            deleted: false,
            title: "Local bike".into(),
            description: None,
            geolocation: None,
            created_at: Timestamp::from_ms(1_700_000_000_000),
            price: None,
            availability_plan: None,
            public_data: "{}".into(),
            private_data: "{}".into(),
            metadata: "{}".into(),
        }
    }

    #[test]
    fn a_marker_keeps_nothing_that_a_person_wrote() {
        let mut listing = a_listing(1);
        listing.description = Some("secret".into());
        listing.public_data = r#"{"phone":"secret"}"#.into();
        listing.private_data = r#"{"note":"secret"}"#.into();
        let marker = listing.marker();
        assert!(marker.deleted);
        assert_eq!(marker.version, listing.version + 1);
        assert!(!format!("{marker:?}").contains("secret"));
        assert!(marker.title.is_empty());
    }
}
