//! How long tokens and sessions live.

use crate::domain::family::SessionKind;

/// Shortest life of access tokens outside tests, in seconds: the window of parallel refreshes
/// only keeps clients alive when a token lives much longer than any request.
pub const SHORTEST_ACCESS_S: i64 = 300;

const DAY_S: i64 = 86_400;

/// Ends of the sessions of one kind, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionEnds {
    /// After the last refresh.
    pub idle_s: i64,
    /// After the login; refreshing does not move it.
    pub absolute_s: i64,
}

/// Lives of tokens and sessions, in seconds of the real clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// Access tokens of scope `public-read`, `user` and `integ`.
    pub access_s: i64,
    /// Access tokens of scope `trusted:user`, at most the rest of their subject token.
    pub trusted_s: i64,
    /// Access tokens of operators.
    pub operator_s: i64,
    /// Sessions of users.
    pub user: SessionEnds,
    /// Sessions of integration applications.
    pub integration: SessionEnds,
    /// Sessions of operators.
    pub operator: SessionEnds,
}

impl Default for Lifetimes {
    fn default() -> Self {
        let ends = |idle_s, absolute_s| SessionEnds { idle_s, absolute_s };
        Self {
            access_s: 3600,
            trusted_s: 600,
            operator_s: 900,
            user: ends(180 * DAY_S, 365 * DAY_S),
            integration: ends(30 * DAY_S, 90 * DAY_S),
            operator: ends(12 * 3600, 12 * 3600),
        }
    }
}

/// The lifetimes cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLifetimes {
    /// Access tokens would die while requests are on their way.
    #[error("access tokens must live {SHORTEST_ACCESS_S} s or longer, not {0} s")]
    TooShort(i64),
    /// A life must be positive, and no session goes on for ever.
    #[error("{0} must be between 1 s and ten years")]
    OutOfRange(&'static str),
}

impl Lifetimes {
    /// Checks them; `allow_short` is for tests that wait for the end of a token.
    ///
    /// # Errors
    /// [`BadLifetimes`] names what cannot work.
    pub fn check(&self, allow_short: bool) -> Result<(), BadLifetimes> {
        for (name, life) in [
            ("access_s", self.access_s),
            ("trusted_s", self.trusted_s),
            ("operator_s", self.operator_s),
            ("user.idle_s", self.user.idle_s),
            ("user.absolute_s", self.user.absolute_s),
            ("integration.idle_s", self.integration.idle_s),
            ("integration.absolute_s", self.integration.absolute_s),
            ("operator.idle_s", self.operator.idle_s),
            ("operator.absolute_s", self.operator.absolute_s),
        ] {
            if !(1..=3650 * DAY_S).contains(&life) {
                return Err(BadLifetimes::OutOfRange(name));
            }
        }
        let shortest = self.access_s.min(self.operator_s);
        if shortest < SHORTEST_ACCESS_S && !allow_short {
            return Err(BadLifetimes::TooShort(shortest));
        }
        Ok(())
    }

    /// Ends of a kind of session.
    pub(crate) const fn ends(&self, kind: SessionKind) -> SessionEnds {
        match kind {
            SessionKind::User => self.user,
            SessionKind::Integration => self.integration,
            SessionKind::Operator => self.operator,
        }
    }

    /// Life of the access tokens of a kind of session.
    pub(crate) const fn access_of(&self, kind: SessionKind) -> i64 {
        match kind {
            SessionKind::User | SessionKind::Integration => self.access_s,
            SessionKind::Operator => self.operator_s,
        }
    }

    /// The longest life of an access token.
    pub(crate) fn longest_access_ms(&self) -> i64 {
        self.access_s.max(self.operator_s).max(self.trusted_s) * 1000
    }

    /// How long a revocation can matter: the longest access life and two minutes.
    pub(crate) fn revocation_ms(&self) -> i64 {
        self.longest_access_ms() + 120_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // contract: security S11
    #[test]
    fn no_configuration_takes_the_absolute_end_away() {
        let mut lifetimes = Lifetimes::default();
        assert_eq!(lifetimes.check(false), Ok(()));
        for end in [0, -1, i64::MAX] {
            lifetimes.user.absolute_s = end;
            assert_eq!(
                lifetimes.check(false),
                Err(BadLifetimes::OutOfRange("user.absolute_s"))
            );
        }
    }

    // contract: security S10
    #[test]
    fn access_tokens_shorter_than_five_minutes_are_for_tests_only() {
        let lifetimes = Lifetimes {
            access_s: 299,
            ..Lifetimes::default()
        };
        assert_eq!(lifetimes.check(false), Err(BadLifetimes::TooShort(299)));
        assert_eq!(lifetimes.check(true), Ok(()));
    }
}
