//! The keys of access tokens (K1 of security.md 2.3), as they are used: read once, at the start.

use crate::domain::seal::MasterKey;
use crate::store::keys::KeyRow;
use std::collections::HashMap;
use stoa_proto::auth as pb;
use stoa_rpc::keys::{SigningKey, VerifyingKey};
use stoa_types::Entropy;

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

/// All keys that tokens may name.
pub(crate) struct Keys {
    active: SigningKey,
    /// By id; without the revoked ones.
    verifying: HashMap<String, VerifyingKey>,
    public: Vec<pb::SigningKey>,
}

impl Keys {
    /// Opens the stored keys.
    pub(crate) fn open(rows: &[KeyRow], master: &MasterKey) -> Result<Self, BadKeys> {
        let (mut active, mut verifying) = (None, HashMap::new());
        for row in rows {
            let damaged = || BadKeys::Damaged(row.kid.clone());
            if row.state != "revoked" {
                let key =
                    VerifyingKey::new(row.kid.as_str(), &row.public_key).map_err(|_| damaged())?;
                verifying.insert(row.kid.clone(), key);
            }
            if row.state == "active" {
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
                active = Some(SigningKey::from_seed(&seed).map_err(|_| damaged())?);
            }
        }
        Ok(Self {
            active: active.ok_or(BadKeys::NoneActive)?,
            verifying,
            public: rows.iter().map(public_half).collect(),
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

    /// The public halves, for gateways.
    pub(crate) fn public(&self) -> &[pb::SigningKey] {
        &self.public
    }
}

/// A fresh active key as a row.
pub(crate) fn fresh(master: &MasterKey, entropy: &dyn Entropy) -> KeyRow {
    let key = SigningKey::generate(entropy);
    KeyRow {
        kid: key.kid().to_owned(),
        state: "active".to_owned(),
        public_key: key.public().to_vec(),
        sealed_seed: Some(master.seal(&place(key.kid()), key.seed(), entropy)),
        master_key_id: master.id().to_owned(),
    }
}

/// The public half of a key.
pub(crate) fn public_half(row: &KeyRow) -> pb::SigningKey {
    pb::SigningKey {
        kid: row.kid.clone(),
        state: row.state.clone(),
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

    #[test]
    fn a_stored_key_opens_under_its_master_key_only() {
        let (master, other) = (MasterKey::new(&[7; 32]), MasterKey::new(&[8; 32]));
        let row = fresh(&master, &SeededEntropy::new(2));
        let keys = Keys::open(std::slice::from_ref(&row), &master).unwrap();
        assert_eq!(keys.active().kid(), row.kid);
        assert!(matches!(
            Keys::open(std::slice::from_ref(&row), &other),
            Err(BadKeys::OtherMasterKey { .. })
        ));
        // A row that was swapped with another one's secret does not open.
        let moved = KeyRow {
            kid: "elsewhere".into(),
            ..row
        };
        assert!(matches!(
            Keys::open(&[moved], &master),
            Err(BadKeys::Damaged(_))
        ));
    }

    // contract: security S67
    #[test]
    fn a_revoked_key_verifies_nothing() {
        let master = MasterKey::new(&[7; 32]);
        let entropy = SeededEntropy::new(3);
        let mut revoked = fresh(&master, &entropy);
        revoked.state = "revoked".into();
        let keys = Keys::open(&[revoked.clone(), fresh(&master, &entropy)], &master).unwrap();
        assert!(keys.verifying(&revoked.kid).is_none());
        assert!(matches!(
            Keys::open(&[revoked], &master),
            Err(BadKeys::NoneActive)
        ));
    }
}
