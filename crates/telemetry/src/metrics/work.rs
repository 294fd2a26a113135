//! What a process does besides calls: jobs, timers, password hashes, traces; and what it saw that
//! somebody should look at.

use super::{Age, Shelf};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use std::sync::atomic::AtomicU64;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Job {
    service: &'static str,
    job: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Event {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Fate {
    fate: &'static str,
}

/// Jobs and timers.
pub struct JobMetrics {
    passes: Family<Job, Age>,
    timer_lag: Gauge<f64, AtomicU64>,
}

impl JobMetrics {
    pub(super) fn new(shelf: &mut Shelf) -> Self {
        let metrics = Self {
            passes: Family::default(),
            timer_lag: Gauge::default(),
        };
        shelf.register(
            "job_age_seconds",
            "Time since a job last came to its end without an error",
            metrics.passes.clone(),
        );
        shelf.register(
            "timer_lag_seconds",
            "How long the oldest delayed transition that is due has been waiting",
            metrics.timer_lag.clone(),
        );
        metrics
    }

    /// A job came to its end without an error.
    pub fn passed(&self, service: &'static str, job: &'static str) {
        self.passes.get_or_create(&Job { service, job }).touch();
    }

    /// The oldest due delayed transition has been waiting for so many milliseconds; zero when none
    /// is due.
    pub fn timer_lag(&self, ms: i64) {
        self.timer_lag.set(super::seconds(ms));
    }
}

/// Password hashes: the dearest thing that a stranger can ask for.
pub struct HashMetrics {
    waiting: Gauge,
    durations: Histogram,
    refused: Counter,
}

impl HashMetrics {
    pub(super) fn new(shelf: &mut Shelf) -> Self {
        let metrics = Self {
            waiting: Gauge::default(),
            durations: Histogram::new(exponential_buckets(0.005, 2.0, 10)),
            refused: Counter::default(),
        };
        shelf.register(
            "password_hashes_waiting",
            "Passwords that wait for their turn to be hashed",
            metrics.waiting.clone(),
        );
        shelf.register(
            "password_hash_duration_seconds",
            "Time of a hash, without the wait for its turn",
            metrics.durations.clone(),
        );
        shelf.register(
            "password_hashes_refused",
            "Passwords that waited too long and were not hashed",
            metrics.refused.clone(),
        );
        metrics
    }

    /// A password waits for its turn, until the guard is dropped.
    pub fn waiting(&self) -> Waiting<'_> {
        self.waiting.inc();
        Waiting(&self.waiting)
    }

    /// A password was hashed.
    pub fn hashed(&self, took: Duration) {
        self.durations.observe(took.as_secs_f64());
    }

    /// A password waited too long.
    pub fn refused(&self) {
        self.refused.inc();
    }
}

/// Something waits while this lives.
pub struct Waiting<'m>(&'m Gauge);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Spans on their way to the collector.
pub struct TraceMetrics(Family<Fate, Counter>);

impl TraceMetrics {
    pub(super) fn new(shelf: &mut Shelf) -> Self {
        let spans = Family::default();
        shelf.register("trace_spans", "Recorded spans by fate", spans.clone());
        Self(spans)
    }

    pub(crate) fn sent(&self, count: u64) {
        self.0.get_or_create(&Fate { fate: "sent" }).inc_by(count);
    }

    pub(crate) fn dropped(&self, count: u64) {
        self.0
            .get_or_create(&Fate { fate: "dropped" })
            .inc_by(count);
    }
}

/// Things that point to an attack or a fault in our own parts.
pub struct SecurityMetrics(Family<Event, Counter>);

impl SecurityMetrics {
    pub(super) fn new(shelf: &mut Shelf) -> Self {
        let events = Family::default();
        shelf.register(
            "security_events",
            "Things seen that somebody should look at, by kind",
            events.clone(),
        );
        Self(events)
    }

    /// Something was seen, such as `refresh-reuse`.
    pub fn seen(&self, kind: &'static str) {
        self.0.get_or_create(&Event { kind }).inc();
    }
}
