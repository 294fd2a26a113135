//! The access token: what auth issues and what the gateway accepts (RFC 9068).
//!
//! Only the shape lives here. auth fills it and signs it with [`SigningKey::sign`]; the gateway
//! reads the header with [`keys::header`], verifies with [`VerifyingKey::verify`] and compares
//! every claim itself.
//!
//! [`SigningKey::sign`]: crate::keys::SigningKey::sign
//! [`keys::header`]: crate::keys::header
//! [`VerifyingKey::verify`]: crate::keys::VerifyingKey::verify

use serde::{Deserialize, Serialize};
use stoa_types::id::{ClientId, OperatorId, SessionId, UserId};
use uuid::Uuid;

/// `typ` of access tokens (RFC 9068 section 2.1).
pub const TYP: &str = "at+jwt";
/// `aud` of tokens for the Marketplace API.
pub const AUDIENCE_MARKETPLACE: &str = "stoa:marketplace";
/// `aud` of tokens for the Integration API.
pub const AUDIENCE_INTEGRATION: &str = "stoa:integration";
/// `aud` of tokens for the operator API.
pub const AUDIENCE_OPERATOR: &str = "stoa:operator";

/// Scope of anonymous tokens.
pub const SCOPE_ANONYMOUS: &str = "public-read";
/// Scope of a user's tokens.
pub const SCOPE_USER: &str = "user";
/// Scope of a user's tokens that an application vouched for with its secret.
pub const SCOPE_TRUSTED: &str = "trusted:user";
/// Scope of an operator who looks through a user's eyes.
pub const SCOPE_LIMITED: &str = "user:limited";
/// Scope of integration applications.
pub const SCOPE_INTEGRATION: &str = "integ";
/// Scope of operators.
pub const SCOPE_OPERATOR: &str = "operator";

/// `iss` of the tokens of an installation, by its id.
pub fn issuer(installation_id: &str) -> String {
    format!("urn:stoa:{installation_id}")
}

/// The audience of the API that tokens of a scope are for; none for an unknown scope.
pub fn audience_of(scope: &str) -> Option<&'static str> {
    match scope {
        SCOPE_ANONYMOUS | SCOPE_USER | SCOPE_TRUSTED | SCOPE_LIMITED => Some(AUDIENCE_MARKETPLACE),
        SCOPE_INTEGRATION => Some(AUDIENCE_INTEGRATION),
        SCOPE_OPERATOR => Some(AUDIENCE_OPERATOR),
        _ => None,
    }
}

/// Claims of an access token. No name, e-mail, state, permission or role is ever among them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessClaims {
    /// [`issuer`] of the installation.
    pub iss: String,
    /// One audience.
    pub aud: String,
    /// `user:<uuid>`, `app:<uuid>` or `op:<uuid>`; see [`AccessClaims::subject`].
    pub sub: String,
    /// Application; absent for operators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<ClientId>,
    /// Id of the marketplace.
    pub mkt: String,
    /// One of the scopes above.
    pub scope: String,
    /// Issued at, epoch seconds.
    pub iat: i64,
    /// Expires at, epoch seconds.
    pub exp: i64,
    /// Id of the token, 128 bit random.
    pub jti: String,
    /// Session; absent on anonymous tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<SessionId>,
    /// Security epoch of the user at authentication.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uep: Option<i64>,
    /// Epoch of the application at authentication.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aep: Option<i64>,
    /// Epoch of the operator at authentication.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oep: Option<i64>,
    /// Operator behind a login-as (RFC 8693 section 4.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Act>,
    /// How an operator was authenticated (RFC 8176).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amr: Option<Vec<String>>,
    /// When an operator was authenticated, epoch seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
}

/// Who acts behind the subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Act {
    /// `op:<uuid>`.
    pub sub: String,
}

/// A typed subject: an application can never be read as a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A marketplace user.
    User(UserId),
    /// An application.
    App(ClientId),
    /// An operator.
    Operator(OperatorId),
}

impl Subject {
    /// Reads `user:<uuid>`, `app:<uuid>` or `op:<uuid>`; nothing for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, id) = text.split_once(':')?;
        match kind {
            "user" => UserId::parse(id).ok().map(Self::User),
            "app" => ClientId::parse(id).ok().map(Self::App),
            "op" => OperatorId::parse(id).ok().map(Self::Operator),
            _ => None,
        }
    }

    /// The UUID inside.
    pub const fn uuid(self) -> Uuid {
        match self {
            Self::User(id) => id.uuid(),
            Self::App(id) => id.uuid(),
            Self::Operator(id) => id.uuid(),
        }
    }
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::User(id) => write!(f, "user:{id}"),
            Self::App(id) => write!(f, "app:{id}"),
            Self::Operator(id) => write!(f, "op:{id}"),
        }
    }
}

