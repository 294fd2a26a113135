//! Whether the feeds of `auth` and `users` still speak.

use std::time::Duration;
use stoa_feed::Follower;
use stoa_types::{Clock, Timestamp};

/// The two feeds that decide about tokens.
pub(crate) struct Contact {
    auth: Follower,
    users: Follower,
    limit: Duration,
}

impl Contact {
    pub(crate) const fn new(auth: Follower, users: Follower, limit: Duration) -> Self {
        Self { auth, users, limit }
    }

    /// True while both were heard of within the limit.
    pub(crate) fn is_alive(&self) -> bool {
        [&self.auth, &self.users].into_iter().all(|feed| {
            feed.is_ready()
                && feed
                    .last_heard()
                    .is_some_and(|heard| heard.elapsed() < self.limit)
        })
    }

    /// Whether auth was heard of in this last while.
    pub(crate) fn auth_spoke_within(&self, time: Duration) -> bool {
        let heard = self.auth.last_heard();
        heard.is_some_and(|heard| heard.elapsed() < time)
    }

    /// Time for judging tokens: our clock, but never behind auth's own.
    pub(crate) fn now(&self, clock: &dyn Clock) -> Timestamp {
        let own = clock.now();
        self.auths_time().map_or(own, |theirs| theirs.max(own))
    }

    /// The time of auth, as it last said and what has passed since. Nothing before the first word.
    pub(crate) fn auths_time(&self) -> Option<Timestamp> {
        let (ms, heard) = self.auth.owner_time_ms().zip(self.auth.last_heard())?;
        let since = i64::try_from(heard.elapsed().as_millis()).unwrap_or(i64::MAX);
        Some(Timestamp::from_ms(ms).plus_ms(since))
    }
}
