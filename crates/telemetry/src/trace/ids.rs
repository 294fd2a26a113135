//! Ids of spans.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where this process begins to count: another place in each process.
static NEXT: LazyLock<AtomicU64> =
    LazyLock::new(|| AtomicU64::new(RandomState::new().build_hasher().finish()));

/// A new span id, never 0. Ids of spans are no secret and decide nothing, so they do not come from
/// the process's entropy: a counter behind the mixing step of splitmix64, which maps no two
/// numbers to one.
pub(super) fn span_id() -> u64 {
    loop {
        let n = NEXT.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let id = n ^ (n >> 31);
        if id != 0 {
            return id;
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn ids_do_not_repeat() {
        let ids: std::collections::HashSet<_> = (0..10_000).map(|_| super::span_id()).collect();
        assert_eq!(ids.len(), 10_000);
    }
}
