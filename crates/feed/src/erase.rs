//! Removes a deleted person's values from what was already said: pure on messages, and in place
//! in the outbox.
//!
//! What stays is the other party's record and the marketplace's: ids, states, times, amounts,
//! metadata of listings and transactions, and, unless the marketplace blanks them, the texts of
//! messages and reviews.

use crate::{Error, erased, store};
use prost::Message as _;
use std::collections::{BTreeSet, HashMap};
use stoa_db::{DbError, Tx, sql};
use stoa_proto::audit::AuditRecord;
use stoa_proto::events::{Envelope, PublicEvent, Resource, envelope::Payload, resource};
use stoa_proto::{listings, transactions, users};
use stoa_types::id::UserId;
use stoa_types::{ExtendedData, Timestamp};

/// Who is taken out, and how much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Erasure {
    /// The deleted user.
    pub user: UserId,
    /// The texts of the user's messages and reviews go, too.
    pub texts: bool,
}

/// Users whose personal data the envelope holds.
pub fn personal_of(envelope: &Envelope) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = envelope
        .public_events
        .iter()
        .flat_map(personal_of_event)
        .collect();
    match &envelope.payload {
        Some(Payload::Listing(listing)) => found.extend(author(listing)),
        Some(Payload::Transaction(transaction)) => {
            found.extend(transaction.protected_data_writers.values().cloned());
        }
        _ => {}
    }
    if let Some(record) = &envelope.audit {
        found.extend(record.personal_of.iter().cloned());
    }
    found
}

/// Users whose personal data the public event holds: those it names and those it shows.
pub fn personal_of_event(event: &PublicEvent) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = event.personal_of.iter().cloned().collect();
    for resource in [&event.resource, &event.previous] {
        match resource.as_ref().and_then(|r| r.resource.as_ref()) {
            Some(resource::Resource::User(user)) if !user.id.is_empty() => {
                found.insert(user.id.clone());
            }
            Some(resource::Resource::Listing(listing)) => found.extend(author(listing)),
            Some(resource::Resource::Transaction(transaction)) => {
                found.extend(transaction.protected_data_writers.values().cloned());
            }
            Some(resource) => found.extend(writer(resource).map(str::to_owned)),
            None => {}
        }
    }
    found
}

/// Who wrote the text of a message or review.
fn writer(resource: &resource::Resource) -> Option<&str> {
    let writer = match resource {
        resource::Resource::Message(message) => &message.sender_id,
        resource::Resource::Review(review) => &review.author_id,
        _ => return None,
    };
    (!writer.is_empty()).then_some(writer.as_str())
}

fn author(listing: &listings::Listing) -> Option<String> {
    (!listing.author_id.is_empty()).then(|| listing.author_id.clone())
}

/// Blanks the user's personal values in an envelope and its public events; true when anything
/// changed.
pub fn strip(envelope: &mut Envelope, erasure: Erasure) -> bool {
    let id = erasure.user.to_string();
    let mut changed = false;
    for event in &mut envelope.public_events {
        changed |= strip_event(event, erasure);
    }
    if let Some(record) = &mut envelope.audit {
        changed |= strip_record(record, &id);
    }
    changed
        | match &mut envelope.payload {
            Some(Payload::Listing(listing)) if listing.author_id == id => strip_listing(listing),
            Some(Payload::Transaction(transaction)) => {
                let writers = transaction.protected_data_writers.clone();
                strip_transaction(transaction, &id, &writers)
            }
            _ => false,
        }
}

/// Blanks the user's personal values in a public event; true when anything changed.
pub fn strip_event(event: &mut PublicEvent, erasure: Erasure) -> bool {
    let id = erasure.user.to_string();
    // What came before may be cut to what changed, without its author and writers.
    let (mut owns_listing, mut wrote_text) = (false, false);
    let mut writers: HashMap<String, String> = HashMap::new();
    for resource in [&event.resource, &event.previous] {
        match resource.as_ref().and_then(|r| r.resource.as_ref()) {
            Some(resource::Resource::Listing(listing)) => owns_listing |= listing.author_id == id,
            Some(resource::Resource::Transaction(transaction)) => {
                writers.extend(transaction.protected_data_writers.clone());
            }
            Some(resource) => wrote_text |= writer(resource) == Some(&*id),
            None => {}
        }
    }
    let blanks_text = erasure.texts && wrote_text;
    owns_listing |= event.resource_type == "listing" && event.personal_of.contains(&id);
    let is_user = event.resource_type == "user" && event.resource_id == id;
    let mut changed = false;
    for part in [&mut event.resource, &mut event.previous] {
        let Some(Resource {
            resource: Some(resource),
        }) = part
        else {
            continue;
        };
        changed |= match resource {
            resource::Resource::User(shown) if is_user || shown.id == id => strip_user(shown),
            resource::Resource::Listing(listing) if owns_listing => strip_listing(listing),
            resource::Resource::Transaction(transaction) => {
                // The same key may have had another writer before.
                let mut own = writers.clone();
                own.extend(transaction.protected_data_writers.clone());
                strip_transaction(transaction, &id, &own)
            }
            resource::Resource::Message(message) if blanks_text => blank_text(&mut message.content),
            resource::Resource::Review(review) if blanks_text => blank_text(&mut review.content),
            _ => false,
        };
    }
    changed
}

