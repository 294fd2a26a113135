//! Removes a deleted person's values from what was already said: pure on messages, and in place
//! in the outbox.
//!
//! What stays is the other party's record and the marketplace's: ids, states, times, amounts,
//! texts of messages and reviews, metadata of listings and transactions.

use crate::{Error, store};
use prost::Message as _;
use std::collections::{BTreeSet, HashMap};
use stoa_db::{DbError, Tx, sql};
use stoa_proto::events::{Envelope, PublicEvent, Resource, envelope::Payload, resource};
use stoa_proto::{listings, transactions, users};
use stoa_types::ExtendedData;
use stoa_types::id::UserId;

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
            _ => {}
        }
    }
    found
}

fn author(listing: &listings::Listing) -> Option<String> {
    (!listing.author_id.is_empty()).then(|| listing.author_id.clone())
}

/// Blanks the user's personal values in an envelope and its public events; true when anything
/// changed.
pub fn strip(envelope: &mut Envelope, user: UserId) -> bool {
    let id = user.to_string();
    let mut changed = false;
    for event in &mut envelope.public_events {
        changed |= strip_event(event, user);
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
pub fn strip_event(event: &mut PublicEvent, user: UserId) -> bool {
    let id = user.to_string();
    // What came before may be cut to what changed, without its author and writers.
    let mut owns_listing = false;
    let mut writers: HashMap<String, String> = HashMap::new();
    for resource in [&event.resource, &event.previous] {
        match resource.as_ref().and_then(|r| r.resource.as_ref()) {
            Some(resource::Resource::Listing(listing)) => owns_listing |= listing.author_id == id,
            Some(resource::Resource::Transaction(transaction)) => {
                writers.extend(transaction.protected_data_writers.clone());
            }
            _ => {}
        }
    }
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
            _ => false,
        };
    }
    changed
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

/// Rewrites up to `limit` envelopes of the own outbox that hold personal data of the user. Returns
/// how many; a job calls it, a transaction each, until that is 0, then `Db::purge_log`.
///
/// # Errors
/// Those of the statements.
pub async fn erase_outbox(tx: &Tx, user: UserId, limit: u32) -> Result<u64, Error> {
    let rows: Vec<(String, Vec<u8>)> = tx
        .all_as(sql(store::PERSONAL_OF).bind(user).bind(limit))
        .await?;
    let count = rows.len() as u64;
    for (id, bytes) in rows {
        let mut envelope = Envelope::decode(bytes.as_slice())
            .map_err(|e| DbError::corrupt("outbox.envelope", e))?;
        if strip(&mut envelope, user) {
            let bytes = envelope.encode_to_vec();
            tx.execute_expecting(1, sql(store::REWRITE).bind(bytes).bind(id.as_str()))
                .await?;
        }
        tx.execute_expecting(1, sql(store::FORGET_PERSONAL).bind(user).bind(id))
            .await?;
    }
    Ok(count)
}
