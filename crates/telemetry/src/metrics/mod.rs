//! Metrics of the process in the text format of Prometheus (OpenMetrics 1.0).
//!
//! One process counts in one place, whatever services live in it: labels tell them apart. No
//! label holds an id, a path as sent, or anything else that grows with users.

mod age;
mod db;
mod feed;
mod http;
mod mail;
mod rpc;
mod work;

pub use age::Age;
pub use db::{DbCounter, DbMetrics};
pub use feed::{ConsumerFigures, FeedMetrics, SequencerFigures};
pub use http::{HttpMetrics, Outcome};
pub use mail::MailMetrics;
pub use rpc::{PeerFigures, RpcCounter, RpcMetrics, ServerFigures};
pub use work::{HashMetrics, JobMetrics, SecurityMetrics, TraceMetrics, Waiting};

use parking_lot::Mutex;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::{Metric, Registry};
use std::sync::LazyLock;
use std::sync::atomic::Ordering;

/// Everything that a process counts.
pub struct Metrics {
    shelf: Shelf,
    readers: Mutex<Vec<Reader>>,
    /// Requests from outside.
    pub http: HttpMetrics,
    /// Calls between services.
    pub rpc: RpcMetrics,
    /// Feeds.
    pub feed: FeedMetrics,
    /// Databases.
    pub db: DbMetrics,
    /// Jobs and timers.
    pub jobs: JobMetrics,
    /// Mails.
    pub mail: MailMetrics,
    /// Password hashes.
    pub hashes: HashMetrics,
    /// Spans.
    pub trace: TraceMetrics,
    /// What somebody should look at.
    pub security: SecurityMetrics,
}

type Reader = Box<dyn Fn() -> bool + Send>;

static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

impl Metrics {
    fn new() -> Self {
        let mut shelf = Shelf {
            registry: Registry::with_prefix("stoa"),
            series: Vec::new(),
        };
        let s = &mut shelf;
        Self {
            http: HttpMetrics::new(s),
            rpc: RpcMetrics::new(s),
            feed: FeedMetrics::new(s),
            db: DbMetrics::new(s),
            jobs: JobMetrics::new(s),
            mail: MailMetrics::new(s),
            hashes: HashMetrics::new(s),
            trace: TraceMetrics::new(s),
            security: SecurityMetrics::new(s),
            readers: Mutex::default(),
            shelf,
        }
    }
}

/// What is registered.
struct Shelf {
    registry: Registry,
    series: Vec<String>,
}

impl Shelf {
    fn register(&mut self, name: &'static str, help: &str, metric: impl Metric) {
        let suffixes: &[&str] = match metric.metric_type() {
            MetricType::Counter => &["_total"],
            MetricType::Histogram => &["_bucket", "_sum", "_count"],
            _ => &[""],
        };
        let series = suffixes.iter().map(|end| format!("stoa_{name}{end}"));
        self.series.extend(series);
        self.registry.register(name, help, metric);
    }
}

/// The names of all series that a process can show: one with labels is shown once it has counted
/// something.
pub fn series_names() -> &'static [String] {
    &METRICS.shelf.series
}

/// The metrics of this process.
pub fn metrics() -> &'static Metrics {
    &METRICS
}

/// Runs `read` before metrics are shown, for figures that are kept elsewhere: it sets them and
/// returns true, or returns false when their owner is gone and is not asked again. Let it hold the
/// owner weakly, and not wait.
pub fn on_scrape(read: impl Fn() -> bool + Send + 'static) {
    METRICS.readers.lock().push(Box::new(read));
}

/// All metrics of this process as text.
pub fn metrics_text() -> String {
    METRICS.readers.lock().retain(|read| read());
    let mut text = String::new();
    // Writing to a string does not fail; an encoder's error would be a bug in its labels.
    if encode(&mut text, &METRICS.shelf.registry).is_err() {
        text.clear();
    }
    text
}

/// Milliseconds as seconds; what lies before now, by clocks that differ, is now.
fn seconds(ms: i64) -> f64 {
    f64::from(u32::try_from(ms.max(0)).unwrap_or(u32::MAX)) / 1000.0
}

/// Takes over a total that is kept elsewhere.
fn store(counter: &Counter, total: u64) {
    counter.inner().store(total, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Weak};

    #[test]
    fn every_series_that_is_shown_is_named() {
        metrics().http.finished(
            "named",
            Outcome { status: 200 },
            std::time::Duration::from_millis(1),
        );
        for line in metrics_text().lines().filter(|line| !line.starts_with('#')) {
            let name = line.split(['{', ' ']).next().unwrap();
            assert!(series_names().iter().any(|known| known == name), "{line}");
        }
    }

    #[test]
    fn figures_kept_elsewhere_are_read_while_their_owner_lives() {
        let owner = Arc::new(());
        let weak: Weak<()> = Arc::downgrade(&owner);
        let pool = metrics().db.of("scraped");
        on_scrape(move || {
            let alive = weak.upgrade().is_some();
            if alive {
                pool.pool(5, 0, 8);
            }
            alive
        });
        let line = r#"stoa_db_connections{database="scraped"} 5"#;
        assert!(metrics_text().contains(line));
        drop(owner);
        metrics_text();
        assert!(metrics_text().contains(line), "the last figure stays");
    }
}
