//! What this service tells the others: one envelope for each change of a user.
//!
//! Every envelope carries the user's access, so that each of them brings a projection up to date.
//! The public event comes with it where there is something that the public log shows.

use crate::domain::change::{self, Previous};
use crate::domain::user::User;
use crate::domain::view;
use stoa_feed::EnvelopeBuilder;
use stoa_policy::AccessSettings;
use stoa_proto::events::{PublicEvent, Resource, envelope::Payload, resource};
use stoa_proto::users as pb;

/// A user signed up.
pub(crate) fn created(user: &User, settings: AccessSettings) -> EnvelopeBuilder {
    envelope("user.created", user).public_event(PublicEvent {
        resource: shown(user, settings),
        ..event("user/created", user)
    })
}

/// A profile, an address, permissions or the approval of a user changed.
pub(crate) fn updated(old: &User, new: &User, settings: AccessSettings) -> EnvelopeBuilder {
    changed("user.updated", old, new, settings)
}

/// A user was banned.
pub(crate) fn banned(old: &User, new: &User, settings: AccessSettings) -> EnvelopeBuilder {
    changed("user.banned", old, new, settings)
}

/// A ban ended.
pub(crate) fn unbanned(old: &User, new: &User, settings: AccessSettings) -> EnvelopeBuilder {
    changed("user.unbanned", old, new, settings)
}

/// Sessions of a user died. The public log shows it only when a change of address was given up
/// with them.
pub(crate) fn epoch_raised(old: &User, new: &User, settings: AccessSettings) -> EnvelopeBuilder {
    changed("user.epoch-raised", old, new, settings)
}

/// A user is gone, and with the user the texts of messages and reviews, if `texts`. The event says
/// what the account was, and nothing of the person.
pub(crate) fn deleted(old: &User, new: &User, texts: bool) -> EnvelopeBuilder {
    let previous = change::deleted(old);
    let access = pb::UserAccess {
        erase_texts: texts,
        ..view::access(new)
    };
    EnvelopeBuilder::new("user.deleted", new.id, new.version)
        .payload(Payload::User(access))
        .public_event(with_previous(event("user/deleted", new), previous))
}

fn changed(kind: &str, old: &User, new: &User, settings: AccessSettings) -> EnvelopeBuilder {
    let envelope = envelope(kind, new);
    match change::between(old, new) {
        None => envelope,
        Some(previous) => envelope.public_event(PublicEvent {
            resource: shown(new, settings),
            ..with_previous(event("user/updated", new), previous)
        }),
    }
}

fn envelope(kind: &str, user: &User) -> EnvelopeBuilder {
    EnvelopeBuilder::new(kind, user.id, user.version).payload(Payload::User(view::access(user)))
}

fn event(event_type: &str, user: &User) -> PublicEvent {
    PublicEvent {
        event_type: event_type.to_owned(),
        resource_type: "user".to_owned(),
        resource_id: user.id.to_string(),
        related_ids: vec![user.id.to_string()],
        ..PublicEvent::default()
    }
}

fn with_previous(event: PublicEvent, previous: Previous) -> PublicEvent {
    PublicEvent {
        previous: Some(resource_of(previous.user)),
        previous_paths: previous.paths,
        ..event
    }
}

fn shown(user: &User, settings: AccessSettings) -> Option<Resource> {
    Some(resource_of(view::full(user, settings)))
}

fn resource_of(user: pb::User) -> Resource {
    Resource {
        resource: Some(resource::Resource::User(user)),
    }
}
