//! What a decision is made by: the caller's state, the marketplace's settings, the resource.

use crate::Role;
use stoa_types::id::{SessionId, UserId};

/// State of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UserState {
    /// In good standing.
    Active,
    /// Waits for an operator's approval.
    PendingApproval,
    /// Banned by an operator.
    Banned,
    /// Gone for good.
    Deleted,
}

impl UserState {
    /// The name in the public API and in events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::PendingApproval => "pendingApproval",
            Self::Banned => "banned",
            Self::Deleted => "deleted",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::Active,
            Self::PendingApproval,
            Self::Banned,
            Self::Deleted,
        ]
        .into_iter()
        .find(|state| state.name() == name)
    }
}

/// Permissions of a user; true is `permission/allow`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permissions {
    /// May post listings.
    pub post_listings: bool,
    /// May initiate transactions.
    pub initiate_transactions: bool,
    /// May read on a private marketplace.
    pub read: bool,
}

impl Permissions {
    /// Everything allowed.
    pub const ALL: Self = Self {
        post_listings: true,
        initiate_transactions: true,
        read: true,
    };
}

/// What a service knows of the calling user; read again inside every write transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserAccess {
    /// State of the account.
    pub state: UserState,
    /// Tokens with a lower epoch are dead.
    pub epoch: i64,
    /// The one session that the last raise of the epoch spared.
    pub except_session: Option<SessionId>,
    /// The user's own permissions.
    pub permissions: Permissions,
}

/// What the marketplace asks of its users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccessSettings {
    /// Nothing is shown to those who are not signed in.
    pub private: bool,
    /// New users wait for approval.
    pub require_approval_to_join: bool,
    /// Posting needs the user's permission.
    pub require_permission_to_post_listings: bool,
    /// Initiating needs the user's permission.
    pub require_permission_to_initiate_transactions: bool,
    /// Reading needs the user's permission; counts on a private marketplace only.
    pub require_permission_to_read: bool,
    /// New listings wait for approval.
    pub require_approval_to_publish: bool,
}

/// Kind of an installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// For building a marketplace.
    Dev,
    /// For trying it out.
    Test,
    /// For real.
    Live,
}

impl Environment {
    /// The name in the settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Test => "test",
            Self::Live => "live",
        }
    }

    /// The environment of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "dev" => Some(Self::Dev),
            "test" => Some(Self::Test),
            "live" => Some(Self::Live),
            _ => None,
        }
    }
}

/// The caller's standing at the moment of the decision.
#[derive(Clone, Copy, Debug, Default)]
pub struct Standing<'a> {
    /// The marketplace's settings.
    pub settings: AccessSettings,
    /// The calling user; none for the levels without one.
    pub user: Option<&'a UserAccess>,
    /// The calling operator's role as it is now.
    pub role: Option<Role>,
}

/// As much of a resource as rights depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// The action is about no existing resource.
    None,
    /// A user.
    User {
        /// Whose account it is.
        id: UserId,
        /// Shown to other users: neither banned, deleted nor waiting for approval.
        public: bool,
    },
    /// A listing.
    Listing {
        /// Who posted it.
        author: UserId,
        /// Published, by an author in good standing.
        public: bool,
    },
    /// A transaction and what belongs to it.
    Transaction {
        /// The paying party.
        customer: UserId,
        /// The providing party.
        provider: UserId,
    },
    /// A review.
    Review {
        /// Who wrote it.
        author: UserId,
        /// Published.
        public: bool,
    },
}

/// What the user's own permissions come to: nothing may be posted or initiated while banned or
/// waiting for approval; what the marketplace does not ask for is allowed.
pub fn effective(settings: AccessSettings, user: &UserAccess) -> Permissions {
    let in_good_standing = user.state == UserState::Active;
    let own = user.permissions;
    Permissions {
        post_listings: in_good_standing
            && (!settings.require_permission_to_post_listings || own.post_listings),
        initiate_transactions: in_good_standing
            && (!settings.require_permission_to_initiate_transactions || own.initiate_transactions),
        read: (!settings.require_permission_to_read || own.read)
            && !(settings.private && user.state == UserState::PendingApproval),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(state: UserState, permissions: Permissions) -> UserAccess {
        UserAccess {
            state,
            epoch: 0,
            except_session: None,
            permissions,
        }
    }

    const NONE: Permissions = Permissions {
        post_listings: false,
        initiate_transactions: false,
        read: false,
    };

    #[test]
    fn what_the_marketplace_does_not_ask_for_is_allowed() {
        let settings = AccessSettings::default();
        assert_eq!(
            effective(settings, &user(UserState::Active, NONE)),
            Permissions::ALL
        );
    }

    #[test]
    fn what_it_asks_for_follows_the_user() {
        let settings = AccessSettings {
            require_permission_to_post_listings: true,
            require_permission_to_initiate_transactions: true,
            require_permission_to_read: true,
            ..AccessSettings::default()
        };
        assert_eq!(effective(settings, &user(UserState::Active, NONE)), NONE);
        let all = user(UserState::Active, Permissions::ALL);
        assert_eq!(effective(settings, &all), Permissions::ALL);
    }

    #[test]
    fn a_user_who_waits_for_approval_or_is_banned_posts_and_initiates_nothing() {
        for state in [UserState::PendingApproval, UserState::Banned] {
            let got = effective(AccessSettings::default(), &user(state, Permissions::ALL));
            assert_eq!(got, Permissions { read: true, ..NONE }, "{state:?}");
        }
        let private = AccessSettings {
            private: true,
            ..AccessSettings::default()
        };
        assert!(!effective(private, &user(UserState::PendingApproval, Permissions::ALL)).read);
    }
}
