//! Structured log lines.

use crate::trace;
use std::fmt::Display;
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{DefaultFields, Format, Json, JsonFields, Writer};
use tracing_subscriber::fmt::{self, FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
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
/// (`info,stoa_gateway=debug`). A line of work that belongs to a trace names it as `trace_id`,
/// which is the id of the request that began it, without hyphens.
///
/// # Errors
/// [`NotLogging`].
pub fn init_logs(format: LogFormat, filter: &str) -> Result<(), NotLogging> {
    let filter = EnvFilter::try_new(filter).map_err(|_| NotLogging::Filter(filter.to_owned()))?;
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Text => registry.with(text_lines(std::io::stderr)).try_init(),
        LogFormat::Json => registry.with(json_lines(std::io::stderr)).try_init(),
    }
    .map_err(|_| NotLogging::AlreadySet)
}

type TextLines<S, W> = fmt::Layer<S, DefaultFields, Traced<Format>, W>;
type JsonLines<S, W> = fmt::Layer<S, JsonFields, Traced<Format<Json>>, W>;

fn text_lines<S, W>(writer: W) -> TextLines<S, W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + 'static,
{
    fmt::layer().with_writer(writer).event_format(Traced {
        inner: fmt::format().with_target(false),
        name: |line, id| line.insert_str(line.trim_end().len(), &format!(" trace_id={id}")),
    })
}

fn json_lines<S, W>(writer: W) -> JsonLines<S, W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + 'static,
{
    let json = fmt::format().with_target(false).json().flatten_event(true);
    fmt::layer()
        .with_writer(writer)
        .fmt_fields(JsonFields::new())
        .event_format(Traced {
            inner: json,
            name: |line, id| line.insert_str(1, &format!("\"trace_id\":\"{id}\",")),
        })
}

/// Lines that name the trace of the work that wrote them.
struct Traced<F> {
    inner: F,
    /// Puts the id into a line.
    name: fn(&mut String, &dyn Display),
}

impl<S, N, F> FormatEvent<S, N> for Traced<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        let Some(trace) = trace::current() else {
            return self.inner.format_event(context, writer, event);
        };
        let mut line = String::new();
        self.inner
            .format_event(context, Writer::new(&mut line), event)?;
        (self.name)(&mut line, &trace.trace_id());
        writer.write_str(&line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{TraceContext, within};
    use parking_lot::Mutex;
    use std::io::Write;
    use std::sync::Arc;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    async fn written(json: bool) -> Vec<String> {
        let lines = Lines::default();
        let writer = lines.clone();
        let make = move || writer.clone();
        let registry = tracing_subscriber::registry();
        let _guard = if json {
            registry.with(json_lines(make)).set_default()
        } else {
            registry.with(text_lines(make)).set_default()
        };
        tracing::info!(count = 1, "outside");
        let context = TraceContext::parse(&format!("00-{TRACE}-00f067aa0ba902b7-00"));
        within(context, async { tracing::warn!(text = "a\n{b", "inside") }).await;
        let text = String::from_utf8(lines.0.lock().clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn a_json_line_names_the_trace_of_its_work() {
        let lines = written(true).await;
        let parsed: Vec<serde_json::Value> = lines
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(parsed[0].get("trace_id"), None);
        assert_eq!(parsed[0]["message"], "outside");
        assert_eq!(parsed[1]["trace_id"], TRACE);
        assert_eq!(parsed[1]["text"], "a\n{b");
        assert_eq!(parsed[1]["level"], "WARN");
    }

    // contract: security S68
    #[tokio::test]
    async fn a_text_line_stays_one_line_and_names_the_trace() {
        let lines = written(false).await;
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(!lines[0].contains("trace_id"), "{lines:?}");
        assert!(
            lines[1].ends_with(&format!(" trace_id={TRACE}")),
            "{lines:?}"
        );
    }
}
