//! What an envelope leaves behind when it is dropped: the state that others must know of its
//! aggregate. A consumer that comes late, or was away for longer than envelopes are kept, takes
//! these and then goes on in the feed without a gap.

use stoa_proto::events::{Envelope, EventActor, envelope::Payload};

/// Type of the envelope that stands for everything that happened to a user.
pub const USER_STATE: &str = "user.state";

/// A state and its name. Nothing for what nobody needs later: listings and transactions are
/// consumed for the public log alone, and ends of tokens matter for less time than envelopes stay.
pub(crate) fn left_by(envelope: Envelope) -> Option<(String, Envelope)> {
    let mut kind = envelope.r#type;
    let name = match envelope.payload.as_ref()? {
        Payload::User(access) => {
            kind = USER_STATE.to_owned();
            format!("user {}", access.user_id)
        }
        Payload::Settings(_) => "settings".to_owned(),
        Payload::ApplicationEnd(end) => {
            let secret = end.secret_id.as_deref().unwrap_or_default();
            format!("application {} {secret}", end.client_id)
        }
        Payload::Listing(_)
        | Payload::Transaction(_)
        | Payload::Revocation(_)
        | Payload::Key(_) => return None,
    };
    let level = envelope.actor.map(|actor| actor.level).unwrap_or_default();
    let state = Envelope {
        r#type: kind,
        // Who it was is nobody's business any longer, and its trace is long over.
        actor: Some(EventActor {
            level,
            ..EventActor::default()
        }),
        traceparent: String::new(),
        public_events: Vec::new(),
        audit: None,
        ..envelope
    };
    Some((name, state))
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_proto::events::PublicEvent;
    use stoa_proto::{auth, listings, users};

    fn left(kind: &str, payload: Option<Payload>) -> Option<(String, Envelope)> {
        left_by(Envelope {
            id: "e".into(),
            position: 7,
            r#type: kind.into(),
            actor: Some(EventActor {
                level: "User".into(),
                user_id: "somebody".into(),
                ..EventActor::default()
            }),
            public_events: vec![PublicEvent::default()],
            traceparent: "00-1-1-01".into(),
            payload,
            ..Envelope::default()
        })
    }

    #[test]
    fn a_state_has_nothing_that_only_the_event_had() {
        let access = users::UserAccess {
            user_id: "u".into(),
            version: 3,
            ..users::UserAccess::default()
        };
        let (name, state) = left("user.banned", Some(Payload::User(access.clone()))).unwrap();
        assert_eq!(
            (name.as_str(), state.r#type.as_str()),
            ("user u", USER_STATE)
        );
        assert_eq!((state.id.as_str(), state.position), ("e", 7));
        assert_eq!(state.payload, Some(Payload::User(access)));
        assert!(state.public_events.is_empty() && state.traceparent.is_empty());
        let actor = state.actor.unwrap();
        assert_eq!((actor.level.as_str(), actor.user_id.as_str()), ("User", ""));
    }

    #[test]
    fn settings_replace_each_other_and_applications_stay() {
        let settings = Payload::Settings(auth::Settings::default());
        assert_eq!(
            left("settings.changed", Some(settings)).unwrap().0,
            "settings"
        );
        let end = |secret: Option<&str>| {
            Payload::ApplicationEnd(auth::ApplicationEnd {
                client_id: "c".into(),
                secret_id: secret.map(str::to_owned),
                ..auth::ApplicationEnd::default()
            })
        };
        let (of_all, state) = left("application.deleted", Some(end(None))).unwrap();
        assert_eq!(state.r#type, "application.deleted");
        let (of_one, _) = left("application.secret-ended", Some(end(Some("s")))).unwrap();
        assert_ne!(of_all, of_one);
    }

    #[test]
    fn what_only_the_log_consumes_leaves_nothing() {
        let listing = Payload::Listing(listings::Listing::default());
        assert!(left("listing.updated", Some(listing)).is_none());
        let ended = Payload::Revocation(auth::Revocation::default());
        assert!(left("session.revoked", Some(ended)).is_none());
        assert!(left("message.created", None).is_none());
    }
}
