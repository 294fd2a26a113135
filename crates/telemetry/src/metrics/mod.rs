//! Metrics of the process in the text format of Prometheus (OpenMetrics 1.0).
//!
//! One process counts in one place, whatever services live in it: labels tell them apart. No
//! label holds an id, a path as sent, or anything else that grows with users.

mod http;

pub use http::{HttpMetrics, Outcome};

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use std::sync::LazyLock;

/// Everything that a process counts.
pub struct Metrics {
    registry: Registry,
    /// Requests from outside.
    pub http: HttpMetrics,
}

static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

impl Metrics {
    fn new() -> Self {
        let mut registry = Registry::with_prefix("stoa");
        Self {
            http: HttpMetrics::new(&mut registry),
            registry,
        }
    }
}

/// The metrics of this process.
pub fn metrics() -> &'static Metrics {
    &METRICS
}

/// All metrics of this process as text.
pub fn metrics_text() -> String {
    let mut text = String::new();
    // Writing to a string does not fail; an encoder's error would be a bug in its labels.
    if encode(&mut text, &METRICS.registry).is_err() {
        text.clear();
    }
    text
}