fn blank_text(text: &mut Option<String>) -> bool {
    text.as_mut()
        .is_some_and(|text| !std::mem::take(text).is_empty())
}

/// What an operator wrote about somebody goes whole: nobody can tell the persons in it apart.
fn strip_record(record: &mut AuditRecord, id: &str) -> bool {
    if !record.personal_of.iter().any(|user| user == id) {
        return false;
    }
    record.reason = None;
    record.changes.clear();
    record.personal_of.clear();
    true
}

fn strip_user(user: &mut users::User) -> bool {
    let before = user.clone();
    user.email = None;
    user.email_verified = false;
    user.pending_email = None;
    user.identity_providers.clear();
    user.profile_image_id = None;
    if user.profile.is_some() {
        user.profile = Some(users::Profile::default());
    }
    *user != before
}

fn strip_listing(listing: &mut listings::Listing) -> bool {
    let before = listing.clone();
    listing.title.clear();
    listing.description = None;
    listing.geolocation = None;
    listing.availability_plan = None;
    blank(&mut listing.public_data);
    if let Some(private) = &mut listing.private_data {
        blank(private);
    }
    *listing != before
}

fn blank(data: &mut String) {
    if !data.is_empty() {
        "{}".clone_into(data);
    }
}

fn strip_transaction(
    transaction: &mut transactions::Transaction,
    id: &str,
    writers: &HashMap<String, String>,
) -> bool {
    let before = transaction.clone();
    if !transaction.protected_data.is_empty() && writers.values().any(|writer| writer == id) {
        transaction.protected_data = match ExtendedData::from_stored(&transaction.protected_data) {
            Ok(mut data) => {
                for (key, _) in writers.iter().filter(|(_, writer)| *writer == id) {
                    data.remove(key);
                }
                data.to_json()
            }
            // What cannot be read cannot be kept.
            Err(_) => "{}".to_owned(),
        };
    }
    transaction
        .protected_data_writers
        .retain(|_, writer| writer != id);
    *transaction != before
}

