//! Who is asking.

use std::fmt;
use stoa_types::id::{ClientId, OperatorId, SessionId, UserId};

/// What kind of caller a token makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// Scope `public-read`: nobody in particular, through a Marketplace application.
    Anonymous,
    /// Scope `user`.
    User,
    /// Scope `trusted:user`: a user, vouched for by the application's secret.
    TrustedUser,
    /// Scope `user:limited`: an operator who looks through a user's eyes.
    LimitedUser,
    /// Scope `integ`.
    Integration,
    /// Scope `operator`.
    Operator,
    /// A program of the owner that calls the services over gRPC.
    Service,
    /// Timers and consumers.
    System,
}

impl Level {
    /// All levels, weakest first.
    pub const ALL: [Self; 8] = [
        Self::Anonymous,
        Self::User,
        Self::TrustedUser,
        Self::LimitedUser,
        Self::Integration,
        Self::Operator,
        Self::Service,
        Self::System,
    ];

    /// The name used in internal tokens, events and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::User => "user",
            Self::TrustedUser => "trusted",
            Self::LimitedUser => "limited",
            Self::Integration => "integration",
            Self::Operator => "operator",
            Self::Service => "service",
            Self::System => "system",
        }
    }

    /// The level of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }

    /// The level of an access token's scope (RFC 6749 section 3.3); `service` tokens are no
    /// access tokens and have none.
    pub fn from_scope(scope: &str) -> Option<Self> {
        match scope {
            "public-read" => Some(Self::Anonymous),
            "user" => Some(Self::User),
            "trusted:user" => Some(Self::TrustedUser),
            "user:limited" => Some(Self::LimitedUser),
            "integ" => Some(Self::Integration),
            "operator" => Some(Self::Operator),
            _ => None,
        }
    }

    /// True for the three levels that act as a marketplace user.
    pub const fn is_user(self) -> bool {
        matches!(self, Self::User | Self::TrustedUser | Self::LimitedUser)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levels(u8);

impl Levels {
    /// The set of the given levels.
    pub const fn of(levels: &[Level]) -> Self {
        let (mut bits, mut i) = (0, 0);
        while i < levels.len() {
            bits |= 1 << levels[i] as u8;
            i += 1;
        }
        Self(bits)
    }

    /// True when `level` is in the set.
    pub const fn contains(self, level: Level) -> bool {
        self.0 & (1 << level as u8) != 0
    }
}

/// What an operator may do; the derived order is by reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Queries only.
    ReadOnly,
    /// Users, listings, transactions.
    Staff,
    /// Everything.
    Owner,
}

impl Role {
    /// The name in tokens and the operator API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::Staff => "staff",
            Self::Owner => "owner",
        }
    }

    /// The role of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::ReadOnly, Self::Staff, Self::Owner]
            .into_iter()
            .find(|role| role.name() == name)
    }
}

/// The caller of one request, as the verified token says; never its state or permissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Access level.
    pub level: Level,
    /// The user, for the user levels.
    pub user: Option<UserId>,
    /// The application whose token it is; none for operators and the system.
    pub client: Option<ClientId>,
    /// The login that the token belongs to.
    pub session: Option<SessionId>,
    /// The operator: for level `Operator`, and behind a login-as.
    pub operator: Option<OperatorId>,
    /// The operator's role when the request was admitted.
    pub role: Option<Role>,
    /// Security epoch of the user at the time of authentication.
    pub user_epoch: i64,
    /// For the system: the event or timer behind the call, and the service that acts.
    pub cause: Option<String>,
}

impl Actor {
    /// Nobody in particular, through an application where one is known.
    pub const fn anonymous(client: Option<ClientId>) -> Self {
        Self {
            level: Level::Anonymous,
            user: None,
            client,
            session: None,
            operator: None,
            role: None,
            user_epoch: 0,
            cause: None,
        }
    }

    /// A marketplace user on one of the user levels.
    pub const fn user(level: Level, user: UserId, client: ClientId, session: SessionId) -> Self {
        let mut actor = Self::anonymous(Some(client));
        actor.level = level;
        actor.user = Some(user);
        actor.session = Some(session);
        actor
    }

    /// An integration application.
    pub const fn integration(client: ClientId) -> Self {
        let mut actor = Self::anonymous(Some(client));
        actor.level = Level::Integration;
        actor
    }

    /// An operator with a role.
    pub const fn operator(operator: OperatorId, role: Role) -> Self {
        let mut actor = Self::anonymous(None);
        actor.level = Level::Operator;
        actor.operator = Some(operator);
        actor.role = Some(role);
        actor
    }

    /// The system itself, for a reason such as an event or timer id.
    pub fn system(cause: impl Into<String>) -> Self {
        let mut actor = Self::anonymous(None);
        actor.level = Level::System;
        actor.cause = Some(cause.into());
        actor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_scopes_lead_back_to_their_level() {
        for level in Level::ALL {
            assert_eq!(Level::from_name(level.name()), Some(level));
        }
        assert_eq!(Level::from_scope("trusted:user"), Some(Level::TrustedUser));
        for unknown in ["service", "", "user integ", "USER"] {
            assert_eq!(Level::from_scope(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn a_set_holds_what_it_was_made_of() {
        let set = Levels::of(&[Level::User, Level::System]);
        for level in Level::ALL {
            let expected = matches!(level, Level::User | Level::System);
            assert_eq!(set.contains(level), expected, "{level}");
        }
    }
}
