//! Verifying access tokens, and remembering which were good.

use aws_lc_rs::digest::{SHA256, digest};
use moka::sync::Cache;
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use stoa_policy::{Actor, Level, Role};
use stoa_proto::auth::SigningKey;
use stoa_rpc::Credentials;
use stoa_rpc::access_token::{AccessClaims, Subject, TYP, issuer};
use stoa_rpc::keys::{self, VerifyingKey};
use stoa_types::Timestamp;
use stoa_types::id::MarketplaceId;

/// Shared credentials of reads are made anew after this time, well before they end.
const READ_CREDENTIALS_MS: i64 = 25_000;

/// A token whose signature and claims are good; time and revocation are tested at every use.
pub(crate) struct Verified {
    pub actor: Actor,
    pub audience: String,
    pub id: String,
    pub kid: String,
    pub issued_s: i64,
    pub expires_s: i64,
    pub app_epoch: i64,
    pub operator_epoch: i64,
    /// Ids as text, for the revocation set.
    pub user: Option<String>,
    pub client: Option<String>,
    pub session: Option<String>,
    pub operator: Option<String>,
    read: Mutex<Option<ReadCredentials>>,
}

struct ReadCredentials {
    made: Timestamp,
    settings_version: u64,
    role: Option<Role>,
    credentials: Credentials,
}

impl Verified {
    fn new(claims: AccessClaims, kid: String, marketplace: &MarketplaceId) -> Option<Self> {
        let subject = claims.subject()?;
        let level = Level::from_scope(&claims.scope)?;
        if claims.mkt != marketplace.to_string() {
            return None;
        }
        let mut actor = Actor::anonymous(claims.client_id);
        actor.level = level;
        actor.session = claims.sid;
        actor.user_epoch = claims.uep.unwrap_or(0);
        actor.operator = claims.operator_behind();
        match subject {
            Subject::User(id) => actor.user = Some(id),
            Subject::Operator(id) => actor.operator = Some(id),
            Subject::App(_) => {}
        }
        Some(Self {
            user: actor.user.map(|id| id.to_string()),
            client: actor.client.map(|id| id.to_string()),
            session: actor.session.map(|id| id.to_string()),
            operator: actor.operator.map(|id| id.to_string()),
            actor,
            audience: claims.aud,
            id: claims.jti,
            kid,
            issued_s: claims.iat,
            expires_s: claims.exp,
            app_epoch: claims.aep.unwrap_or(0),
            operator_epoch: claims.oep.unwrap_or(0),
            read: Mutex::new(None),
        })
    }

    /// Credentials for reads: one for all requests with this token while they are fresh.
    pub(crate) fn read_credentials(
        &self,
        now: Timestamp,
        settings_version: u64,
        role: Option<Role>,
        make: impl FnOnce() -> Credentials,
    ) -> Credentials {
        let mut kept = self.read.lock();
        if let Some(kept) = kept.as_ref()
            && kept.settings_version == settings_version
            && kept.role == role
            && (0..READ_CREDENTIALS_MS).contains(&now.ms_since(kept.made))
        {
            return kept.credentials.clone();
        }
        let credentials = make();
        let fresh = ReadCredentials {
            made: now,
            settings_version,
            role,
            credentials,
        };
        kept.insert(fresh).credentials.clone()
    }
}

/// Why a token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unverified {
    /// It is none of ours, or its time is over.
    Bad,
    /// It has the form of ours, under a key that is not known here.
    UnknownKey,
}

/// Keys of auth, and tokens that they signed.
pub(crate) struct Tokens {
    marketplace: MarketplaceId,
    issuer: RwLock<Option<String>>,
    keys: RwLock<HashMap<String, VerifyingKey>>,
    anonymous: Cache<[u8; 32], Arc<Verified>>,
    others: Cache<[u8; 32], Arc<Verified>>,
}

impl Tokens {
    pub(crate) fn new(marketplace: MarketplaceId) -> Self {
        // Parts of their own, so that a flood of anonymous tokens pushes no user out.
        let part = |entries| {
            Cache::builder()
                .max_capacity(entries)
                .time_to_live(Duration::from_secs(60))
                .build()
        };
        Self {
            marketplace,
            issuer: RwLock::default(),
            keys: RwLock::default(),
            anonymous: part(1_000),
            others: part(50_000),
        }
    }

