//! Time comes in as a value: nothing else in the workspace reads the wall clock.

use crate::Timestamp;
use std::sync::atomic::{AtomicI64, Ordering};

/// Tells the time. Shared as `Arc<dyn Clock>`.
///
/// A service gets two of them: the *domain* clock (transitions, ages of e-mail tokens), which a
/// virtual clock may move, and the *real* one (token lifetimes, sessions, leases, limits), which
/// it may not.
pub trait Clock: Send + Sync + 'static {
    /// The present instant, cut to milliseconds.
    fn now(&self) -> Timestamp;
}

/// The machine's wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the clock that is passed in"
        )]
        let since_epoch = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or(std::time::Duration::ZERO);
        Timestamp::from_ms(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }
}

/// A clock that runs with another one, ahead of it by as much as it was advanced.
///
/// Tests put it over a fixed instant; `--virtual-clock` puts it over the wall clock.
pub struct ManualClock {
    base: Box<dyn Clock>,
    ahead_ms: AtomicI64,
}

/// A clock that stands still.
struct Fixed(Timestamp);

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        self.0
    }
}

impl ManualClock {
    /// A clock that stands at `start` until it is advanced.
    pub fn starting_at(start: Timestamp) -> Self {
        Self::over(Fixed(start))
    }

    /// A clock that runs with `base`.
    pub fn over(base: impl Clock) -> Self {
        Self {
            base: Box::new(base),
            ahead_ms: AtomicI64::new(0),
        }
    }

    /// Moves the clock forward by `ms` milliseconds; it never goes back, so a negative number
    /// moves nothing. Returns the new time.
    pub fn advance_ms(&self, ms: i64) -> Timestamp {
        self.ahead_ms.fetch_add(ms.max(0), Ordering::SeqCst);
        self.now()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.base
            .now()
            .plus_ms(self.ahead_ms.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_forward_only() {
        let clock = ManualClock::starting_at(Timestamp::from_ms(1000));
        assert_eq!(clock.advance_ms(500), Timestamp::from_ms(1500));
        assert_eq!(clock.advance_ms(-500), Timestamp::from_ms(1500));
    }
}