/// Rewrites up to `limit` envelopes of the own outbox that hold personal data of the user, and
/// notes that. Returns how many; a job calls it, a transaction each, until that is 0, then
/// `Db::purge_deleted`.
///
/// # Errors
/// Those of the statements.
pub async fn erase_outbox(
    tx: &Tx,
    erasure: Erasure,
    limit: u32,
    now: Timestamp,
) -> Result<u64, Error> {
    let user = erasure.user;
    let rows: Vec<(String, Vec<u8>)> = tx
        .all_as(sql(store::PERSONAL_OF).bind(user).bind(limit))
        .await?;
    let count = rows.len() as u64;
    for (id, bytes) in rows {
        let mut envelope = Envelope::decode(bytes.as_slice())
            .map_err(|e| DbError::corrupt("outbox.envelope", e))?;
        if strip(&mut envelope, erasure) {
            let bytes = envelope.encode_to_vec();
            tx.execute_expecting(1, sql(store::REWRITE).bind(bytes).bind(id.as_str()))
                .await?;
        }
        tx.execute_expecting(1, sql(store::FORGET_PERSONAL).bind(user).bind(id))
            .await?;
    }
    erased::note(tx, user, "outbox", count, now).await?;
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_proto::audit::AuditChange;
    use stoa_proto::types;
    use stoa_types::SeededEntropy;

    const MARK: &str = "Ada";

    fn person(user: UserId) -> Erasure {
        Erasure { user, texts: false }
    }

    fn id(seed: u64) -> UserId {
        UserId::random(&SeededEntropy::new(seed))
    }

    fn resource(resource: resource::Resource) -> Option<Resource> {
        Some(Resource {
            resource: Some(resource),
        })
    }

    fn user_event(user: UserId) -> PublicEvent {
        let text = || Some(MARK.to_owned());
        let shown = users::User {
            id: user.to_string(),
            state: Some("active".into()),
            created_at_ms: Some(5),
            email: text(),
            pending_email: text(),
            identity_providers: vec![users::IdentityProvider {
                idp_id: "facebook".into(),
                user_id: MARK.into(),
            }],
            profile_image_id: Some("i".into()),
            profile: Some(users::Profile {
                first_name: text(),
                last_name: text(),
                display_name: text(),
                abbreviated_name: text(),
                bio: text(),
                public_data: text(),
                protected_data: text(),
                private_data: text(),
                metadata: text(),
            }),
            ..users::User::default()
        };
        let mut previous = shown.clone();
        previous.id.clear();
        PublicEvent {
            resource_type: "user".into(),
            resource_id: user.to_string(),
            resource: resource(resource::Resource::User(shown)),
            previous: resource(resource::Resource::User(previous)),
            ..PublicEvent::default()
        }
    }

    fn listing(author: UserId) -> listings::Listing {
        let data = || format!(r#"{{"by":"{MARK}"}}"#);
        listings::Listing {
            id: "l".into(),
            author_id: author.to_string(),
            state: "published".into(),
            created_at_ms: 6,
            title: MARK.into(),
            description: Some(MARK.into()),
            geolocation: Some(types::LatLng { lat: 1.0, lng: 2.0 }),
            availability_plan: Some(data()),
            public_data: data(),
            private_data: Some(data()),
            metadata: r#"{"rank":1}"#.into(),
            price: Some(types::Money {
                amount: 100,
                currency: "EUR".into(),
            }),
            ..listings::Listing::default()
        }
    }

    fn holds_mark(message: &impl prost::Message) -> bool {
        let bytes = message.encode_to_vec();
        bytes.windows(MARK.len()).any(|w| w == MARK.as_bytes())
    }

    #[test]
    // contract: security S46 (events)
    fn a_deleted_users_own_events_keep_only_what_is_not_personal() {
        let user = id(1);
        let mut event = user_event(user);
        assert!(holds_mark(&event));
        assert!(!strip_event(&mut event, person(id(2))));
        assert!(strip_event(&mut event, person(user)));
        assert!(!holds_mark(&event));
        let Some(resource::Resource::User(shown)) = event.resource.clone().unwrap().resource else {
            panic!("the event is still about a user");
        };
        assert_eq!(shown.id, user.to_string());
        assert_eq!(shown.created_at_ms, Some(5));
        assert_eq!(shown.state.as_deref(), Some("active"));
        assert_eq!(shown.profile_image_id, None);
        assert!(
            !strip_event(&mut event, person(user)),
            "a second time changes nothing"
        );
    }

    #[test]
    // contract: security S46 (events)
    fn listings_of_a_deleted_author_lose_texts_places_and_data_but_not_the_operators_metadata() {
        let user = id(1);
        // What came before is cut to what changed.
        let previous = listings::Listing {
            title: MARK.into(),
            public_data: format!(r#"{{"by":"{MARK}"}}"#),
            ..listings::Listing::default()
        };
        let mut envelope = Envelope {
            public_events: vec![PublicEvent {
                resource_type: "listing".into(),
                resource: resource(resource::Resource::Listing(listing(user))),
                previous: resource(resource::Resource::Listing(previous)),
                ..PublicEvent::default()
            }],
            payload: Some(Payload::Listing(listing(user))),
            ..Envelope::default()
        };
        assert_eq!(personal_of(&envelope), BTreeSet::from([user.to_string()]));
        assert!(!strip(&mut envelope, person(id(2))));
        assert!(strip(&mut envelope, person(user)));
        assert!(!holds_mark(&envelope));
        let Some(Payload::Listing(left)) = &envelope.payload else {
            panic!("the payload is still a listing");
        };
        assert_eq!(left.geolocation, None);
        assert_eq!(left.metadata, r#"{"rank":1}"#);
        assert_eq!(left.state, "published");
        assert_eq!(left.created_at_ms, 6);
        assert_eq!(left.price.as_ref().unwrap().amount, 100);
    }

    #[test]
    // contract: security S46 (events)
    fn a_deleted_listing_event_that_shows_only_what_was_before_is_stripped_by_its_people() {
        let user = id(1);
        let mut event = PublicEvent {
            resource_type: "listing".into(),
            previous: resource(resource::Resource::Listing(listings::Listing {
                title: MARK.into(),
                ..listings::Listing::default()
            })),
            personal_of: vec![user.to_string()],
            ..PublicEvent::default()
        };
        assert!(strip_event(&mut event, person(user)));
        assert!(!holds_mark(&event));
    }

    #[test]
    // contract: security S46 (events)
    fn protected_data_loses_the_keys_of_the_deleted_writer_only() {
        let (gone, stays) = (id(1), id(2));
        let transaction = transactions::Transaction {
            id: "t".into(),
            protected_data: r#"{"phone":"Ada","address":{"n":1.50},"size":"L"}"#.into(),
            metadata: r#"{"k":1}"#.into(),
            protected_data_writers: HashMap::from([
                ("phone".to_owned(), gone.to_string()),
                ("address".to_owned(), stays.to_string()),
                ("size".to_owned(), stays.to_string()),
            ]),
            ..transactions::Transaction::default()
        };
        let previous = transactions::Transaction {
            protected_data: r#"{"size":"Ada","phone":null}"#.into(),
            protected_data_writers: HashMap::from([("size".to_owned(), gone.to_string())]),
            ..transactions::Transaction::default()
        };
        let mut envelope = Envelope {
            public_events: vec![PublicEvent {
                resource_type: "transaction".into(),
                resource: resource(resource::Resource::Transaction(transaction.clone())),
                previous: resource(resource::Resource::Transaction(previous)),
                ..PublicEvent::default()
            }],
            payload: Some(Payload::Transaction(transaction)),
            ..Envelope::default()
        };
        let both = BTreeSet::from([gone.to_string(), stays.to_string()]);
        assert_eq!(personal_of(&envelope), both);
        assert!(strip(&mut envelope, person(gone)));
        assert!(!holds_mark(&envelope));
        let Some(Payload::Transaction(left)) = &envelope.payload else {
            panic!("the payload is still a transaction");
        };
        assert_eq!(left.protected_data, r#"{"address":{"n":1.50},"size":"L"}"#);
        assert_eq!(left.metadata, r#"{"k":1}"#);
        assert_eq!(left.protected_data_writers.len(), 2);
        assert_eq!(personal_of(&envelope), BTreeSet::from([stays.to_string()]));
    }

    #[test]
    // contract: security S46 (events), security S48
    fn what_an_operator_wrote_about_a_deleted_person_goes_and_the_deed_stays() {
        let user = id(1);
        let mut envelope = Envelope {
            audit: Some(AuditRecord {
                action: "users.ban".into(),
                target_kind: "user".into(),
                target_id: user.to_string(),
                reason: Some(MARK.into()),
                changes: vec![AuditChange {
                    field: "profile.firstName".into(),
                    before: Some(format!("\"{MARK}\"")),
                    after: None,
                }],
                personal_of: vec![user.to_string()],
            }),
            ..Envelope::default()
        };
        assert_eq!(personal_of(&envelope), BTreeSet::from([user.to_string()]));
        assert!(!strip(&mut envelope, person(id(2))));
        assert!(strip(&mut envelope, person(user)));
        assert!(!holds_mark(&envelope));
        let left = envelope.audit.clone().unwrap();
        assert_eq!(
            (left.action.as_str(), left.target_id),
            ("users.ban", user.to_string())
        );
        assert!(!strip(&mut envelope, person(user)));
    }

    // contract: security S46 (events), users section 8 (`erasure.texts`)
    #[test]
    fn texts_of_messages_and_reviews_stay_unless_the_marketplace_blanks_them() {
        let (writer, other) = (id(1), id(2));
        let message = resource::Resource::Message(transactions::Message {
            content: Some(MARK.into()),
            sender_id: writer.to_string(),
            ..transactions::Message::default()
        });
        let review = resource::Resource::Review(transactions::Review {
            content: Some(MARK.into()),
            author_id: writer.to_string(),
            rating: Some(4),
            ..transactions::Review::default()
        });
        // Cut to what changed.
        let before = resource::Resource::Review(transactions::Review {
            content: Some(MARK.into()),
            ..transactions::Review::default()
        });
        let with_texts = |user| Erasure { user, texts: true };
        for (now, before) in [(message, None), (review, Some(before))] {
            let mut event = PublicEvent {
                resource: resource(now),
                previous: before.and_then(resource),
                ..PublicEvent::default()
            };
            let whose = BTreeSet::from([writer.to_string()]);
            assert_eq!(personal_of_event(&event), whose);
            assert!(!strip_event(&mut event, person(writer)));
            assert!(!strip_event(&mut event, with_texts(other)));
            assert!(holds_mark(&event));
            assert!(strip_event(&mut event, with_texts(writer)));
            assert!(!holds_mark(&event), "{event:?}");
            assert!(!strip_event(&mut event, with_texts(writer)));
        }
    }
}
