//! Says once a day in the log of the process how far the audit log goes, signed: who shortens it, or
//! writes it anew from the start, cannot change what was said outside of the database.

use crate::Auth;
use crate::error::Error;
use crate::store::audit::{self, Anchor};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use stoa_types::Timestamp;

/// How often it looks whether a day is over.
pub(crate) const EVERY: Duration = Duration::from_secs(60);
/// Time between two anchors, in milliseconds.
const DAY_MS: i64 = 86_400_000;

/// Type of a signed anchor, as its header names it.
const TYP: &str = "stoa-audit+jwt";

/// What is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// The installation.
    pub(crate) iss: String,
    /// Milliseconds.
    pub(crate) at: i64,
    pub(crate) seq: i64,
    pub(crate) hash: String,
}

/// Anchors the end of the chain when a day has passed and it moved; true when it did.
pub(crate) async fn anchor(auth: &Auth) -> Result<bool, Error> {
    let now = auth.real_clock.now();
    let last = audit::last_anchor(&auth.db).await?;
    let (seq, hash) = audit::head(&auth.db).await?;
    let is_due = last.is_none_or(|(at, known)| now.ms_since(at) >= DAY_MS && known < seq);
    if seq == 0 || !is_due {
        return Ok(false);
    }
    let claims = Claims {
        iss: format!("urn:stoa:{}", auth.installation_id),
        at: now.as_ms(),
        seq,
        hash: hash.clone(),
    };
    let signed = auth.tokens.keys.ring().active().sign(TYP, &claims)?;
    let anchor: &Anchor = &(
        Timestamp::from_ms(claims.at),
        seq,
        hash.clone(),
        signed.clone(),
    );
    auth.db
        .write(|tx| async move { audit::put_anchor(&tx, anchor).await })
        .await?;
    tracing::info!(
        audit.seq = seq,
        audit.hash = hash,
        audit.signed = signed,
        "The audit log goes on to entry {seq}"
    );
    Ok(true)
}
