//! What one envelope adds to the log.

use std::collections::BTreeSet;
use stoa_feed::erase::{self, Erasure};
use stoa_policy::Level;
use stoa_proto::events::{Envelope, EventActor, PublicEvent};
use stoa_types::Timestamp;
use stoa_types::id::UserId;

/// A public event on its way into the log.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) event: PublicEvent,
    pub(crate) created_at: Timestamp,
    pub(crate) actor: EventActor,
    /// Ids that find it: its resource, and all that it refers to.
    pub(crate) related: BTreeSet<String>,
    /// Users whose personal data it holds.
    pub(crate) personal: BTreeSet<UserId>,
}

impl Entry {
    /// The public events of an envelope, in their order.
    pub(crate) fn of(envelope: &Envelope) -> Vec<Self> {
        let actor = shown_actor(envelope.actor.clone().unwrap_or_default());
        let events = envelope.public_events.iter();
        events
            .map(|event| Self {
                created_at: Timestamp::from_ms(envelope.occurred_at_ms),
                actor: actor.clone(),
                related: related(event),
                // Only users are ever erased, so what is no id of one needs no row.
                personal: erase::personal_of_event(event)
                    .iter()
                    .filter_map(|id| UserId::parse(id).ok())
                    .collect(),
                event: event.clone(),
            })
            .collect()
    }

    /// Takes out the personal data of those of its users who are erased.
    pub(crate) fn strip(&mut self, erased: &[Erasure]) {
        for erasure in erased {
            if self.personal.remove(&erasure.user) {
                erase::strip_event(&mut self.event, *erasure);
            }
        }
    }
}

fn related(event: &PublicEvent) -> BTreeSet<String> {
    let ids = event.related_ids.iter().chain([&event.resource_id]);
    ids.filter(|id| !id.is_empty()).cloned().collect()
}

/// The actor as audit data tells of it: what the system does on its own, no application asked for.
fn shown_actor(mut actor: EventActor) -> EventActor {
    if actor.level == Level::System.name() {
        actor.client_id.clear();
        actor.request_id.clear();
    }
    actor
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{envelope, id, listing_event};

    #[test]
    fn what_the_system_does_was_asked_for_by_no_application() {
        let mut told = envelope(
            "listing.deleted",
            [listing_event(1, "listing/deleted", 2, 3)],
        );
        told.actor = Some(EventActor {
            level: "system".into(),
            user_id: id(3),
            operator_id: id(7),
            client_id: id(8),
            request_id: id(9),
            cause: id(10),
        });
        let actor = Entry::of(&told).remove(0).actor;
        assert_eq!((actor.user_id, actor.operator_id), (id(3), id(7)));
        assert_eq!(
            (actor.client_id, actor.request_id),
            (String::new(), String::new())
        );
        assert_eq!(actor.cause, id(10));
    }

    #[test]
    fn an_event_is_related_to_its_own_resource() {
        let told = envelope(
            "listing.created",
            [listing_event(1, "listing/created", 2, 3)],
        );
        let entry = Entry::of(&told).remove(0);
        assert_eq!(entry.related, BTreeSet::from([id(2), id(3)]));
        assert_eq!(
            entry.personal,
            BTreeSet::from([UserId::parse(&id(3)).unwrap()])
        );
    }

    fn gone(user: u128) -> Erasure {
        Erasure {
            user: UserId::parse(&id(user)).unwrap(),
            texts: false,
        }
    }

    #[test]
    fn stripping_leaves_the_others_of_an_event_alone() {
        let told = envelope(
            "listing.created",
            [listing_event(1, "listing/created", 2, 3)],
        );
        let mut entry = Entry::of(&told).remove(0);
        let before = entry.clone();
        entry.strip(&[gone(4)]);
        assert_eq!(entry, before);
        entry.strip(&[gone(3)]);
        assert!(entry.personal.is_empty());
        assert!(!format!("{:?}", entry.event).contains("Secret title"));
    }
}
