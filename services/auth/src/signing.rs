//! The keys of access tokens, as this process uses them.
//!
//! The rows decide: a replica reads them when its own feed tells of a key, and before it signs
//! under a key that is not the one its transaction saw active. A key that took the place of a revoked
//! one may be fresh: whoever needs it waits until gateways have heard of it.

use crate::domain::rotation::{KeyRow, SHORTEST_PUBLISHED_MS, State};
use crate::domain::seal::MasterKey;
use crate::store::keys;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use stoa_db::{Db, DbError};
use stoa_proto::auth as pb;
use stoa_rpc::keys::{SigningKey, VerifyingKey};
use stoa_types::{Clock, Entropy, Timestamp};
use tokio::time::Instant;

/// Longest wait for a key that is published but does not sign yet, whatever the clocks say.
const LONGEST_WAIT: Duration = Duration::from_millis(SHORTEST_PUBLISHED_MS.unsigned_abs());
/// How often a caller that waits for a key looks.
const LOOK: Duration = Duration::from_millis(20);

/// The stored keys cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKeys {
    /// The keys were sealed under another master key.
    #[error("the signing keys were sealed under the master key {stored}, not under {given}")]
    OtherMasterKey {
        /// Id of the key they were sealed under.
        stored: String,
        /// Id of the key that was given.
        given: String,
    },
    /// A row does not hold what it should.
    #[error("the signing key {0} cannot be read")]
    Damaged(String),
    /// There is no key to sign with.
    #[error("there is no active signing key")]
    NoneActive,
}

/// The keys could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadKeys {
    #[error(transparent)]
    Bad(#[from] BadKeys),
    #[error(transparent)]
    Db(#[from] DbError),
}

/// The keys as they were last read. Handlers take the [`Ring`] once and work with that.
pub(crate) struct Keys {
    db: Db,
    master: MasterKey,
    /// Real time.
    clock: Arc<dyn Clock>,
    ring: RwLock<Arc<Ring>>,
    /// One reading at a time, so that an older one never replaces a newer one.
    turn: tokio::sync::Mutex<()>,
}

impl Keys {
    /// Reads the stored keys.
    pub(crate) async fn open(
        db: Db,
        master: MasterKey,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ReadKeys> {
        let ring = Ring::open(&keys::keys(&db).await?, &master)?;
        Ok(Self {
            db,
            master,
            clock,
            ring: RwLock::new(Arc::new(ring)),
            turn: tokio::sync::Mutex::default(),
        })
    }

    /// The keys as they were last read.
    pub(crate) fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.ring.read())
    }

    /// The keys as they are now.
    pub(crate) async fn now(&self) -> Result<Arc<Ring>, ReadKeys> {
        let _turn = self.turn.lock().await;
        let rows = keys::keys(&self.db).await?;
        let mut ring = Ring::open(&rows, &self.master)?;
        let mut known = self.ring.write();
        if known.active.kid() == ring.active.kid() {
            ring.seen = known.seen;
        }
        let ring = Arc::new(ring);
        *known = Arc::clone(&ring);
        Ok(ring)
    }

    /// The keys to sign with: those where this one is active, unless it was replaced since.
    pub(crate) async fn with_active(&self, kid: &str) -> Result<Arc<Ring>, ReadKeys> {
        let known = self.ring();
        if known.active.kid() == kid {
            return Ok(self.signing(known).await);
        }
        self.signing_now().await
    }

    /// The keys to sign with as they are now.
    pub(crate) async fn signing_now(&self) -> Result<Arc<Ring>, ReadKeys> {
        let ring = self.now().await?;
        Ok(self.signing(ring).await)
    }

    /// These keys, or those that replace them meanwhile, once the active one signs: at once but for
    /// the first seconds of a key that follows a revoked one.
    async fn signing(&self, mut ring: Arc<Ring>) -> Arc<Ring> {
        while self.clock.now() < ring.signs_from && ring.seen.elapsed() < LONGEST_WAIT {
            tokio::time::sleep(LOOK).await;
            ring = self.ring();
        }
        ring
    }

    /// The keys, with the one of this id unless there is none.
    pub(crate) async fn with(&self, kid: &str) -> Result<Arc<Ring>, ReadKeys> {
        let known = self.ring();
        if known.verifying(kid).is_some() {
            return Ok(known);
        }
        self.now().await
    }

    /// What seals new keys.
    pub(crate) const fn master(&self) -> &MasterKey {
        &self.master
    }
}

