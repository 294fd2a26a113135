//! Spans on their way to a collector: OTLP over gRPC, in batches, from a bounded queue.
//!
//! Nothing waits for the collector: a span that finds the queue full is dropped and counted.

use opentelemetry_otlp::{WithExportConfig as _, WithTonicConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use std::sync::OnceLock;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tonic::transport::{ClientTlsConfig, Endpoint};

/// Spans that wait, at most: some megabytes, and a minute of the load of a small machine.
const QUEUE: usize = 8192;
/// Spans sent at once, at most.
const MAX_BATCH: usize = 512;
/// Longest time that a span waits for others to be sent with.
const MAX_WAIT: Duration = Duration::from_secs(1);
/// Longest time for one batch, tries again included.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait at the end for what is still here.
const FLUSH: Duration = Duration::from_secs(5);

/// Where traces go, and how many of them.
#[derive(Clone, Debug)]
pub struct TraceSettings {
    /// URL of the collector's gRPC port, such as `http://127.0.0.1:4317`; `https` is verified by
    /// the public roots.
    pub endpoint: String,
    /// Share of traces that are recorded, 0 to 1.
    pub sample: f64,
    /// Name of this process at the collector.
    pub service_name: String,
}

/// Traces cannot be exported with these settings.
#[derive(Debug, thiserror::Error)]
pub enum NotExporting {
    /// The endpoint is no URL, or asks for TLS that cannot be set up.
    #[error("the trace collector's address {0:?} cannot be used")]
    Endpoint(String),
    /// The exporter refuses its settings.
    #[error("traces cannot be exported: {0}")]
    Exporter(String),
    /// This process exports already.
    #[error("traces are exported already")]
    AlreadySet,
}

struct Export {
    queue: mpsc::Sender<SpanData>,
    /// Traces whose low 56 bits lie below are recorded.
    threshold: u64,
}

static EXPORT: OnceLock<Export> = OnceLock::new();

/// The low 7 bytes of a trace id are random in every version of the recommendation, and in a
/// UUID, too.
const RANDOM_BITS: u32 = 56;

pub(super) fn is_on() -> bool {
    EXPORT.get().is_some()
}

/// Whether a trace that begins here is recorded.
pub(super) fn samples(trace: u128) -> bool {
    EXPORT.get().is_some_and(|export| {
        let random = trace & ((1 << RANDOM_BITS) - 1);
        random < u128::from(export.threshold)
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of 0 to 1 of a number of 56 bits"
)]
fn threshold(sample: f64) -> u64 {
    (sample.clamp(0.0, 1.0) * (1_u64 << RANDOM_BITS) as f64) as u64
}

pub(super) fn send(span: SpanData) {
    let Some(export) = EXPORT.get() else { return };
    if export.queue.try_send(span).is_err() {
        crate::metrics().trace.dropped(1);
    }
}

/// The export of this process; dropped without [`TraceExport::flush`], what waits is lost.
pub struct TraceExport {
    stop: oneshot::Sender<()>,
    sending: JoinSet<()>,
}

/// Begins to export traces; call it once, inside of the runtime. The collector may come later.
///
/// # Errors
/// [`NotExporting`].
pub fn export_traces(settings: &TraceSettings) -> Result<TraceExport, NotExporting> {
    let unusable = |_| NotExporting::Endpoint(settings.endpoint.clone());
    let mut endpoint = Endpoint::from_shared(settings.endpoint.clone())
        .map_err(unusable)?
        .connect_timeout(TIMEOUT);
    if endpoint.uri().scheme() == Some(&http::uri::Scheme::HTTPS) {
        let tls = ClientTlsConfig::new().with_webpki_roots();
        endpoint = endpoint.tls_config(tls).map_err(unusable)?;
    }
    let mut exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_channel(endpoint.connect_lazy())
        .with_timeout(TIMEOUT)
        .build()
        .map_err(|error| NotExporting::Exporter(error.to_string()))?;
    let resource = Resource::builder_empty()
        .with_service_name(settings.service_name.clone())
        .build();
    exporter.set_resource(&resource);
    let (queue, spans) = mpsc::channel(QUEUE);
    let (stop, stopped) = oneshot::channel();
    let export = Export {
        queue,
        threshold: threshold(settings.sample),
    };
    EXPORT.set(export).map_err(|_| NotExporting::AlreadySet)?;
    let mut sending = JoinSet::new();
    sending.spawn(send_all(exporter, spans, stopped));
    Ok(TraceExport { stop, sending })
}

impl TraceExport {
    /// Sends what is still here and ends; waits 5 seconds at most.
    pub async fn flush(mut self) {
        let _ = self.stop.send(());
        let ended = tokio::time::timeout(FLUSH, self.sending.join_next()).await;
        if ended.is_err() {
            tracing::warn!("The last spans could not be sent in time");
        }
    }
}

async fn send_all(
    exporter: opentelemetry_otlp::SpanExporter,
    mut spans: mpsc::Receiver<SpanData>,
    mut stop: oneshot::Receiver<()>,
) {
    let mut batch = Vec::new();
    let mut works = true;
    loop {
        let stopping = tokio::select! {
            _ = &mut stop => true,
            () = gather(&mut spans, &mut batch) => false,
        };
        if stopping {
            spans.close();
        }
        while !batch.is_empty() || stopping {
            if stopping {
                let room = MAX_BATCH.saturating_sub(batch.len());
                if room > 0 && spans.recv_many(&mut batch, room).await == 0 && batch.is_empty() {
                    return;
                }
            }
            let count = batch.len() as u64;
            let sent = exporter.export(std::mem::take(&mut batch)).await;
            match &sent {
                Ok(()) => crate::metrics().trace.sent(count),
                Err(_) => crate::metrics().trace.dropped(count),
            }
            // Said once per change, not once per batch.
            match &sent {
                Err(error) if works => {
                    tracing::warn!(%error, "The trace collector does not take spans");
                }
                Ok(()) if !works => tracing::info!("The trace collector takes spans again"),
                _ => {}
            }
            works = sent.is_ok();
        }
    }
}

/// Fills the batch: until it is full, or until its first span has waited long enough.
async fn gather(spans: &mut mpsc::Receiver<SpanData>, batch: &mut Vec<SpanData>) {
    if batch.is_empty() && spans.recv_many(batch, MAX_BATCH).await == 0 {
        // Closed, which only the end does.
        std::future::pending::<()>().await;
    }
    let full = Instant::now() + MAX_WAIT;
    while batch.len() < MAX_BATCH {
        let room = MAX_BATCH - batch.len();
        let more = tokio::time::timeout_at(full, spans.recv_many(batch, room)).await;
        if !matches!(more, Ok(1..)) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_recorded_traces_is_what_was_asked_for() {
        assert_eq!(threshold(0.0), 0);
        assert_eq!(threshold(1.0), 1 << RANDOM_BITS);
        assert_eq!(threshold(0.25), 1 << (RANDOM_BITS - 2));
        assert_eq!(threshold(7.0), threshold(1.0));
        assert_eq!(threshold(-1.0), 0);
    }
}
