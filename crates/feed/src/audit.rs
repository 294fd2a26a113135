//! What the audit log keeps of an operator's command, taken from the envelope that tells of it.
//!
//! No handler has to think of it: every envelope of an operator's command gets a record when it is
//! built ([`crate::EnvelopeBuilder::build`]). A handler adds the operator's reason, and says
//! [`recorded`] when its command has nothing to tell the other services. auth reads the records and
//! keeps one entry for each request and action.

use crate::{EnvelopeBuilder, Origin, erase};
use stoa_proto::audit::{AuditChange, AuditRecord};
use stoa_proto::events::resource::Resource as Kind;
use stoa_proto::events::{Envelope, PublicEvent, Resource, envelope::Payload};
use stoa_proto::types::{LatLng, Money};
use stoa_proto::{listings, transactions, users};
use stoa_types::{Entropy, ExtendedData, Timestamp};

/// Type of envelopes that carry a record and nothing else.
pub const RECORDED: &str = "audit.recorded";

/// The envelope of an operator's command that changed nothing that others must know. Nothing when
/// no operator stands behind the origin. `about` are the users whom the reason may speak of.
pub fn recorded(
    origin: &Origin,
    target_kind: &str,
    target_id: &str,
    reason: Option<String>,
    about: &[String],
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Option<Envelope> {
    let record = AuditRecord {
        action: origin.operators_action()?.to_owned(),
        target_kind: target_kind.to_owned(),
        target_id: target_id.to_owned(),
        reason,
        changes: Vec::new(),
        personal_of: about.to_vec(),
    };
    let mut envelope = EnvelopeBuilder::new(RECORDED, target_id, 1).build(origin, now, entropy);
    envelope.audit = Some(record);
    Some(envelope)
}

/// The record of an envelope, when an operator's command is its origin.
pub(crate) fn record_of(envelope: &Envelope, action: &str, reason: Option<String>) -> AuditRecord {
    let mut about = erase::personal_of(envelope);
    match &envelope.payload {
        Some(Payload::User(access)) => {
            about.insert(access.user_id.clone());
        }
        Some(Payload::Transaction(tx)) => {
            about.extend([tx.customer_id.clone(), tx.provider_id.clone()]);
        }
        _ => {}
    }
    about.remove("");
    let kind = envelope.r#type.split('.').next().unwrap_or_default();
    AuditRecord {
        action: action.to_owned(),
        target_kind: kind.to_owned(),
        target_id: envelope.aggregate_id.clone(),
        reason,
        changes: envelope.public_events.iter().flat_map(changes_of).collect(),
        personal_of: about.into_iter().collect(),
    }
}

/// What a public event says of changes: every path with its value before and after. Of extended
/// data only the keys that changed.
fn changes_of(event: &PublicEvent) -> Vec<AuditChange> {
    let values = |resource: &Option<Resource>, path: &str| {
        let kind = resource.as_ref().and_then(|r| r.resource.as_ref())?;
        value(kind, path)
    };
    let change = |path: &String| {
        let field = path.strip_prefix("attributes.").unwrap_or(path);
        let before = values(&event.previous, field);
        let after = values(&event.resource, field);
        let after = match (&before, after) {
            (Some(before), Some(after)) if is_data(field) => Some(same_keys(before, &after)),
            (_, after) => after,
        };
        AuditChange {
            field: field.to_owned(),
            before,
            after,
        }
    };
    event.previous_paths.iter().map(change).collect()
}

fn is_data(field: &str) -> bool {
    let name = field.rsplit('.').next().unwrap_or(field);
    matches!(
        name,
        "publicData" | "protectedData" | "privateData" | "metadata"
    )
}

/// The part of `after` that has the keys of `before`.
fn same_keys(before: &str, after: &str) -> String {
    let read = |json| ExtendedData::from_stored(json).unwrap_or_default();
    let (before, mut after) = (read(before), read(after));
    let others: Vec<String> = after
        .iter()
        .filter(|(key, _)| !before.iter().any(|(known, _)| known == *key))
        .map(|(key, _)| key.to_string())
        .collect();
    for key in others {
        after.remove(&key);
    }
    after.to_json()
}

/// A value as JSON. Nothing for what is absent, and for a field that is not known here.
fn value(resource: &Kind, field: &str) -> Option<String> {
    match resource {
        Kind::User(user) => of_user(user, field),
        Kind::Listing(listing) => of_listing(listing, field),
        Kind::Transaction(tx) => of_transaction(tx, field),
        Kind::Review(review) => match field {
            "state" => Some(text(&review.state)),
            "rating" => review.rating.map(|rating| rating.to_string()),
            "content" => review.content.as_deref().map(text),
            _ => None,
        },
        Kind::Message(_) => None,
    }
}

fn of_user(user: &users::User, field: &str) -> Option<String> {
    let optional = |value: &Option<String>| value.as_deref().map(text);
    if let Some(field) = field.strip_prefix("profile.") {
        let profile = user.profile.as_ref()?;
        return match field {
            "firstName" => optional(&profile.first_name),
            "lastName" => optional(&profile.last_name),
            "displayName" => optional(&profile.display_name),
            "abbreviatedName" => optional(&profile.abbreviated_name),
            "bio" => optional(&profile.bio),
            "publicData" => profile.public_data.clone(),
            "protectedData" => profile.protected_data.clone(),
            "privateData" => profile.private_data.clone(),
            "metadata" => profile.metadata.clone(),
            _ => None,
        };
    }
    match field {
        "banned" => Some(user.banned.to_string()),
        "deleted" => Some(user.deleted.to_string()),
        "state" => optional(&user.state),
        "email" => optional(&user.email),
        "emailVerified" => Some(user.email_verified.to_string()),
        "pendingEmail" => optional(&user.pending_email),
        "permissions" => user.permissions.as_ref().map(|own| {
            serde_json::json!({
                "postListings": own.post_listings,
                "initiateTransactions": own.initiate_transactions,
                "read": own.read,
            })
            .to_string()
        }),
        _ => None,
    }
}

fn of_listing(listing: &listings::Listing, field: &str) -> Option<String> {
    match field {
        "title" => Some(text(&listing.title)),
        "description" => listing.description.as_deref().map(text),
        "geolocation" => listing.geolocation.as_ref().map(place),
        "price" => listing.price.as_ref().map(money),
        "availabilityPlan" => listing.availability_plan.clone(),
        "publicData" => Some(data(&listing.public_data)),
        "privateData" => listing.private_data.as_deref().map(data),
        "metadata" => Some(data(&listing.metadata)),
        "state" => Some(text(&listing.state)),
        "deleted" => Some(listing.deleted.to_string()),
        _ => None,
    }
}

fn of_transaction(tx: &transactions::Transaction, field: &str) -> Option<String> {
    match field {
        "lastTransition" => Some(text(&tx.last_transition)),
        "state" => Some(text(&tx.state)),
        "payinTotal" => tx.payin_total.as_ref().map(money),
        "payoutTotal" => tx.payout_total.as_ref().map(money),
        "protectedData" => Some(data(&tx.protected_data)),
        "metadata" => Some(data(&tx.metadata)),
        _ => None,
    }
}

fn text(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}

fn data(json: &str) -> String {
    if json.is_empty() { "{}" } else { json }.to_owned()
}

fn money(money: &Money) -> String {
    serde_json::json!({ "amount": money.amount, "currency": money.currency }).to_string()
}

fn place(at: &LatLng) -> String {
    serde_json::json!({ "lat": at.lat, "lng": at.lng }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_policy::{Actor, Role};
    use stoa_proto::Class;
    use stoa_rpc::Caller;
    use stoa_types::SeededEntropy;
    use stoa_types::id::{ClientId, OperatorId, RequestId};

    fn operators_call(entropy: &SeededEntropy) -> Caller {
        let actor = Actor::operator(OperatorId::random(entropy), Role::Staff);
        let request = RequestId::random(entropy);
        Caller::for_test(actor, Class::Command, Some(request)).calling("users.ban")
    }

    fn user(state: &str, metadata: &str) -> Option<Resource> {
        Some(Resource {
            resource: Some(Kind::User(users::User {
                id: "u1".into(),
                state: Some(state.into()),
                profile: Some(users::Profile {
                    metadata: Some(metadata.into()),
                    ..users::Profile::default()
                }),
                ..users::User::default()
            })),
        })
    }

    fn banned() -> EnvelopeBuilder {
        EnvelopeBuilder::new("user.banned", "u1", 2)
            .reason(Some("rude".into()))
            .payload(Payload::User(users::UserAccess {
                user_id: "u1".into(),
                ..users::UserAccess::default()
            }))
            .public_event(PublicEvent {
                resource_type: "user".into(),
                resource_id: "u1".into(),
                resource: user("banned", r#"{"a":2,"same":1}"#),
                previous: user("active", r#"{"a":1,"b":null}"#),
                previous_paths: vec![
                    "attributes.state".into(),
                    "attributes.profile.metadata".into(),
                    "attributes.unknown".into(),
                ],
                ..PublicEvent::default()
            })
    }

    // contract: operator 10, security 3 (step 17)
    #[test]
    fn the_envelope_of_an_operators_command_says_what_changed_and_why() {
        let entropy = SeededEntropy::new(1);
        let origin = Origin::of(&operators_call(&entropy));
        let envelope = banned().build(&origin, Timestamp::from_ms(1), &entropy);
        let change = |field: &str, before: Option<&str>, after: Option<&str>| AuditChange {
            field: field.into(),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
        };
        assert_eq!(
            envelope.audit,
            Some(AuditRecord {
                action: "users.ban".into(),
                target_kind: "user".into(),
                target_id: "u1".into(),
                reason: Some("rude".into()),
                changes: vec![
                    change("state", Some(r#""active""#), Some(r#""banned""#)),
                    change(
                        "profile.metadata",
                        Some(r#"{"a":1,"b":null}"#),
                        Some(r#"{"a":2}"#)
                    ),
                    change("unknown", None, None),
                ],
                personal_of: vec!["u1".into()],
            })
        );
        let nothing = recorded(
            &origin,
            "user",
            "u1",
            None,
            &[],
            Timestamp::from_ms(1),
            &entropy,
        );
        let nothing = nothing.unwrap();
        assert_eq!(nothing.r#type, RECORDED);
        assert_eq!(nothing.audit.unwrap().action, "users.ban");
    }

    #[test]
    fn what_others_do_leaves_nothing_for_the_audit_log() {
        let entropy = SeededEntropy::new(1);
        let client = ClientId::random(&entropy);
        let by_operator = Origin::of(&operators_call(&entropy));
        let cause = banned().build(&by_operator, Timestamp::from_ms(1), &entropy);
        for origin in [
            Origin::new(&Actor::integration(client), None),
            Origin::new(&Actor::system("timer"), None),
            // What follows from an operator's command elsewhere is no command of its own.
            Origin::because_of(&cause),
        ] {
            let envelope = banned().build(&origin, Timestamp::from_ms(1), &entropy);
            assert_eq!(envelope.audit, None, "{origin:?}");
            let now = Timestamp::from_ms(1);
            assert_eq!(
                recorded(&origin, "user", "u1", None, &[], now, &entropy),
                None
            );
        }
    }
}
