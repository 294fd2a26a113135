//! Ids: a UUID each, and no two kinds can be mixed up.

use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// The text is not a UUID in its canonical form of 36 characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a UUID")]
pub struct NotAnId;

/// Reads a canonical UUID; letters of either case are accepted, the value is lower case.
///
/// # Errors
/// [`NotAnId`] for every other form, such as braces, `urn:uuid:` or 32 bare digits.
pub fn parse_uuid(text: &str) -> Result<Uuid, NotAnId> {
    if text.len() != 36 {
        return Err(NotAnId);
    }
    Uuid::try_parse(text).map_err(|_| NotAnId)
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID that is already known to name this kind of thing.
            pub const fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// A fresh random id.
            pub fn random(entropy: &dyn crate::Entropy) -> Self {
                Self(entropy.uuid())
            }

            /// Reads a canonical UUID.
            ///
            /// # Errors
            /// [`NotAnId`] when the text is not one.
            pub fn parse(text: &str) -> Result<Self, NotAnId> {
                parse_uuid(text).map(Self)
            }

            /// The UUID inside.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                Self::parse(text)
            }
        }
    )*};
}

ids! {
    /// A marketplace user.
    UserId;
    /// A listing.
    ListingId;
    /// A transaction.
    TransactionId;
    /// A message within a transaction.
    MessageId;
    /// A review.
    ReviewId;
    /// A booking.
    BookingId;
    /// An application: the `client_id` of tokens.
    ClientId;
    /// A person who runs the marketplace.
    OperatorId;
    /// A login: the refresh family of a token, its claim `sid`.
    SessionId;
    /// An event envelope.
    EventId;
    /// One request at the gateway.
    RequestId;
    /// One try to run a transition.
    AttemptId;
    /// The one marketplace of an installation.
    MarketplaceId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_canonical_lower_case() {
        let id = UserId::parse("3C073FAE-6172-4E75-8B92-F560D58CD47C").unwrap();
        assert_eq!(id.to_string(), "3c073fae-6172-4e75-8b92-f560d58cd47c");
        for bad in [
            "",
            "3c073fae61724e758b92f560d58cd47c",
            "{3c073fae-6172-4e75-8b92-f560d58cd47}",
            "x",
        ] {
            assert!(UserId::parse(bad).is_err(), "{bad}");
        }
    }
}
