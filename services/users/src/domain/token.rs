//! Tokens that travel by mail: the proof that somebody reads what goes to an address.
//!
//! A token is a row without any secret. Each time its mail is put together a fresh secret is made
//! and only its SHA-256 is stored beside the row, so that what lies in the database, in a backup
//! or in the queue of mails opens nothing, and every copy of the mail that may be on its way works.

use crate::domain::email::EmailKey;
use stoa_credentials::secret;
use stoa_types::id::UserId;
use stoa_types::{Entropy, Timestamp};
use uuid::Uuid;

/// Most tokens for one address whose time is not over, used ones not counted.
pub(crate) const MOST_PER_ADDRESS: i64 = 5;
const HOUR_MS: i64 = 60 * 60 * 1000;

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// An address is its user's.
    Verification,
    /// A new password.
    Reset,
}

/// One token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EmailToken {
    pub(crate) id: Uuid,
    pub(crate) purpose: Purpose,
    pub(crate) user: UserId,
    /// The address that its mail goes to.
    pub(crate) address: AddressDigest,
    /// Of a reset: the epoch of the user when it was asked for. Any new password raises it.
    pub(crate) epoch: Option<i64>,
    pub(crate) expires_at: Timestamp,
}

/// SHA-256 of an address in the form in which addresses compare: a token names its address
/// without holding it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct AddressDigest(Vec<u8>);

impl Purpose {
    /// The name in the store.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Verification => "verification",
            Self::Reset => "reset",
        }
    }

    /// The purpose of that name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Verification, Self::Reset]
            .into_iter()
            .find(|purpose| purpose.name() == name)
    }

    /// How long a token lives, in milliseconds.
    pub(crate) const fn life_ms(self) -> i64 {
        match self {
            Self::Verification => 48 * HOUR_MS,
            Self::Reset => HOUR_MS,
        }
    }

    /// The beginning of its secrets, by which scanners find leaks.
    const fn prefix(self) -> &'static str {
        match self {
            Self::Verification => "sev_",
            Self::Reset => "spr_",
        }
    }
}

impl EmailToken {
    /// A token that proves an address of a user.
    pub(crate) fn verification(
        user: UserId,
        address: &EmailKey,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Self {
        Self::new(Purpose::Verification, user, address, None, now, entropy)
    }

    /// A token that allows a new password.
    pub(crate) fn reset(
        user: UserId,
        address: &EmailKey,
        epoch: i64,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Self {
        Self::new(Purpose::Reset, user, address, Some(epoch), now, entropy)
    }

    fn new(
        purpose: Purpose,
        user: UserId,
        address: &EmailKey,
        epoch: Option<i64>,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Self {
        Self {
            id: entropy.uuid(),
            purpose,
            user,
            address: AddressDigest::of(address),
            epoch,
            expires_at: now.plus_ms(purpose.life_ms()),
        }
    }

    /// A secret of this token, for one mail.
    pub(crate) fn secret(&self, entropy: &dyn Entropy) -> String {
        secret::generate(self.purpose.prefix(), entropy)
    }

    /// Whether it is about this address.
    pub(crate) fn is_for(&self, address: &EmailKey) -> bool {
        self.address == AddressDigest::of(address)
    }

    /// Whether its time is not over.
    pub(crate) fn lives_at(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }
}

impl AddressDigest {
    /// The digest of an address.
    pub(crate) fn of(address: &EmailKey) -> Self {
        Self(secret::hash(address.as_str()).to_vec())
    }

    /// One that was stored.
    pub(crate) const fn stored(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// As it is stored.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for AddressDigest {
    /// Says nothing: who knows an address could recognise it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AddressDigest")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_types::SeededEntropy;

    // contract: security S39
    #[test]
    fn a_token_is_bound_to_its_address_and_its_time() {
        let entropy = SeededEntropy::new(1);
        let now = Timestamp::from_ms(1000);
        let user = UserId::random(&entropy);
        let address = EmailKey::of_stored("A@x.io");
        let token = EmailToken::verification(user, &address, now, &entropy);
        assert!(token.is_for(&EmailKey::of_stored("a@X.io")));
        assert!(!token.is_for(&EmailKey::of_stored("b@x.io")));
        assert!(token.lives_at(now.plus_ms(48 * HOUR_MS - 1)));
        assert!(!token.lives_at(now.plus_ms(48 * HOUR_MS)));
        let reset = EmailToken::reset(user, &address, 3, now, &entropy);
        assert!(reset.lives_at(now.plus_ms(HOUR_MS - 1)) && !reset.lives_at(now.plus_ms(HOUR_MS)));
        assert_eq!((reset.epoch, token.epoch), (Some(3), None));
    }

    #[test]
    fn secrets_tell_their_purpose_and_differ_from_mail_to_mail() {
        let entropy = SeededEntropy::new(1);
        let address = EmailKey::of_stored("a@x.io");
        let user = UserId::random(&entropy);
        let token = EmailToken::verification(user, &address, Timestamp::from_ms(0), &entropy);
        let (one, two) = (token.secret(&entropy), token.secret(&entropy));
        assert!(one.starts_with("sev_") && one.len() == 47 && one != two);
        let reset = EmailToken::reset(user, &address, 0, Timestamp::from_ms(0), &entropy);
        assert!(reset.secret(&entropy).starts_with("spr_"));
        for purpose in [Purpose::Verification, Purpose::Reset] {
            assert_eq!(Purpose::from_name(purpose.name()), Some(purpose));
        }
    }
}
