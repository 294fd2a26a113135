//! Entries of the revocation log: what gateways must refuse.

use crate::domain::lifetimes::Lifetimes;
use stoa_policy::{UserAccess, UserState};
use stoa_proto::auth as pb;
use stoa_types::Timestamp;
use stoa_types::id::{ClientId, OperatorId, SessionId, UserId};

/// An entry that stays as long as its cause.
const FOR_EVER: i64 = i64::MAX;

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) kind: &'static str,
    pub(crate) key: String,
    /// The lowest counter that is still accepted; for `user_state` the version of the user's row,
    /// so that a gateway can tell which of two states is newer.
    pub(crate) epoch: i64,
    pub(crate) except: Option<SessionId>,
    pub(crate) state: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) at: Timestamp,
    pub(crate) keep_until_ms: i64,
}

impl Entry {
    /// A session is dead.
    pub(crate) fn session(
        session: SessionId,
        reason: &'static str,
        lifetimes: &Lifetimes,
        now: Timestamp,
    ) -> Self {
        Self::new("sid", session.to_string(), reason, lifetimes, now)
    }

    /// Tokens of a user with a lower epoch are dead, but for one session.
    pub(crate) fn user_epoch(
        user: UserId,
        access: &UserAccess,
        lifetimes: &Lifetimes,
        now: Timestamp,
    ) -> Self {
        Self {
            epoch: access.epoch,
            except: access.except_session,
            ..Self::new("user", user.to_string(), "epoch-raised", lifetimes, now)
        }
    }

    /// A user is banned, deleted, or neither any more. `version` is that of the user's row.
    pub(crate) fn user_state(
        user: UserId,
        state: UserState,
        version: i64,
        lifetimes: &Lifetimes,
        now: Timestamp,
    ) -> Self {
        let (state, reason) = match state {
            UserState::Banned => ("banned", "user-banned"),
            UserState::Deleted => ("deleted", "user-deleted"),
            UserState::Active | UserState::PendingApproval => ("active", "user-unbanned"),
        };
        let mut entry = Self::new("user_state", user.to_string(), reason, lifetimes, now);
        entry.epoch = version;
        entry.state = state;
        if state == "banned" {
            entry.keep_until_ms = FOR_EVER;
        }
        entry
    }

    /// Tokens of an application are dead: all of them, it is deleted.
    pub(crate) fn application_deleted(
        client: ClientId,
        lifetimes: &Lifetimes,
        now: Timestamp,
    ) -> Self {
        Self {
            state: "deleted",
            ..Self::new(
                "app",
                client.to_string(),
                "application-deleted",
                lifetimes,
                now,
            )
        }
    }

    /// Tokens of an application with a lower epoch are dead.
    pub(crate) fn application_epoch(
        client: ClientId,
        epoch: i64,
        lifetimes: &Lifetimes,
        now: Timestamp,
    ) -> Self {
        Self {
            epoch,
            ..Self::new("app", client.to_string(), "secret-revoked", lifetimes, now)
        }
    }

    /// Tokens of an operator with a lower epoch are dead.
    pub(crate) fn operator_epoch(
        operator: OperatorId,
        epoch: i64,
        reason: &'static str,
        lifetimes: &Lifetimes,
        now: Timestamp,
    ) -> Self {
        Self {
            epoch,
            ..Self::new("op", operator.to_string(), reason, lifetimes, now)
        }
    }

    /// Tokens under a key are dead. Kept until no living token can name it.
    pub(crate) fn key(
        kid: &str,
        reason: &'static str,
        leaves_at: Timestamp,
        now: Timestamp,
    ) -> Self {
        Self {
            keep_until_ms: leaves_at.as_ms(),
            ..Self::new("key", kid.to_owned(), reason, &Lifetimes::default(), now)
        }
    }

    /// Every token that was issued before a second is dead. `floor_s` is the first second, since
    /// the epoch, whose tokens are accepted.
    pub(crate) fn floor(
        floor_s: i64,
        reason: &'static str,
        lifetimes: &Lifetimes,
        now: Timestamp,
    ) -> Self {
        Self {
            epoch: floor_s,
            ..Self::new("floor", "all".to_owned(), reason, lifetimes, now)
        }
    }

    /// Every token by which an operator looks through a user's eyes, issued before a second, is
    /// dead. `floor_s` as in [`Entry::floor`].
    pub(crate) fn login_as_floor(
        floor_s: i64,
        reason: &'static str,
        lifetimes: &Lifetimes,
        now: Timestamp,
    ) -> Self {
        Self {
            key: "login-as".to_owned(),
            ..Self::floor(floor_s, reason, lifetimes, now)
        }
    }

    fn new(
        kind: &'static str,
        key: String,
        reason: &'static str,
        lifetimes: &Lifetimes,
        now: Timestamp,
    ) -> Self {
        Self {
            kind,
            key,
            epoch: 0,
            except: None,
            state: "",
            reason,
            at: now,
            keep_until_ms: now.plus_ms(lifetimes.revocation_ms()).as_ms(),
        }
    }
}

impl From<&Entry> for pb::Revocation {
    fn from(entry: &Entry) -> Self {
        Self {
            kind: entry.kind.to_owned(),
            key: entry.key.clone(),
            epoch: entry.epoch,
            except_sid: entry.except.map(|sid| sid.to_string()),
            state: entry.state.to_owned(),
            reason: entry.reason.to_owned(),
            at_ms: entry.at.as_ms(),
            keep_until_ms: entry.keep_until_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_types::SeededEntropy;

    #[test]
    fn a_ban_is_kept_as_long_as_it_lasts_and_everything_else_as_long_as_a_token() {
        let (lifetimes, now) = (Lifetimes::default(), Timestamp::from_ms(0));
        let user = UserId::random(&SeededEntropy::new(1));
        let state = |state| Entry::user_state(user, state, 2, &lifetimes, now).keep_until_ms;
        assert_eq!(state(UserState::Banned), i64::MAX);
        assert_eq!(state(UserState::Deleted), (3600 + 120) * 1000);
        assert_eq!(state(UserState::Active), (3600 + 120) * 1000);
    }
}
