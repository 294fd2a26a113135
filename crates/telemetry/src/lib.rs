//! Logs, metrics and management pages of a process.
//!
//! Messages are for people, fields for machines. No token, secret, password, e-mail address, name,
//! message text or query value is ever a field or a label.

mod logs;
mod management;
mod metrics;

pub use logs::{LogFormat, NotLogging, init_logs};
pub use management::Management;
pub use metrics::{HttpMetrics, Metrics, Outcome, metrics, metrics_text};