    /// The installation whose tokens are accepted.
    pub(crate) fn set_installation(&self, id: &str) {
        *self.issuer.write() = Some(issuer(id));
    }

    /// These are all keys, from now on.
    pub(crate) fn set_keys(&self, keys: &[SigningKey]) {
        let fresh: HashMap<String, VerifyingKey> = keys
            .iter()
            .filter_map(|key| Some((key.kid.clone(), verifying(key)?)))
            .collect();
        let former = std::mem::replace(&mut *self.keys.write(), fresh);
        let gone = former
            .keys()
            .any(|kid| keys.iter().all(|key| key.kid != *kid));
        if gone {
            self.forget_tokens();
        }
    }

    /// Takes those of the keys that are not known yet.
    pub(crate) fn learn_keys(&self, keys: &[SigningKey]) {
        for key in keys {
            if !self.keys.read().contains_key(&key.kid)
                && let Some(verifying) = verifying(key)
            {
                self.keys.write().insert(key.kid.clone(), verifying);
            }
        }
    }

    /// Takes a key in its present state.
    pub(crate) fn apply_key(&self, key: &SigningKey) {
        match verifying(key) {
            Some(verifying) => {
                self.keys.write().insert(key.kid.clone(), verifying);
            }
            None => self.revoke_key(&key.kid),
        }
    }

    /// Forgets a key and every token that it signed.
    pub(crate) fn revoke_key(&self, kid: &str) {
        self.keys.write().remove(kid);
        self.forget_tokens();
    }

    fn forget_tokens(&self) {
        self.anonymous.invalidate_all();
        self.others.invalidate_all();
    }

    /// The token, when it is one of ours and lives.
    ///
    /// # Errors
    /// [`Unverified`].
    pub(crate) fn verify(&self, token: &str, now_s: i64) -> Result<Arc<Verified>, Unverified> {
        let hash: [u8; 32] = digest(&SHA256, token.as_bytes())
            .as_ref()
            .try_into()
            .map_err(|_| Unverified::Bad)?;
        let known = self.others.get(&hash).or_else(|| self.anonymous.get(&hash));
        let verified = match known {
            Some(known) => known,
            None => {
                let fresh = Arc::new(self.verify_afresh(token)?);
                let part = match fresh.actor.level {
                    Level::Anonymous => &self.anonymous,
                    _ => &self.others,
                };
                part.insert(hash, Arc::clone(&fresh));
                fresh
            }
        };
        if verified.expires_s <= now_s || verified.issued_s > now_s + 30 {
            return Err(Unverified::Bad);
        }
        Ok(verified)
    }

    fn verify_afresh(&self, token: &str) -> Result<Verified, Unverified> {
        let header = keys::header(token)
            .ok()
            .filter(|header| header.typ == TYP)
            .ok_or(Unverified::Bad)?;
        let known = self.keys.read().get(&header.kid).cloned();
        let key = known.ok_or(Unverified::UnknownKey)?;
        let claims: AccessClaims = key.verify(token).map_err(|_| Unverified::Bad)?;
        if Some(&claims.iss) != self.issuer.read().as_ref() {
            return Err(Unverified::Bad);
        }
        Verified::new(claims, header.kid, &self.marketplace).ok_or(Unverified::Bad)
    }
}

/// The key, in a state in which its tokens are good.
fn verifying(key: &SigningKey) -> Option<VerifyingKey> {
    if !matches!(key.state.as_str(), "staged" | "active" | "retiring") {
        return None;
    }
    VerifyingKey::new(&key.kid, &key.public_key)
        .inspect_err(|error| tracing::error!(%error, "A key cannot be used"))
        .ok()
}

