//! A token under a key that this gateway has not heard of: the key may be on its way, so auth is
//! asked before the token is refused, at most once in ten seconds for the whole process, so that a
//! flood of made-up key ids costs auth nothing. Within these the feed counts: a key is published for
//! three seconds before it signs, so a gateway whose feed spoke lately knows every key that does.

use super::{Access, Contact};
use crate::service::Peers;
use std::time::Duration;
use stoa_proto::Class;
use stoa_proto::auth::{SnapshotRequest, SnapshotResponse};
use stoa_rpc::Problem;
use stoa_types::id::RequestId;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// Least time between two questions.
const EVERY: Duration = Duration::from_secs(10);
/// A feed that spoke in this last while has told of every key that signs (a heartbeat vouches for
/// what was committed a second before it).
const LATELY: Duration = Duration::from_millis(1_500);
/// How long one may take; the client waits for it.
const LONGEST: Duration = Duration::from_secs(3);

/// When auth was last asked, and whether it answered.
#[derive(Default)]
pub(super) struct KeyRefresh {
    last: Mutex<Option<(Instant, bool)>>,
}

impl KeyRefresh {
    /// Asks through `ask` unless that was done in the last ten seconds; callers that come
    /// meanwhile wait for the same answer. True when every key that signs is known: by an answer of
    /// this moment, or by an earlier one and a feed that is `fresh`. False when it is not known what
    /// keys there are.
    async fn run(&self, ask: impl Future<Output = bool>, fresh: impl Fn() -> bool) -> bool {
        let mut last = self.last.lock().await;
        if let Some((asked, answered)) = *last
            && asked.elapsed() < EVERY
        {
            return answered && (asked.elapsed() < LATELY || fresh());
        }
        let asked = Instant::now();
        let answered = tokio::time::timeout(LONGEST, ask).await.unwrap_or(false);
        *last = Some((asked, answered));
        answered
    }
}

impl Access {
    /// Learns the keys that auth has now.
    ///
    /// # Errors
    /// 503 when auth does not say.
    pub(super) async fn refresh_keys(
        &self,
        peers: &Peers,
        contact: &Contact,
        request: RequestId,
    ) -> Result<(), Problem> {
        let ask = async {
            let own = self.identity.own(Class::Read, request);
            match peers.auth().snapshot(own.request(SnapshotRequest {})).await {
                Ok(answer) => {
                    self.learn_keys(&answer.into_inner());
                    true
                }
                Err(status) => {
                    tracing::warn!(%status, "auth did not say which keys there are");
                    false
                }
            }
        };
        let fresh = || contact.auth_spoke_within(LATELY);
        if self.key_refresh.run(ask, fresh).await {
            Ok(())
        } else {
            Err(Problem::unavailable())
        }
    }

    /// The feed may be ahead of the answer: it only adds, and what was revoked stays revoked.
    fn learn_keys(&self, snapshot: &SnapshotResponse) {
        {
            let mut revocations = self.revocations.write();
            for entry in &snapshot.revocations {
                revocations.apply(entry);
            }
        }
        self.tokens.learn_keys(&snapshot.keys);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    // contract: security 2.3 (an unknown kid)
    #[tokio::test(start_paused = true)]
    async fn auth_is_asked_once_in_ten_seconds_whoever_asks() {
        let refresh = KeyRefresh::default();
        let asked = AtomicU32::new(0);
        let ask = |answer| {
            let asked = &asked;
            async move {
                asked.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(50)).await;
                answer
            }
        };
        let all =
            futures::future::join_all((0..100).map(|_| refresh.run(ask(true), || true))).await;
        assert!(
            all.into_iter().all(|known| known),
            "they wait for one answer"
        );
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        tokio::time::advance(Duration::from_millis(9_900)).await;
        assert!(refresh.run(ask(true), || true).await);
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        tokio::time::advance(Duration::from_millis(100)).await;
        // Not known: refused as unavailable, also for those who come after.
        assert!(!refresh.run(ask(false), || true).await);
        assert!(!refresh.run(ask(true), || true).await);
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }

    // contract: security S16 (our own trouble is no 401)
    #[tokio::test(start_paused = true)]
    async fn an_earlier_answer_counts_as_long_as_the_feed_speaks() {
        let refresh = KeyRefresh::default();
        let ask = || std::future::ready(true);
        assert!(refresh.run(ask(), || false).await);
        assert!(refresh.run(ask(), || false).await, "it was asked just now");
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(refresh.run(ask(), || true).await);
        assert!(!refresh.run(ask(), || false).await);
    }

    // contract: security S16 (our own trouble is no 401)
    #[tokio::test(start_paused = true)]
    async fn an_answer_that_takes_too_long_is_none() {
        let refresh = KeyRefresh::default();
        assert!(!refresh.run(std::future::pending(), || true).await);
    }
}
