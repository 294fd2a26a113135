//! Ed25519 keys in PEM files: PKCS#8 for private ones (RFC 8410), SPKI for public ones.

use crate::files::{self, FileError};
use crate::keys::{BadKey, SigningKey, VerifyingKey};
use aws_lc_rs::encoding::AsBigEndian as _;
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// What stands before the 32 bytes of a private key in PKCS#8.
const PKCS8: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
/// What stands before the 32 bytes of a public key in SPKI.
const SPKI: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// A key file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read, or others may read it.
    #[error(transparent)]
    File(#[from] FileError),
    /// It holds something else.
    #[error("{path}: {source} in PEM")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: BadKey,
    },
    /// It is named after no process.
    #[error("{0} is named after no process: expected <name>.pub or <name>.<anything>.pub")]
    Name(PathBuf),
}

impl SigningKey {
    /// The key in a PEM text (`PRIVATE KEY`).
    ///
    /// # Errors
    /// [`BadKey`] when there is no Ed25519 key in it.
    pub fn from_pem(pem: &[u8]) -> Result<Self, BadKey> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|_| BadKey)?;
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der())
            .map_err(|_| BadKey)?;
        let seed = pair.seed().map_err(|_| BadKey)?;
        let bytes = seed.as_be_bytes().map_err(|_| BadKey)?;
        Self::from_seed(bytes.as_ref())
    }

    /// The key in a PEM file, which only its owner (and group) may read.
    ///
    /// # Errors
    /// [`KeyFileError`] for a file that is missing, open to others or no Ed25519 key.
    pub fn from_pem_file(path: &Path) -> Result<Self, KeyFileError> {
        Self::from_pem(&files::read_secret(path)?).map_err(|source| KeyFileError::Content {
            path: path.to_owned(),
            source,
        })
    }

    /// The private key as PEM.
    pub fn to_pem(&self) -> Zeroizing<String> {
        let der = Zeroizing::new([&PKCS8[..], self.seed()].concat());
        Zeroizing::new(pem("PRIVATE KEY", &der))
    }

    /// The public half as PEM.
    pub fn public_pem(&self) -> String {
        pem("PUBLIC KEY", &[&SPKI[..], self.public()].concat())
    }
}

impl VerifyingKey {
    /// The key in a PEM text (`PUBLIC KEY`), under the id that its private half signs with.
    ///
    /// # Errors
    /// [`BadKey`] when there is no Ed25519 key in it.
    pub fn from_pem(pem: &[u8]) -> Result<Self, BadKey> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem).map_err(|_| BadKey)?;
        let public = der.as_ref().strip_prefix(&SPKI).ok_or(BadKey)?;
        Self::of_public(public)
    }
}

/// A PEM block (RFC 7468).
fn pem(label: &str, der: &[u8]) -> String {
    let text = Zeroizing::new(STANDARD.encode(der));
    let mut pem = format!("-----BEGIN {label}-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        let _ = writeln!(pem, "{line}");
        rest = more;
    }
    let _ = writeln!(pem, "-----END {label}-----");
    pem
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_types::SeededEntropy;

    #[test]
    fn keys_come_back_from_pem_with_the_same_id() {
        let key = SigningKey::generate(&SeededEntropy::new(5));
        let again = SigningKey::from_pem(key.to_pem().as_bytes()).unwrap();
        assert_eq!(again.seed(), key.seed());
        let public = VerifyingKey::from_pem(key.public_pem().as_bytes()).unwrap();
        assert_eq!(public.kid(), key.kid());
        let token = key.sign("t", &serde_json::json!({"a": 1})).unwrap();
        assert!(public.verify::<serde_json::Value>(&token).is_ok());
    }

    #[test]
    fn keys_of_other_tools_are_read() {
        // RFC 8410 section 10.3 and 10.1.
        let private = "-----BEGIN PRIVATE KEY-----\n\
            MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
            -----END PRIVATE KEY-----\n";
        let public = "-----BEGIN PUBLIC KEY-----\n\
            MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
            -----END PUBLIC KEY-----\n";
        let private = SigningKey::from_pem(private.as_bytes()).unwrap();
        let public = VerifyingKey::from_pem(public.as_bytes()).unwrap();
        assert_eq!(private.kid(), public.kid());
    }

    #[test]
    fn other_texts_are_no_keys() {
        let key = SigningKey::generate(&SeededEntropy::new(6));
        for bad in ["", "x", &key.public_pem()] {
            assert!(SigningKey::from_pem(bad.as_bytes()).is_err());
        }
        for bad in ["", "x", &key.to_pem()] {
            assert!(VerifyingKey::from_pem(bad.as_bytes()).is_err());
        }
    }

    // contract: security S67
    #[cfg(unix)]
    #[test]
    fn a_private_key_that_the_world_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users.key");
        let key = SigningKey::generate(&SeededEntropy::new(7));
        std::fs::write(&path, key.to_pem().as_bytes()).unwrap();
        for (mode, good) in [
            (0o600, true),
            (0o400, true),
            (0o440, true),
            (0o640, true),
            (0o644, false),
            (0o604, false),
            (0o660, false),
            (0o777, false),
        ] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let read = SigningKey::from_pem_file(&path);
            assert_eq!(read.is_ok(), good, "{mode:o}");
        }
    }
}
