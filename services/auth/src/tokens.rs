//! Making and reading access tokens.

use crate::domain::application::Application;
use crate::domain::family::{Session, SessionKind};
use crate::domain::lifetimes::Lifetimes;
use crate::error::Error;
use crate::signing::{Keys, ReadKeys, Ring};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use stoa_proto::auth::TokenSet;
use stoa_rpc::access_token::{self as at, AccessClaims, Subject};
use stoa_rpc::keys;
use stoa_types::id::MarketplaceId;
use stoa_types::{Entropy, Timestamp};

/// Makes and reads the access tokens of one installation.
pub(crate) struct Tokens {
    pub(crate) keys: Keys,
    pub(crate) lifetimes: Lifetimes,
    issuer: String,
    marketplace: String,
    /// No token names an earlier second of issue: those are refused since a restore.
    floor_s: i64,
}

/// A token that this installation signed and that has not expired; whether it was revoked is
/// another question.
pub(crate) struct Read {
    pub(crate) claims: AccessClaims,
    pub(crate) subject: Subject,
    pub(crate) kid: String,
}

impl Tokens {
    pub(crate) fn new(
        keys: Keys,
        lifetimes: Lifetimes,
        installation_id: uuid::Uuid,
        marketplace: MarketplaceId,
        floor_s: i64,
    ) -> Self {
        Self {
            keys,
            lifetimes,
            issuer: at::issuer(&installation_id.to_string()),
            marketplace: marketplace.to_string(),
            floor_s,
        }
    }

    /// An anonymous token of an application, and the second at which it ends.
    pub(crate) fn anonymous(
        &self,
        application: &Application,
        ring: &Ring,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<(String, i64), Error> {
        let mut claims = self.claims(
            Subject::App(application.id),
            at::SCOPE_ANONYMOUS,
            at::AUDIENCE_MARKETPLACE,
            self.lifetimes.access_s,
            now,
            entropy,
        );
        claims.client_id = Some(application.id);
        claims.aep = Some(application.epoch);
        Ok((sign(ring, &claims)?, claims.exp))
    }

    /// The token set of a session: an access token that carries the session's counters, and the
    /// refresh token.
    pub(crate) fn of_session(
        &self,
        session: &Session,
        refresh_token: String,
        ring: &Ring,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<TokenSet, Error> {
        let (subject, scope, audience) = match session.kind {
            SessionKind::User => (
                session.user.map(Subject::User),
                at::SCOPE_USER,
                at::AUDIENCE_MARKETPLACE,
            ),
            SessionKind::Integration => (
                session.client.map(Subject::App),
                at::SCOPE_INTEGRATION,
                at::AUDIENCE_INTEGRATION,
            ),
            SessionKind::Operator => (
                session.operator.map(Subject::Operator),
                at::SCOPE_OPERATOR,
                at::AUDIENCE_OPERATOR,
            ),
        };
        let subject = subject.expect("a session has the subject of its kind");
        // No token outlives its session.
        let rest = session.absolute_end.as_secs() - now.as_secs();
        let life = self.lifetimes.access_of(session.kind).min(rest);
        let mut claims = self.claims(subject, scope, audience, life, now, entropy);
        claims.sid = Some(session.id);
        claims.client_id = session.client;
        claims.uep = session.user.map(|_| session.user_epoch);
        claims.aep = session.client.map(|_| session.application_epoch);
        claims.oep = session.operator.map(|_| session.operator_epoch);
        if session.kind == SessionKind::Operator {
            claims.amr = Some(vec!["pwd".to_owned()]);
            claims.auth_time = Some(session.started_at.as_secs());
        }
        Ok(TokenSet {
            access_token: sign(ring, &claims)?,
            refresh_token: Some(refresh_token),
            expires_in: seconds(claims.exp - claims.iat),
            scope: scope.to_owned(),
        })
    }

    /// A trusted token for the subject of another one: same user, session and counters, a shorter
    /// life, never longer than the subject token's.
    pub(crate) fn trusted(
        &self,
        subject: &AccessClaims,
        ring: &Ring,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<TokenSet, Error> {
        let now_s = now.as_secs();
        let exp = (now_s + self.lifetimes.trusted_s).min(subject.exp);
        let claims = AccessClaims {
            scope: at::SCOPE_TRUSTED.to_owned(),
            iat: now_s.max(self.floor_s),
            exp,
            jti: token_id(entropy),
            ..subject.clone()
        };
        Ok(TokenSet {
            access_token: sign(ring, &claims)?,
            refresh_token: None,
            expires_in: seconds(exp - now_s),
            scope: claims.scope,
        })
    }

    /// Reads a token of ours: signature, kind, issuer, marketplace, time, shape of the claims.
    /// Nothing for anything else.
    pub(crate) async fn read(&self, token: &str, now: Timestamp) -> Result<Option<Read>, ReadKeys> {
        let Ok(header) = keys::header(token) else {
            return Ok(None);
        };
        if header.typ != at::TYP {
            return Ok(None);
        }
        let ring = self.keys.with(&header.kid).await?;
        Ok(self.judge(token, header.kid, &ring, now))
    }

    fn judge(&self, token: &str, kid: String, ring: &Ring, now: Timestamp) -> Option<Read> {
        let claims: AccessClaims = ring.verifying(&kid)?.verify(token).ok()?;
        let subject = claims.subject()?;
        let now_s = now.as_secs();
        let ours = claims.iss == self.issuer && claims.mkt == self.marketplace;
        let live = claims.iat <= now_s + 30 && claims.exp > now_s;
        (ours && live).then_some(Read {
            claims,
            subject,
            kid,
        })
    }

    fn claims(
        &self,
        subject: Subject,
        scope: &str,
        audience: &str,
        life_s: i64,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> AccessClaims {
        let now_s = now.as_secs();
        AccessClaims {
            iss: self.issuer.clone(),
            aud: audience.to_owned(),
            sub: subject.to_string(),
            client_id: None,
            mkt: self.marketplace.clone(),
            scope: scope.to_owned(),
            iat: now_s.max(self.floor_s),
            exp: now_s + life_s,
            jti: token_id(entropy),
            sid: None,
            uep: None,
            aep: None,
            oep: None,
            act: None,
            amr: None,
            auth_time: None,
        }
    }
}

fn sign(ring: &Ring, claims: &AccessClaims) -> Result<String, Error> {
    Ok(ring.active().sign(at::TYP, claims)?)
}

/// Whole seconds for the wire.
pub(crate) fn seconds(s: i64) -> u32 {
    u32::try_from(s.max(0)).unwrap_or(u32::MAX)
}

/// 128 random bits.
fn token_id(entropy: &dyn Entropy) -> String {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}
