//! Requests from outside.

use super::Shelf;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use std::fmt;
use std::time::Duration;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Outcome {
    /// HTTP status.
    pub status: u16,
}

impl EncodeLabelValue for Outcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        EncodeLabelValue::encode(&u32::from(self.status), encoder)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteAndStatus {
    route: &'static str,
    status: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: &'static str,
}

/// Rate, errors and duration of requests per route.
pub struct HttpMetrics {
    requests: Family<RouteAndStatus, Counter>,
    durations: Family<Route, Histogram>,
    running: Gauge,
}

impl HttpMetrics {
    pub(super) fn new(shelf: &mut Shelf) -> Self {
        let requests = Family::<RouteAndStatus, Counter>::default();
        let durations = Family::<Route, Histogram>::new_with_constructor(|| {
            Histogram::new(exponential_buckets(0.0005, 2.0, 15))
        });
        let running = Gauge::default();
        shelf.register(
            "http_requests",
            "Requests by route and status",
            requests.clone(),
        );
        shelf.register(
            "http_request_duration_seconds",
            "Time from the head of a request to its answer, by route",
            durations.clone(),
        );
        shelf.register(
            "http_requests_running",
            "Requests without an answer",
            running.clone(),
        );
        Self {
            requests,
            durations,
            running,
        }
    }

    /// Counts a request that arrived.
    pub fn started(&self) {
        self.running.inc();
    }

    /// Counts its answer. `route` is the template, never the path as sent.
    pub fn finished(&self, route: &'static str, outcome: Outcome, took: Duration) {
        self.running.dec();
        self.requests
            .get_or_create(&RouteAndStatus {
                route,
                status: outcome,
            })
            .inc();
        self.durations
            .get_or_create(&Route { route })
            .observe(took.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_route_and_status() {
        let metrics = &crate::metrics().http;
        metrics.started();
        metrics.finished(
            "users/show",
            Outcome { status: 404 },
            Duration::from_millis(3),
        );
        let text = crate::metrics_text();
        let line = r#"stoa_http_requests_total{route="users/show",status="404"} 1"#;
        assert!(text.contains(line), "{text}");
        assert!(text.contains("stoa_http_requests_running 0"), "{text}");
    }
}
