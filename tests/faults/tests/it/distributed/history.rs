//! What every request of a test came to, seen by the clients.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// What a request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Answered as it should be.
    Done,
    /// The connection ended before an answer; the client tries once more.
    Lost,
    /// No answer in time, 5xx, 429, or lost twice.
    Failed,
}

/// One request.
#[derive(Clone, Copy, Debug)]
struct Entry {
    began: Instant,
    ended: Instant,
    outcome: Outcome,
}

/// A cause of trouble, from its beginning to its end.
#[derive(Clone, Copy, Debug)]
struct Trouble {
    began: Instant,
    gone: Instant,
}

/// All requests and all causes of trouble. Shared by everybody who asks.
#[derive(Default)]
pub(crate) struct History {
    entries: Mutex<Vec<Entry>>,
    /// Answers that no failure excuses: 401 and 403 to live tokens, 404 for what was acknowledged.
    wrong: Mutex<Vec<String>>,
    /// Why requests failed, and how often.
    reasons: Mutex<BTreeMap<String, usize>>,
    troubles: Mutex<Vec<Trouble>>,
}

/// What a test says at its end.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Summary {
    pub(crate) requests: usize,
    pub(crate) lost: usize,
    pub(crate) failed: usize,
    /// Answers in each second before the first trouble.
    pub(crate) rate: f64,
    /// From the end of a cause to the last request that was sent after it and failed.
    pub(crate) recovery: Duration,
}

impl History {
    pub(crate) fn note(&self, began: Instant, outcome: Outcome) {
        self.entries.lock().unwrap().push(Entry {
            began,
            ended: Instant::now(),
            outcome,
        });
    }

    /// An answer that must not be.
    pub(crate) fn note_wrong(&self, what: String) {
        self.wrong.lock().unwrap().push(what);
    }

    pub(crate) fn note_reason(&self, why: &str) {
        let mut reasons = self.reasons.lock().unwrap();
        *reasons.entry(why.chars().take(160).collect()).or_default() += 1;
    }

    /// A cause begins.
    pub(crate) fn trouble(&self) {
        let now = Instant::now();
        self.troubles.lock().unwrap().push(Trouble {
            began: now,
            gone: now,
        });
    }

    /// The cause that began last is gone.
    pub(crate) fn gone(&self) {
        if let Some(trouble) = self.troubles.lock().unwrap().last_mut() {
            trouble.gone = Instant::now();
        }
    }

    /// Waits until a second has passed in which requests were answered and none failed; at most
    /// so long.
    pub(crate) async fn calm(&self, at_most: Duration) {
        let (until, second) = (Instant::now() + at_most, Duration::from_secs(1));
        tokio::time::sleep(second).await;
        while Instant::now() < until {
            let since = Instant::now() - second;
            let (mut done, mut failed) = (0, 0);
            for entry in self.entries.lock().unwrap().iter().rev() {
                if entry.ended < since {
                    break;
                }
                match entry.outcome {
                    Outcome::Done => done += 1,
                    Outcome::Lost => {}
                    Outcome::Failed => failed += 1,
                }
            }
            if done > 20 && failed == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Answers that must not be.
    pub(crate) fn wrong(&self) -> Vec<String> {
        self.wrong.lock().unwrap().clone()
    }

    /// Why requests failed, most frequent first.
    pub(crate) fn reasons(&self) -> String {
        let reasons = self.reasons.lock().unwrap();
        let mut reasons: Vec<_> = reasons.iter().collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let line = |(why, count): &(&String, &usize)| format!("  {count} x {why}\n");
        reasons.iter().take(12).map(line).collect()
    }

    pub(crate) fn summary(&self, began: Instant) -> Summary {
        let entries = self.entries.lock().unwrap();
        let troubles = self.troubles.lock().unwrap();
        summary(&entries, &troubles, began)
    }
}

fn summary(entries: &[Entry], troubles: &[Trouble], began: Instant) -> Summary {
    let count = |outcome| entries.iter().filter(|e| e.outcome == outcome).count();
    let first = troubles.first().map(|trouble| trouble.began);
    let healthy = first.map_or(Duration::ZERO, |first| first - began);
    let before = |e: &&Entry| {
        e.outcome == Outcome::Done
            && first.is_some_and(|first| e.ended <= first)
            && e.ended >= began
    };
    let answered = entries.iter().filter(before).count();
    let mut recovery = Duration::ZERO;
    for (at, trouble) in troubles.iter().enumerate() {
        let next = troubles.get(at + 1).map(|next| next.began);
        let after = entries.iter().filter(|e| {
            e.outcome == Outcome::Failed
                && e.began > trouble.gone
                && next.is_none_or(|next| e.began < next)
        });
        let last = after.map(|e| e.began - trouble.gone).max();
        recovery = recovery.max(last.unwrap_or_default());
    }
    #[expect(clippy::cast_precision_loss, reason = "a count of a short test")]
    let answered = answered as f64;
    Summary {
        requests: entries.len(),
        lost: count(Outcome::Lost),
        failed: count(Outcome::Failed),
        rate: answered / healthy.as_secs_f64().max(0.001),
        recovery,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovery_is_counted_from_the_end_of_the_cause_to_the_last_failure_after_it() {
        let zero = Instant::now();
        let at = |ms| zero + Duration::from_millis(ms);
        let entry = |began, ended, outcome| Entry {
            began: at(began),
            ended: at(ended),
            outcome,
        };
        let trouble = |began, gone| Trouble {
            began: at(began),
            gone: at(gone),
        };
        let entries = [
            entry(0, 10, Outcome::Done),
            entry(500, 510, Outcome::Done),
            // In the trouble: excused.
            entry(1_100, 3_500, Outcome::Failed),
            // After it.
            entry(2_400, 2_410, Outcome::Failed),
            entry(2_500, 2_510, Outcome::Lost),
            // In the second one.
            entry(6_500, 6_510, Outcome::Failed),
            entry(8_000, 8_100, Outcome::Done),
        ];
        let troubles = [trouble(1_000, 2_000), trouble(6_000, 7_000)];
        let seen = summary(&entries, &troubles, zero);
        assert_eq!(seen.recovery, Duration::from_millis(400));
        assert_eq!((seen.requests, seen.lost, seen.failed), (7, 1, 3));
        assert!((seen.rate - 2.0).abs() < 0.01, "{}", seen.rate);
        // The same failures without an end of their cause.
        let late = [entry(14_000, 14_010, Outcome::Failed)];
        let seen = summary(&late, &troubles, zero);
        assert_eq!(seen.recovery, Duration::from_secs(7));
    }
}
