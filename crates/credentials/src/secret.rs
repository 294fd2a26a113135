//! Random secrets of 256 bit: client secrets, refresh tokens, codes.
//!
//! They need no slow hash: nobody guesses 256 bits, so the store holds their SHA-256.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use stoa_types::Entropy;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroize as _;

/// A fresh secret: `prefix` and 43 base64url characters. The fixed prefix lets scanners find
/// leaks.
pub fn generate(prefix: &str, entropy: &dyn Entropy) -> String {
    let mut bytes = [0; 32];
    entropy.fill(&mut bytes);
    let secret = format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes));
    bytes.zeroize();
    secret
}

/// What the store holds of a secret.
pub fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Whether a presented secret is the stored one, in constant time.
pub fn matches(presented: &str, stored: &[u8]) -> bool {
    hash(presented).ct_eq(stored).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_types::SeededEntropy;

    #[test]
    fn a_secret_matches_its_hash_only() {
        let entropy = SeededEntropy::new(5);
        let (one, two) = (generate("srt_", &entropy), generate("srt_", &entropy));
        assert_eq!(one.len(), 47);
        assert!(one.starts_with("srt_") && one != two);
        assert!(matches(&one, &hash(&one)));
        assert!(!matches(&two, &hash(&one)));
        assert!(!matches(&one, &[]));
    }
}
