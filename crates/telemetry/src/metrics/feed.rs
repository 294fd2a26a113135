//! Feeds: how far sequencers, consumers and followers are.

use super::{Age, Shelf};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Cursor {
    service: &'static str,
    owner: &'static str,
    cursor: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Follower {
    follower: &'static str,
    owner: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Service {
    service: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Owner {
    owner: &'static str,
}

/// How far those are who stamp, consume and follow feeds.
pub struct FeedMetrics {
    lag: Family<Cursor, Gauge>,
    caught_up: Family<Cursor, Age>,
    running: Family<Cursor, Gauge>,
    stopped: Family<Cursor, Gauge>,
    passed: Family<Service, Age>,
    head: Family<Service, Gauge>,
    contact: Family<Follower, Age>,
    revocation_lag: Family<Owner, Histogram>,
}

impl FeedMetrics {
    pub(super) fn new(shelf: &mut Shelf) -> Self {
        let metrics = Self {
            lag: Family::default(),
            caught_up: Family::default(),
            running: Family::default(),
            stopped: Family::default(),
            passed: Family::default(),
            head: Family::default(),
            contact: Family::default(),
            revocation_lag: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.005, 2.0, 12))
            }),
        };
        let m = &metrics;
        shelf.register(
            "feed_lag_positions",
            "Envelopes that a consumer has not applied yet",
            m.lag.clone(),
        );
        shelf.register(
            "feed_lag_seconds",
            "Time since a consumer had applied all that its owner vouched for",
            m.caught_up.clone(),
        );
        shelf.register(
            "feed_consumer_running",
            "1 while this process runs the consumer, 0 while another replica does",
            m.running.clone(),
        );
        shelf.register(
            "feed_consumer_stopped",
            "1 when a consumer met an envelope that it may not skip and cannot read",
            m.stopped.clone(),
        );
        shelf.register(
            "sequencer_pass_age_seconds",
            "Time since the sequencer last knew that everything committed has a position",
            m.passed.clone(),
        );
        shelf.register(
            "feed_head",
            "Last position of a service's feed",
            m.head.clone(),
        );
        shelf.register(
            "feed_contact_age_seconds",
            "Time since a follower last knew all that its owner vouched for",
            m.contact.clone(),
        );
        shelf.register(
            "revocation_lag_seconds",
            "Time from a ban or revocation to its effect at the gateway",
            m.revocation_lag.clone(),
        );
        metrics
    }

    /// The figures of one consumer; made once.
    pub fn consumer(
        &self,
        service: &'static str,
        owner: &'static str,
        cursor: &'static str,
    ) -> ConsumerFigures {
        let of = Cursor {
            service,
            owner,
            cursor,
        };
        ConsumerFigures {
            lag: self.lag.get_or_create_owned(&of),
            caught_up: self.caught_up.get_or_create_owned(&of),
            running: self.running.get_or_create_owned(&of),
            stopped: self.stopped.get_or_create_owned(&of),
        }
    }

    /// The figures of a service's sequencer; made once.
    pub fn sequencer(&self, service: &'static str) -> SequencerFigures {
        let of = Service { service };
        SequencerFigures {
            passed: self.passed.get_or_create_owned(&of),
            head: self.head.get_or_create_owned(&of),
        }
    }

    /// When a follower was last in contact with an owner; made once.
    pub fn contact(&self, follower: &'static str, owner: &'static str) -> Age {
        self.contact
            .get_or_create_owned(&Follower { follower, owner })
    }

    /// Counts a ban or revocation that came from `owner` and works now, so many milliseconds after
    /// it was written.
    pub fn revoked(&self, owner: &'static str, after_ms: i64) {
        self.revocation_lag
            .get_or_create(&Owner { owner })
            .observe(super::seconds(after_ms));
    }
}

/// How far a consumer is.
#[derive(Clone, Debug)]
pub struct ConsumerFigures {
    lag: Gauge,
    caught_up: Age,
    running: Gauge,
    stopped: Gauge,
}

impl ConsumerFigures {
    /// It heard of the feed just now, which reaches to `head`, and has applied everything up to
    /// `position`.
    pub fn at(&self, position: u64, head: u64) {
        let lag = head.saturating_sub(position);
        self.lag.set(i64::try_from(lag).unwrap_or(i64::MAX));
        self.running.set(1);
        if lag == 0 {
            self.caught_up.touch();
        } else {
            self.caught_up.begin();
        }
    }

    /// Another replica runs it: how far it is, is for that one to say.
    pub fn standby(&self) {
        self.running.set(0);
        self.lag.set(0);
        self.caught_up.forget();
    }

    /// It goes no further.
    pub fn stopped(&self) {
        self.stopped.set(1);
    }
}

/// How far a sequencer is.
#[derive(Clone, Debug)]
pub struct SequencerFigures {
    passed: Age,
    head: Gauge,
}

impl SequencerFigures {
    /// Everything committed before `passed` has a position, and the last one is `head`.
    pub fn at(&self, head: u64, passed: Option<tokio::time::Instant>) {
        self.head.set(i64::try_from(head).unwrap_or(i64::MAX));
        if let Some(passed) = passed {
            self.passed.touch_at(passed);
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_replica_that_stands_by_does_not_speak_of_lag() {
        let metrics = &crate::metrics().feed;
        let consumer = metrics.consumer("listings", "users", "users");
        consumer.at(3, 5);
        let line = r#"feed_lag_positions{service="listings",owner="users",cursor="users"} 2"#;
        assert!(crate::metrics_text().contains(line));
        let seconds = r#"feed_lag_seconds{service="listings",owner="users",cursor="users"}"#;
        consumer.at(5, 5);
        assert!(crate::metrics_text().contains(seconds));
        consumer.standby();
        assert!(!crate::metrics_text().contains(seconds));
        metrics.revoked("users", -4);
        let count = r#"stoa_revocation_lag_seconds_count{owner="users"} 1"#;
        assert!(crate::metrics_text().contains(count));
    }
}