/// For tests that play an issuer: the claims of a user's token.
#[doc(hidden)]
pub fn access_claims(subject: Subject, scope: &str) -> AccessClaims {
    AccessClaims {
        iss: issuer("test"),
        aud: stoa_rpc::access_token::audience_of(scope)
            .unwrap_or_default()
            .to_owned(),
        sub: subject.to_string(),
        client_id: None,
        mkt: String::new(),
        scope: scope.to_owned(),
        iat: 0,
        exp: 0,
        jti: "token".to_owned(),
        sid: None,
        uep: None,
        aep: None,
        oep: None,
        act: None,
        amr: None,
        auth_time: None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use jsonwebtoken::{Algorithm, EncodingKey, Header};
    use serde_json::{Value, json};
    use stoa_rpc::keys::SigningKey as Private;
    use stoa_types::SeededEntropy;
    use stoa_types::id::{ClientId, SessionId, UserId};

    const NOW: i64 = 1_800_000_000;

    fn public(key: &Private, state: &str) -> SigningKey {
        SigningKey {
            kid: key.kid().to_owned(),
            state: state.to_owned(),
            public_key: key.public().to_vec().into(),
        }
    }

    struct World {
        tokens: Tokens,
        key: Private,
        claims: AccessClaims,
    }

    fn world() -> World {
        let entropy = SeededEntropy::new(11);
        let marketplace = MarketplaceId::random(&entropy);
        let key = Private::generate(&entropy);
        let tokens = Tokens::new(marketplace);
        tokens.set_installation("test");
        tokens.apply_key(&public(&key, "active"));
        let claims = AccessClaims {
            client_id: Some(ClientId::random(&entropy)),
            mkt: marketplace.to_string(),
            iat: NOW - 10,
            exp: NOW + 10,
            sid: Some(SessionId::random(&entropy)),
            uep: Some(3),
            aep: Some(2),
            ..access_claims(Subject::User(UserId::random(&entropy)), "user")
        };
        World {
            tokens,
            key,
            claims,
        }
    }

    /// A good token of a user, verified.
    pub(in crate::access) fn verified() -> Verified {
        let w = world();
        let token = w.key.sign(TYP, &w.claims).unwrap();
        w.tokens.verify_afresh(&token).unwrap()
    }

    #[test]
    fn a_good_token_tells_its_caller() {
        let w = world();
        let token = w.key.sign(TYP, &w.claims).unwrap();
        let verified = w.tokens.verify(&token, NOW).unwrap();
        assert_eq!(verified.actor.level, Level::User);
        assert_eq!(verified.actor.session, w.claims.sid);
        assert_eq!((verified.actor.user_epoch, verified.app_epoch), (3, 2));
    }

    #[test]
    fn a_token_ends_with_its_time_cached_or_not() {
        let w = world();
        let token = w.key.sign(TYP, &w.claims).unwrap();
        assert!(w.tokens.verify(&token, NOW + 9).is_ok());
        assert!(w.tokens.verify(&token, NOW + 10).is_err());
        assert!(
            w.tokens.verify(&token, NOW - 41).is_err(),
            "issued in the future"
        );
    }

    #[test]
    fn tokens_of_a_revoked_key_are_dead_at_once() {
        let w = world();
        let token = w.key.sign(TYP, &w.claims).unwrap();
        assert!(w.tokens.verify(&token, NOW).is_ok());
        w.tokens.revoke_key(w.key.kid());
        assert!(w.tokens.verify(&token, NOW).is_err());
    }

    // contract: security 2.3, security S67
    #[test]
    fn keys_come_and_go_without_a_moment_without_any() {
        let w = world();
        let token = w.key.sign(TYP, &w.claims).unwrap();
        let next = Private::generate(&SeededEntropy::new(5));
        let later = next.sign(TYP, &w.claims).unwrap();
        let unknown = w.tokens.verify(&later, NOW).err();
        assert_eq!(unknown, Some(Unverified::UnknownKey));
        w.tokens
            .learn_keys(&[public(&next, "active"), public(&w.key, "revoked")]);
        assert!(w.tokens.verify(&later, NOW).is_ok());
        assert!(
            w.tokens.verify(&token, NOW).is_ok(),
            "learning takes nothing away"
        );
        w.tokens
            .set_keys(&[public(&next, "active"), public(&w.key, "retiring")]);
        assert!(w.tokens.verify(&token, NOW).is_ok());
        w.tokens.set_keys(&[public(&next, "active")]);
        assert_eq!(
            w.tokens.verify(&token, NOW).err(),
            Some(Unverified::UnknownKey)
        );
        w.tokens.apply_key(&public(&next, "gone"));
        assert_eq!(
            w.tokens.verify(&later, NOW).err(),
            Some(Unverified::UnknownKey)
        );
    }

    // contract: security S1
    #[test]
    fn forgeries_are_refused() {
        let w = world();
        let good = w.key.sign(TYP, &w.claims).unwrap();
        let parts: Vec<&str> = good.split('.').collect();
        let claims = serde_json::to_value(&w.claims).unwrap();
        let with = |change: &dyn Fn(&mut Value)| {
            let mut changed = claims.clone();
            change(&mut changed);
            w.key.sign(TYP, &changed).unwrap()
        };
        let header = |json: Value| {
            format!(
                "{}.{}.{}",
                URL_SAFE_NO_PAD.encode(json.to_string()),
                parts[1],
                parts[2]
            )
        };
        let kid = w.key.kid();
        let other = Private::generate(&SeededEntropy::new(99));
        let hs256 = {
            let mut head = Header::new(Algorithm::HS256);
            head.typ = Some(TYP.into());
            head.kid = Some(kid.into());
            jsonwebtoken::encode(&head, &claims, &EncodingKey::from_secret(w.key.public())).unwrap()
        };
        let duplicate = {
            let text = claims.to_string().replacen('{', r#"{"sub":"user:x","#, 1);
            let signed = format!("{}.{}", parts[0], URL_SAFE_NO_PAD.encode(text));
            format!("{signed}.{}", parts[2])
        };
        let forgeries = [
            ("empty", String::new()),
            ("garbage", "garbage".into()),
            ("two parts", format!("{}.{}", parts[0], parts[1])),
            ("no signature", format!("{}.{}.", parts[0], parts[1])),
            (
                "alg none",
                header(json!({"alg":"none","typ":TYP,"kid":kid})),
            ),
            ("alg HS256 over the public key", hs256),
            (
                "alg of another family",
                header(json!({"alg":"RS256","typ":TYP,"kid":kid})),
            ),
            (
                "embedded key",
                header(json!({"alg":"EdDSA","typ":TYP,"kid":kid,"jwk":{}})),
            ),
            (
                "key by address",
                header(json!({"alg":"EdDSA","typ":TYP,"kid":kid,"jku":"http://x"})),
            ),
            (
                "crit",
                header(json!({"alg":"EdDSA","typ":TYP,"kid":kid,"crit":["x"]})),
            ),
            (
                "path as kid",
                header(json!({"alg":"EdDSA","typ":TYP,"kid":"../../key"})),
            ),
            ("no kid", header(json!({"alg":"EdDSA","typ":TYP}))),
            (
                "other kind",
                w.key.sign("stoa-internal+jwt", &w.claims).unwrap(),
            ),
            ("signed by a stranger", other.sign(TYP, &w.claims).unwrap()),
            ("swapped signature", {
                let second = with(&|c| c["jti"] = "x".into());
                format!(
                    "{}.{}.{}",
                    parts[0],
                    parts[1],
                    second.rsplit('.').next().unwrap()
                )
            }),
            ("duplicate claim", duplicate),
            (
                "other installation",
                with(&|c| c["iss"] = "urn:stoa:other".into()),
            ),
            ("other marketplace", with(&|c| c["mkt"] = "x".into())),
            (
                "missing exp",
                with(&|c| {
                    c.as_object_mut().unwrap().remove("exp");
                }),
            ),
            ("unknown audience", with(&|c| c["aud"] = "stoa:else".into())),
            ("unknown scope", with(&|c| c["scope"] = "root".into())),
            ("two scopes", with(&|c| c["scope"] = "user integ".into())),
            (
                "scope of another subject",
                with(&|c| c["scope"] = "integ".into()),
            ),
            ("extra claim", with(&|c| c["role"] = "owner".into())),
            ("too long", "a".repeat(5000)),
            ("not ASCII", "é.é.é".into()),
        ];
        for (name, token) in forgeries {
            assert!(w.tokens.verify(&token, NOW).is_err(), "{name}");
        }
        assert!(w.tokens.verify(&good, NOW).is_ok());
    }
}
