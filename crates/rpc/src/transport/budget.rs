//! How many repeats a peer may get: a share of the calls, so that a fault is not made worse.

use parking_lot::Mutex;

/// Repeats allowed at once after a quiet time.
const RESERVE: f64 = 100.0;
/// What each call adds.
const SHARE: f64 = 0.1;

/// A bucket of repeats, filled by calls.
#[derive(Debug)]
pub(super) struct Budget(Mutex<f64>);

impl Budget {
    /// A full bucket.
    pub(super) const fn new() -> Self {
        Self(Mutex::new(RESERVE))
    }

    /// A call was made.
    pub(super) fn earn(&self) {
        let mut left = self.0.lock();
        *left = (*left + SHARE).min(RESERVE);
    }

    /// Takes one repeat; false when none is left.
    pub(super) fn spend(&self) -> bool {
        let mut left = self.0.lock();
        let enough = *left >= 1.0;
        if enough {
            *left -= 1.0;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_are_a_tenth_of_the_calls_once_the_reserve_is_gone() {
        let budget = Budget::new();
        let reserve = std::iter::from_fn(|| budget.spend().then_some(())).count();
        assert_eq!(reserve, 100);
        for _ in 0..1_000 {
            budget.earn();
        }
        let earned = std::iter::from_fn(|| budget.spend().then_some(())).count();
        assert!((99..=100).contains(&earned), "{earned}");
    }

    #[test]
    fn the_reserve_does_not_grow_without_end() {
        let budget = Budget::new();
        for _ in 0..10_000 {
            budget.earn();
        }
        assert_eq!(
            std::iter::from_fn(|| budget.spend().then_some(())).count(),
            100
        );
    }
}
