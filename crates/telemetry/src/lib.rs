//! Logs, metrics, traces and management pages of a process.
//!
//! Messages are for people, fields for machines. No token, secret, password, e-mail address, name,
//! message text or query value is ever a field or a label.

mod logs;
mod management;
mod metrics;
pub mod trace;

pub use logs::{LogFormat, NotLogging, init_logs};
pub use management::Management;
pub use metrics::{
    Age, ConsumerFigures, DbCounter, DbMetrics, FeedMetrics, HashMetrics, HttpMetrics, JobMetrics,
    MailMetrics, Metrics, Outcome, PeerFigures, RpcCounter, RpcMetrics, SecurityMetrics,
    SequencerFigures, ServerFigures, TraceMetrics, Waiting, metrics, metrics_text, on_scrape,
    series_names,
};