/// All keys that tokens may name.
pub(crate) struct Ring {
    active: SigningKey,
    signs_from: Timestamp,
    /// When this process first saw the active key active.
    seen: Instant,
    /// By id; without the revoked ones.
    verifying: HashMap<String, VerifyingKey>,
}

impl Ring {
    fn open(rows: &[KeyRow], master: &MasterKey) -> Result<Self, BadKeys> {
        let (mut active, mut verifying) = (None, HashMap::new());
        for row in rows {
            let damaged = || BadKeys::Damaged(row.kid.clone());
            if row.state != State::Revoked {
                let key =
                    VerifyingKey::new(row.kid.as_str(), &row.public_key).map_err(|_| damaged())?;
                verifying.insert(row.kid.clone(), key);
            }
            if row.state == State::Active {
                if row.master_key_id != master.id() {
                    return Err(BadKeys::OtherMasterKey {
                        stored: row.master_key_id.clone(),
                        given: master.id().to_owned(),
                    });
                }
                let sealed = row.sealed_seed.as_ref().ok_or_else(damaged)?;
                let seed = master
                    .open(&place(&row.kid), sealed)
                    .map_err(|_| damaged())?;
                let key = SigningKey::from_seed(&seed).map_err(|_| damaged())?;
                active = Some((key, row.promoted_at.unwrap_or(row.created_at)));
            }
        }
        let (active, signs_from) = active.ok_or(BadKeys::NoneActive)?;
        Ok(Self {
            active,
            signs_from,
            seen: Instant::now(),
            verifying,
        })
    }

    /// The key that signs new tokens.
    pub(crate) const fn active(&self) -> &SigningKey {
        &self.active
    }

    /// The key of this id, unless it is unknown or revoked.
    pub(crate) fn verifying(&self, kid: &str) -> Option<&VerifyingKey> {
        self.verifying.get(kid)
    }
}

/// A fresh key as a row: staged, or active at once.
pub(crate) fn fresh(
    state: State,
    master: &MasterKey,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> KeyRow {
    let key = SigningKey::generate(entropy);
    KeyRow {
        kid: key.kid().to_owned(),
        state,
        public_key: key.public().to_vec(),
        sealed_seed: Some(master.seal(&place(key.kid()), key.seed(), entropy)),
        master_key_id: master.id().to_owned(),
        created_at: now,
        promoted_at: (state == State::Active).then_some(now),
        leaves_at: None,
    }
}

/// The public half of a key.
pub(crate) fn public_half(row: &KeyRow) -> pb::SigningKey {
    pb::SigningKey {
        kid: row.kid.clone(),
        state: row.state.name().to_owned(),
        public_key: row.public_key.clone().into(),
    }
}

fn place(kid: &str) -> String {
    format!("auth/signing_keys/{kid}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_types::SeededEntropy;

    const NOW: Timestamp = Timestamp::from_ms(0);

    #[test]
    fn a_stored_key_opens_under_its_master_key_only() {
        let (master, other) = (MasterKey::new(&[7; 32]), MasterKey::new(&[8; 32]));
        let row = fresh(State::Active, &master, NOW, &SeededEntropy::new(2));
        let keys = Ring::open(std::slice::from_ref(&row), &master).unwrap();
        assert_eq!(keys.active().kid(), row.kid);
        assert!(matches!(
            Ring::open(std::slice::from_ref(&row), &other),
            Err(BadKeys::OtherMasterKey { .. })
        ));
        // A row that was swapped with another one's secret does not open.
        let moved = KeyRow {
            kid: "elsewhere".into(),
            ..row
        };
        assert!(matches!(
            Ring::open(&[moved], &master),
            Err(BadKeys::Damaged(_))
        ));
    }

    // contract: security S67
    #[test]
    fn a_revoked_key_verifies_nothing() {
        let master = MasterKey::new(&[7; 32]);
        let entropy = SeededEntropy::new(3);
        let mut revoked = fresh(State::Active, &master, NOW, &entropy);
        revoked.state = State::Revoked;
        let active = fresh(State::Active, &master, NOW, &entropy);
        let keys = Ring::open(&[revoked.clone(), active], &master).unwrap();
        assert!(keys.verifying(&revoked.kid).is_none());
        assert!(matches!(
            Ring::open(&[revoked], &master),
            Err(BadKeys::NoneActive)
        ));
    }
}
