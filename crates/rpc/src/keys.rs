//! Ed25519 keys (RFC 8032) and JSON Web Tokens signed with them (RFC 8037).

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Serialize;
use serde::de::DeserializeOwned;
use stoa_types::Entropy;

/// The key is no Ed25519 key, or the token could not be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 key")]
pub struct BadKey;

/// The token is not one that this key signed for this purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid token")]
pub struct BadToken;

/// A private key with its id.
///
/// It signs by itself: the library derives the key pair anew from its stored form for every token,
/// which costs as much as the signature. Verifying is the library's.
pub struct SigningKey {
    kid: String,
    pair: Ed25519KeyPair,
    public: [u8; 32],
    seed: [u8; 32],
}

impl SigningKey {
    /// A fresh key; its id is made from its public half, so equal keys have equal ids.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut seed = [0; 32];
        entropy.fill(&mut seed);
        Self::from_seed(&seed).expect("any 32 bytes are an Ed25519 seed")
    }

    /// The key of a stored seed of 32 bytes.
    ///
    /// # Errors
    /// [`BadKey`] when the seed has another length.
    pub fn from_seed(seed: &[u8]) -> Result<Self, BadKey> {
        let seed: [u8; 32] = seed.try_into().map_err(|_| BadKey)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| BadKey)?;
        let public: [u8; 32] = pair.public_key().as_ref().try_into().map_err(|_| BadKey)?;
        Ok(Self {
            kid: kid_of(&public),
            pair,
            public,
            seed,
        })
    }

    /// Key id, as it stands in the header of tokens.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public half, 32 bytes.
    pub const fn public(&self) -> &[u8; 32] {
        &self.public
    }

    /// The seed, for the store that keeps it encrypted.
    pub const fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    /// The public half as a key that verifies.
    pub fn verifying(&self) -> VerifyingKey {
        VerifyingKey {
            kid: self.kid.clone(),
            key: DecodingKey::from_ed_der(&self.public),
        }
    }

    /// Signs claims into a compact token (RFC 7515 section 3.1) whose header holds exactly `alg`,
    /// `typ` and `kid`.
    ///
    /// # Errors
    /// [`BadKey`] when the claims cannot be written as JSON.
    pub fn sign(&self, typ: &'static str, claims: &impl Serialize) -> Result<String, BadKey> {
        let header = serde_json::json!({ "alg": "EdDSA", "typ": typ, "kid": self.kid });
        let claims = serde_json::to_vec(claims).map_err(|_| BadKey)?;
        let mut token = URL_SAFE_NO_PAD.encode(header.to_string());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature = self.pair.sign(token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature.as_ref(), &mut token);
        Ok(token)
    }
}

impl std::fmt::Debug for SigningKey {
    /// The id only.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.kid)
    }
}

/// A public key with its id.
#[derive(Clone)]
pub struct VerifyingKey {
    kid: String,
    key: DecodingKey,
}

impl VerifyingKey {
    /// The key of 32 public bytes.
    ///
    /// # Errors
    /// [`BadKey`] for another length.
    pub fn new(kid: impl Into<String>, public: &[u8]) -> Result<Self, BadKey> {
        if public.len() != 32 {
            return Err(BadKey);
        }
        Ok(Self {
            kid: kid.into(),
            key: DecodingKey::from_ed_der(public),
        })
    }

    /// The key of 32 public bytes under the id that its private half signs with.
    pub(crate) fn of_public(public: &[u8]) -> Result<Self, BadKey> {
        let public: &[u8; 32] = public.try_into().map_err(|_| BadKey)?;
        Self::new(kid_of(public), public)
    }

    /// Key id.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Verifies a token whose header was read with [`header`] and named this key.
    /// Times, issuer and audience are the caller's to check: this only proves who signed.
    ///
    /// # Errors
    /// [`BadToken`] for a wrong signature or claims of another shape.
    pub fn verify<C: DeserializeOwned + Clone>(&self, token: &str) -> Result<C, BadToken> {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        jsonwebtoken::decode::<C>(token, &self.key, &validation)
            .map(|data| data.claims)
            .map_err(|_| BadToken)
    }
}

