//! Applications: the clients of the token endpoint.

use stoa_types::id::ClientId;
use stoa_types::{Entropy, Timestamp};
use uuid::Uuid;

/// What an application is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The Marketplace API.
    Marketplace,
    /// The Integration API.
    Integration,
    /// The owner's own programs, which call the services over gRPC.
    Internal,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Marketplace => "marketplace",
            Self::Integration => "integration",
            Self::Internal => "internal",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Marketplace, Self::Integration, Self::Internal]
            .into_iter()
            .find(|kind| kind.name() == name)
    }

    /// Grants that a new application of this kind may use, joined with spaces.
    pub(crate) const fn default_grants(self) -> &'static str {
        match self {
            Self::Marketplace => "client_credentials password refresh_token token_exchange",
            Self::Integration => "client_credentials refresh_token",
            Self::Internal => "client_credentials",
        }
    }
}

/// A way to get tokens (RFC 6749 section 4, RFC 8693).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    /// `client_credentials`.
    ClientCredentials,
    /// `password`.
    Password,
    /// `refresh_token`.
    RefreshToken,
    /// `token_exchange`.
    TokenExchange,
}

impl Grant {
    const fn name(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::Password => "password",
            Self::RefreshToken => "refresh_token",
            Self::TokenExchange => "token_exchange",
        }
    }

    /// Whether it is in a list joined with spaces.
    pub(crate) fn is_in(self, list: &str) -> bool {
        list.split(' ').any(|name| name == self.name())
    }
}

/// An application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Application {
    pub(crate) id: ClientId,
    pub(crate) kind: Kind,
    pub(crate) name: String,
    /// Where a login-as may come back to; byte for byte.
    pub(crate) redirect_uris: Vec<String>,
    /// What an internal application may do, by the names of actions.
    pub(crate) actions: Vec<String>,
    /// May exchange its users' tokens for trusted ones.
    pub(crate) trusted: bool,
    /// Grants it may use, joined with spaces.
    pub(crate) grants: String,
    pub(crate) epoch: i64,
    pub(crate) deleted: bool,
    pub(crate) created_at: Timestamp,
    pub(crate) secrets: Vec<Secret>,
}

/// One of the live secrets of an application; only its hash is known.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret {
    pub(crate) id: Uuid,
    pub(crate) hash: Vec<u8>,
    pub(crate) created_at: Timestamp,
    pub(crate) ends_at: Option<Timestamp>,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secret({})", self.id)
    }
}

impl Secret {
    /// A secret that counts until it is rotated, from its text.
    pub(crate) fn new(text: &str, now: Timestamp, entropy: &dyn Entropy) -> Self {
        Self {
            id: entropy.uuid(),
            hash: stoa_credentials::secret::hash(text).to_vec(),
            created_at: now,
            ends_at: None,
        }
    }

    /// Whether it has not ended.
    pub(crate) fn counts(&self, now: Timestamp) -> bool {
        self.ends_at.is_none_or(|end| now < end)
    }
}

impl Application {
    /// Whether it is of this kind, alive, and may use the grant.
    pub(crate) fn may(&self, kind: Kind, grant: Grant) -> bool {
        self.kind == kind && !self.deleted && grant.is_in(&self.grants)
    }

    /// A new application of a kind, with what its kind brings and one secret.
    pub(crate) fn new(id: ClientId, kind: Kind, name: impl Into<String>, secret: Secret) -> Self {
        Self {
            id,
            kind,
            name: name.into(),
            redirect_uris: Vec::new(),
            actions: Vec::new(),
            trusted: kind == Kind::Marketplace,
            grants: kind.default_grants().to_owned(),
            epoch: 0,
            deleted: false,
            created_at: secret.created_at,
            secrets: vec![secret],
        }
    }

    /// The live secret that was presented, if any. Every live one is compared, so that the time
    /// tells nothing about which it was.
    pub(crate) fn secret(&self, presented: &str, now: Timestamp) -> Option<Uuid> {
        let mut found = None;
        for secret in &self.secrets {
            if stoa_credentials::secret::matches(presented, &secret.hash) && secret.counts(now) {
                found = Some(secret.id);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_credentials::secret;
    use stoa_types::SeededEntropy;

    // contract: security S20
    #[test]
    fn two_secrets_live_side_by_side_until_the_old_one_ends() {
        let entropy = SeededEntropy::new(4);
        let end = Timestamp::from_ms(1000);
        let (old, new) = (
            secret::generate("scs_", &entropy),
            secret::generate("scs_", &entropy),
        );
        let now = Timestamp::from_ms(0);
        let id = ClientId::random(&entropy);
        let first = Secret {
            ends_at: Some(end),
            ..Secret::new(&old, now, &entropy)
        };
        let mut application = Application::new(id, Kind::Marketplace, "Web", first);
        application.secrets.push(Secret::new(&new, now, &entropy));
        assert!(application.secret(&old, end.plus_ms(-1)).is_some());
        assert!(application.secret(&old, end).is_none());
        assert!(application.secret(&new, end).is_some());
        assert!(application.secret("", end).is_none());
    }

    #[test]
    fn an_application_uses_the_grants_of_its_kind_while_it_lives() {
        let entropy = SeededEntropy::new(1);
        let id = ClientId::random(&entropy);
        let secret = Secret::new("text", Timestamp::from_ms(0), &entropy);
        let mut application = Application::new(id, Kind::Integration, "Robot", secret);
        assert!(application.may(Kind::Integration, Grant::ClientCredentials));
        assert!(!application.may(Kind::Marketplace, Grant::ClientCredentials));
        assert!(!application.may(Kind::Integration, Grant::Password));
        application.deleted = true;
        assert!(!application.may(Kind::Integration, Grant::ClientCredentials));
    }
}
