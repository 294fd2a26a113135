//! Structured log lines.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people at a terminal.
    Text,
    /// One JSON object a line.
    Json,
}

/// Logging is already set up, or the filter cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum NotLogging {
    /// The filter is no list of `target=level`.
    #[error("the log filter {0:?} cannot be read")]
    Filter(String),
    /// Somebody set up logging before.
    #[error("logging is already set up")]
    AlreadySet,
}

/// Sends log lines of this process to standard error; `filter` is a list of `target=level`
/// (`info,stoa_gateway=debug`).
///
/// # Errors
/// [`NotLogging`].
pub fn init_logs(format: LogFormat, filter: &str) -> Result<(), NotLogging> {
    let filter = EnvFilter::try_new(filter).map_err(|_| NotLogging::Filter(filter.to_owned()))?;
    let registry = tracing_subscriber::registry().with(filter);
    let lines = fmt::layer().with_writer(std::io::stderr).with_target(false);
    match format {
        LogFormat::Text => registry.with(lines).try_init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init(),
    }
    .map_err(|_| NotLogging::AlreadySet)
}
