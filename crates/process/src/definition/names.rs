//! Names of states and transitions, and who acts.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps the text of the keyword without its colon.
            pub fn new(text: &str) -> Self {
                Self(text.into())
            }

            /// The keyword without its colon, as the API writes it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

names! {
    /// The name of a transition, `transition/request-payment`.
    TransitionName;
    /// The name of a state, `state/pending-payment`.
    StateName;
}

/// One of the two people of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Party {
    /// The one who pays.
    Customer,
    /// The one who provides and is paid.
    Provider,
}

impl Party {
    /// `customer` or `provider`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Provider => "provider",
        }
    }

    /// The party of a name, or nothing for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "customer" => Some(Self::Customer),
            "provider" => Some(Self::Provider),
            _ => None,
        }
    }

    /// The other one of the two.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Customer => Self::Provider,
            Self::Provider => Self::Customer,
        }
    }
}

/// Who takes a transition; the `by` of a history entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Actor {
    /// The customer.
    Customer,
    /// The provider.
    Provider,
    /// A person who runs the marketplace, or a program of theirs.
    Operator,
    /// The engine itself: delayed transitions.
    System,
}

impl Actor {
    /// `customer`, `provider`, `operator` or `system`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Provider => "provider",
            Self::Operator => "operator",
            Self::System => "system",
        }
    }

    /// The actor of a name, or nothing for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "customer" => Some(Self::Customer),
            "provider" => Some(Self::Provider),
            "operator" => Some(Self::Operator),
            "system" => Some(Self::System),
            _ => None,
        }
    }

    /// The party that this actor is, when it is one.
    pub const fn party(self) -> Option<Party> {
        match self {
            Self::Customer => Some(Party::Customer),
            Self::Provider => Some(Party::Provider),
            Self::Operator | Self::System => None,
        }
    }
}

impl From<Party> for Actor {
    fn from(party: Party) -> Self {
        match party {
            Party::Customer => Self::Customer,
            Party::Provider => Self::Provider,
        }
    }
}
