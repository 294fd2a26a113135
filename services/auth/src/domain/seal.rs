//! Encryption of secrets that must be read back: AES-256-GCM (NIST SP 800-38D) under the master
//! key, which lives outside every database and its backup.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use stoa_types::Entropy;
use zeroize::Zeroizing;

/// The text was not sealed under this key for this place, or was changed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot be opened with this master key")]
pub(crate) struct CannotOpen;

/// The master key.
pub(crate) struct MasterKey {
    id: String,
    key: LessSafeKey,
}

impl MasterKey {
    /// The key of these 32 bytes.
    pub(crate) fn new(bytes: &[u8; 32]) -> Self {
        let mut digest = Sha256::new();
        digest.update(b"stoa master key id\0");
        digest.update(bytes);
        let id = URL_SAFE_NO_PAD.encode(&digest.finalize()[..9]);
        let key = UnboundKey::new(&AES_256_GCM, bytes).expect("the key has 32 bytes");
        Self {
            id,
            key: LessSafeKey::new(key),
        }
    }

    /// Tells keys apart without telling anything about them; stored beside what is sealed.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Seals `secret` for one `place`, such as table and row: moved elsewhere it does not open.
    pub(crate) fn seal(&self, place: &str, secret: &[u8], entropy: &dyn Entropy) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        entropy.fill(&mut nonce);
        let mut text = secret.to_vec();
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(place),
                &mut text,
            )
            .expect("a short text can be sealed");
        let mut sealed = nonce.to_vec();
        sealed.append(&mut text);
        sealed
    }

    /// Opens what was sealed for this place.
    pub(crate) fn open(
        &self,
        place: &str,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, CannotOpen> {
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN).ok_or(CannotOpen)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| CannotOpen)?;
        let mut text = Zeroizing::new(text.to_vec());
        let length = self
            .key
            .open_in_place(nonce, Aad::from(place), &mut text)
            .map_err(|_| CannotOpen)?
            .len();
        text.truncate(length);
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_types::SeededEntropy;

    #[test]
    fn what_is_sealed_opens_in_its_place_only() {
        let (key, other) = (MasterKey::new(&[1; 32]), MasterKey::new(&[2; 32]));
        let sealed = key.seal("keys/a", b"seed", &SeededEntropy::new(1));
        assert_eq!(key.open("keys/a", &sealed).unwrap().as_slice(), b"seed");
        assert_eq!(key.open("keys/b", &sealed), Err(CannotOpen));
        assert_eq!(other.open("keys/a", &sealed), Err(CannotOpen));
        assert_ne!(key.id(), other.id());
        let mut changed = sealed.clone();
        changed[14] ^= 1;
        for bad in [&changed[..], &sealed[..5], &[]] {
            assert_eq!(key.open("keys/a", bad), Err(CannotOpen));
        }
    }
}
