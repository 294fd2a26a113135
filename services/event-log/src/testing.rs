//! Envelopes and callers for tests.

use crate::consume::public_events::PublicEvents;
use std::sync::Arc;
use stoa_db::Db;
use stoa_feed::{Consume as _, Error, Wiring};
use stoa_proto::events::{Envelope, EventActor, PublicEvent, Resource, resource};
use stoa_proto::listings::Listing;
use stoa_rpc::{Identity, Tasks};
use stoa_types::id::MarketplaceId;
use stoa_types::{Clock, ManualClock, SeededEntropy, Timestamp};
use tokio::sync::Notify;

/// The id with that number.
pub(crate) fn id(n: u128) -> String {
    uuid::Uuid::from_u128(n).to_string()
}

/// An envelope of an integration application, with these public events.
pub(crate) fn envelope(kind: &str, events: impl IntoIterator<Item = PublicEvent>) -> Envelope {
    Envelope {
        r#type: kind.to_owned(),
        schema_version: 1,
        occurred_at_ms: 1000,
        actor: Some(EventActor {
            level: "integration".into(),
            client_id: id(100),
            request_id: id(101),
            ..EventActor::default()
        }),
        public_events: events.into_iter().collect(),
        ..Envelope::default()
    }
}

/// The deletion of a user, with its public event.
pub(crate) fn user_deleted(event: u128, user: u128) -> Envelope {
    let public = PublicEvent {
        id: id(event),
        event_type: "user/deleted".into(),
        source: "source/marketplace-api".into(),
        resource_type: "user".into(),
        resource_id: id(user),
        ..PublicEvent::default()
    };
    Envelope {
        aggregate_id: id(user),
        ..envelope("user.deleted", [public])
    }
}

/// A public event of a listing that shows a title.
pub(crate) fn listing_event(event: u128, kind: &str, listing: u128, author: u128) -> PublicEvent {
    PublicEvent {
        id: id(event),
        event_type: kind.to_owned(),
        source: "source/integration-api".into(),
        resource_type: "listing".into(),
        resource_id: id(listing),
        resource: Some(Resource {
            resource: Some(resource::Resource::Listing(Listing {
                id: id(listing),
                author_id: id(author),
                title: "Secret title".into(),
                state: "published".into(),
                ..Listing::default()
            })),
        }),
        related_ids: vec![id(author)],
        personal_of: vec![id(author)],
        ..PublicEvent::default()
    }
}

/// A consumer whose clock stands at 5 s.
pub(crate) fn public_events(owner: &'static str) -> PublicEvents {
    PublicEvents {
        owner,
        clock: Arc::new(ManualClock::starting_at(Timestamp::from_ms(5000))),
        erased: Arc::new(Notify::new()),
    }
}

/// Applies an envelope in a transaction of its own.
pub(crate) async fn apply(db: &Db, envelope: &Envelope) -> Result<(), Error> {
    let consumer = public_events("listings");
    let consumer = &consumer;
    db.write(|tx| async move { consumer.apply(&tx, envelope).await })
        .await
}

/// What the parts of `stoa-feed` are built from.
pub(crate) fn wiring(db: &Db) -> Wiring {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::starting_at(Timestamp::from_ms(5000)));
    let entropy = Arc::new(SeededEntropy::new(5));
    let marketplace = MarketplaceId::random(&*entropy);
    Wiring {
        db: db.clone(),
        identity: Identity::ephemeral("event-log", marketplace, Arc::clone(&clock), &*entropy),
        clock,
        entropy,
        tasks: Tasks::new(),
    }
}