impl AccessClaims {
    /// The subject, when its kind and the audience fit the scope; nothing for claims that no
    /// honest issuer writes.
    pub fn subject(&self) -> Option<Subject> {
        let subject = Subject::parse(&self.sub)?;
        let fits = match (self.scope.as_str(), subject) {
            (SCOPE_ANONYMOUS, Subject::App(id)) => self.client_id == Some(id) && self.sid.is_none(),
            (SCOPE_INTEGRATION, Subject::App(id)) => {
                self.client_id == Some(id) && self.sid.is_some()
            }
            (SCOPE_USER | SCOPE_TRUSTED | SCOPE_LIMITED, Subject::User(_)) => {
                self.client_id.is_some() && self.sid.is_some() && self.uep.is_some()
            }
            (SCOPE_OPERATOR, Subject::Operator(_)) => {
                self.client_id.is_none() && self.sid.is_some() && self.oep.is_some()
            }
            _ => false,
        };
        let behind = match (&self.act, self.scope.as_str()) {
            (None, SCOPE_LIMITED) => false,
            (None, _) => true,
            (Some(_), SCOPE_USER | SCOPE_TRUSTED | SCOPE_LIMITED) => {
                self.operator_behind().is_some() && self.oep.is_some()
            }
            (Some(_), _) => false,
        };
        let audience = audience_of(&self.scope) == Some(self.aud.as_str());
        (fits && behind && audience).then_some(subject)
    }

    /// The operator behind a login-as.
    pub fn operator_behind(&self) -> Option<OperatorId> {
        match Subject::parse(&self.act.as_ref()?.sub)? {
            Subject::Operator(id) => Some(id),
            Subject::User(_) | Subject::App(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_types::{Entropy as _, SeededEntropy};

    fn user_claims() -> AccessClaims {
        let entropy = SeededEntropy::new(3);
        AccessClaims {
            iss: issuer("i"),
            aud: AUDIENCE_MARKETPLACE.into(),
            sub: Subject::User(UserId::random(&entropy)).to_string(),
            client_id: Some(ClientId::random(&entropy)),
            mkt: entropy.uuid().to_string(),
            scope: SCOPE_USER.into(),
            iat: 1,
            exp: 2,
            jti: "j".into(),
            sid: Some(SessionId::random(&entropy)),
            uep: Some(0),
            aep: Some(0),
            oep: None,
            act: None,
            amr: None,
            auth_time: None,
        }
    }

    // contract: security S3
    #[test]
    fn an_application_is_never_read_as_a_user() {
        let good = user_claims();
        assert!(matches!(good.subject(), Some(Subject::User(_))));
        let uuid = good.subject().unwrap().uuid();
        let as_app = AccessClaims {
            sub: format!("app:{uuid}"),
            ..good.clone()
        };
        assert_eq!(as_app.subject(), None);
        for bad in ["", "user:", "user", "svc:auth", &uuid.to_string()] {
            assert_eq!(Subject::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn scope_audience_session_and_operator_must_fit_together() {
        let good = user_claims();
        let limited = AccessClaims {
            scope: SCOPE_LIMITED.into(),
            ..good.clone()
        };
        assert_eq!(limited.subject(), None, "nobody stands behind it");
        for bad in [
            AccessClaims {
                aud: AUDIENCE_INTEGRATION.into(),
                ..good.clone()
            },
            AccessClaims {
                sid: None,
                ..good.clone()
            },
            AccessClaims {
                act: Some(Act { sub: "op:x".into() }),
                ..good.clone()
            },
            AccessClaims {
                scope: "user integ".into(),
                ..good
            },
        ] {
            assert_eq!(bad.subject(), None);
        }
    }

    #[test]
    fn an_unknown_claim_is_refused() {
        let mut json = serde_json::to_value(user_claims()).unwrap();
        assert!(serde_json::from_value::<AccessClaims>(json.clone()).is_ok());
        json["role"] = "owner".into();
        assert!(serde_json::from_value::<AccessClaims>(json).is_err());
    }
}
