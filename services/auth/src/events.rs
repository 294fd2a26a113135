//! What auth tells the others.
//!
//! `session.revoked` carries an entry of the revocation log, whatever its kind: the end of a
//! session, a raised epoch, a changed state. `settings.changed` carries all settings, and
//! `key.promoted` the public half of a key.

use crate::domain::revocation::Entry;
use crate::store::revocations;
use stoa_db::{DbError, Tx};
use stoa_feed::{EnvelopeBuilder, Origin};
use stoa_proto::auth as pb;
use stoa_proto::events::{Envelope, envelope::Payload};
use stoa_types::{Entropy, Timestamp};

/// Type of envelopes that carry an entry of the revocation log.
const REVOKED: &str = "session.revoked";

/// Appends entries to the revocation log and emits them, in one transaction with their cause.
pub(crate) async fn revoke(
    tx: &Tx,
    entries: &[Entry],
    origin: &Origin,
    entropy: &dyn Entropy,
) -> Result<(), DbError> {
    let mut envelopes = Vec::with_capacity(entries.len());
    for entry in entries {
        // A state is as new as the user's row, an epoch grows, and a session ends once.
        let version = u64::try_from(entry.epoch.max(1)).unwrap_or(1);
        let envelope = EnvelopeBuilder::new(REVOKED, &entry.key, version)
            .payload(Payload::Revocation(entry.into()))
            .build(origin, entry.at, entropy);
        revocations::append(tx, &envelope.id, entry).await?;
        envelopes.push(envelope);
    }
    stoa_feed::emit(tx, envelopes).await
}

/// The settings changed; all of them travel.
pub(crate) fn settings_changed(
    settings: &pb::Settings,
    origin: &Origin,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Envelope {
    let id = settings.marketplace.as_ref().map_or("", |m| m.id.as_str());
    EnvelopeBuilder::new("settings.changed", id, settings.version)
        .payload(Payload::Settings(settings.clone()))
        .build(origin, now, entropy)
}

/// A key signs new tokens from now on.
pub(crate) fn key_promoted(
    key: &pb::SigningKey,
    origin: &Origin,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Envelope {
    EnvelopeBuilder::new("key.promoted", &key.kid, 1)
        .payload(Payload::Key(key.clone()))
        .build(origin, now, entropy)
}