impl std::fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VerifyingKey({})", self.kid)
    }
}

/// The id of a key: the beginning of its public half.
fn kid_of(public: &[u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(&public[..12])
}

/// The header of one of our tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenHeader {
    /// Kind of token.
    pub typ: String,
    /// Key that is said to have signed it.
    pub kid: String,
}

/// Reads the header of a compact token: exactly the members `alg` (EdDSA), `typ` and `kid`, each
/// once, before any other work (RFC 8725 section 3).
///
/// # Errors
/// [`BadToken`] for anything else, and for tokens over 4 KB.
pub fn header(token: &str) -> Result<TokenHeader, BadToken> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wire {
        alg: String,
        typ: String,
        kid: String,
    }
    if token.len() > 4096 || token.bytes().filter(|b| *b == b'.').count() != 2 {
        return Err(BadToken);
    }
    let encoded = token.split('.').next().ok_or(BadToken)?;
    let json = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| BadToken)?;
    let wire: Wire = serde_json::from_slice(&json).map_err(|_| BadToken)?;
    if wire.alg != "EdDSA" || wire.kid.is_empty() || wire.kid.len() > 64 {
        return Err(BadToken);
    }
    Ok(TokenHeader {
        typ: wire.typ,
        kid: wire.kid,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_types::SeededEntropy;

    #[derive(Clone, serde::Serialize, serde::Deserialize, PartialEq, Debug)]
    struct Claims {
        sub: String,
    }

    fn key(seed: u64) -> SigningKey {
        SigningKey::generate(&SeededEntropy::new(seed))
    }

    #[test]
    fn a_token_is_verified_by_its_key_only() {
        let (key, other) = (key(1), key(2));
        let claims = Claims {
            sub: "user:1".into(),
        };
        let token = key.sign("at+jwt", &claims).unwrap();
        let read = header(&token).unwrap();
        assert_eq!(
            read,
            TokenHeader {
                typ: "at+jwt".into(),
                kid: key.kid().into()
            }
        );
        assert_eq!(key.verifying().verify::<Claims>(&token), Ok(claims));
        assert_eq!(other.verifying().verify::<Claims>(&token), Err(BadToken));
        let stored = VerifyingKey::new(key.kid(), key.public()).unwrap();
        assert!(stored.verify::<Claims>(&token).is_ok());
        assert!(SigningKey::from_seed(key.seed()).unwrap().kid() == key.kid());
    }

    // contract: security S1
    #[test]
    fn headers_with_other_members_or_algorithms_are_refused() {
        let part = |json: &str| format!("{}.e30.c2ln", URL_SAFE_NO_PAD.encode(json));
        for bad in [
            r#"{"alg":"none","typ":"at+jwt","kid":"k"}"#,
            r#"{"alg":"HS256","typ":"at+jwt","kid":"k"}"#,
            r#"{"alg":"EdDSA","typ":"at+jwt"}"#,
            r#"{"alg":"EdDSA","kid":"k"}"#,
            r#"{"alg":"EdDSA","typ":"at+jwt","kid":"k","jku":"https://x"}"#,
            r#"{"alg":"EdDSA","typ":"at+jwt","kid":"k","kid":"l"}"#,
            r#"{"alg":"EdDSA","typ":"at+jwt","kid":""}"#,
            "[]",
            "",
        ] {
            assert_eq!(header(&part(bad)), Err(BadToken), "{bad}");
        }
        for bad in ["", "a.b", "a.b.c.d", "..", "\u{ff}.\u{ff}.\u{ff}"] {
            assert_eq!(header(bad), Err(BadToken), "{bad}");
        }
        assert_eq!(header(&"x".repeat(5000)), Err(BadToken));
    }
}
