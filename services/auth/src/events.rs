//! What auth tells the others.
//!
//! `session.revoked` carries an entry of the revocation log, whatever its kind: the end of a
//! session, a raised epoch, a changed state, a revoked key. `settings.changed` carries all settings,
//! `key.*` the public half of a key, `application.*` what of an application ends, and when.

use crate::domain::revocation::Entry;
use crate::domain::rotation::{KeyRow, State};
use crate::signing;
use crate::store::revocations;
use stoa_db::{DbError, Tx};
use stoa_feed::{EnvelopeBuilder, Origin};
use stoa_proto::auth as pb;
use stoa_proto::events::{Envelope, envelope::Payload};
use stoa_types::id::ClientId;
use stoa_types::{Entropy, Timestamp};
use uuid::Uuid;

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

/// A key came into another state: `key.staged`, `key.promoted`, `key.gone`.
pub(crate) fn key(
    key: &KeyRow,
    state: State,
    origin: &Origin,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Envelope {
    let (kind, version) = match state {
        State::Staged => ("key.staged", 1),
        State::Active => ("key.promoted", 2),
        State::Retiring => ("key.retiring", 3),
        State::Revoked => ("key.revoked", 4),
        State::Gone => ("key.gone", 5),
    };
    let public = pb::SigningKey {
        state: state.name().to_owned(),
        ..signing::public_half(key)
    };
    EnvelopeBuilder::new(kind, &key.kid, version)
        .payload(Payload::Key(public))
        .build(origin, now, entropy)
}

/// An application is deleted, or one of its secrets ends: ids and times only.
pub(crate) fn application_end(
    client: ClientId,
    secret: Option<Uuid>,
    ends_at: Timestamp,
    origin: &Origin,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Envelope {
    let (kind, version) = match secret {
        None => ("application.deleted", 2),
        Some(_) => ("application.secret-ended", 1),
    };
    EnvelopeBuilder::new(kind, client, version)
        .payload(Payload::ApplicationEnd(pb::ApplicationEnd {
            client_id: client.to_string(),
            secret_id: secret.map(|id| id.to_string()),
            ends_at_ms: ends_at.as_ms(),
        }))
        .build(origin, now, entropy)
}
