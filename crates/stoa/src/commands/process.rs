//! What every long-running command does: logs, threads, signals, the end.

use anyhow::Context as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use stoa_config::Config;
use stoa_rpc::Tasks;
use stoa_telemetry::LogFormat;
use stoa_telemetry::trace::{TraceSettings, export_traces};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Longest wait for work that runs when the process is told to stop.
const STOP: Duration = Duration::from_secs(25);

/// Where a long-running command keeps its data and listens.
#[derive(Debug, clap::Args)]
pub(super) struct Place {
    /// Folder of all data; made when it is not there.
    #[arg(long, env = "STOA_DATA", default_value = "./stoa-data")]
    pub(super) data: PathBuf,
    /// Public address of the gateway.
    #[arg(long, env = "STOA_LISTEN")]
    listen: Option<SocketAddr>,
    /// Management address: health and metrics.
    #[arg(long, env = "STOA_MANAGEMENT")]
    management: Option<SocketAddr>,
    /// Configuration file.
    #[arg(long, env = "STOA_CONFIG")]
    config: Option<PathBuf>,
}

impl Place {
    /// The configuration, with the addresses that were given on the command line.
    ///
    /// # Errors
    /// Those of the configuration.
    pub(super) fn config(&self) -> anyhow::Result<Config> {
        let mut config = Config::read(self.config.as_deref())?;
        if let Some(listen) = self.listen {
            config.http.listen = listen;
        }
        if let Some(management) = self.management {
            config.http.management = management;
        }
        Ok(config)
    }
}

/// Sends log lines and traces on their way and runs `work` on the threads of this process. `name`
/// is that of the process at a collector.
///
/// # Errors
/// When logs or traces cannot be set up or no threads can be had; what `work` says.
pub(super) fn run<F>(config: &Config, name: &str, work: F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let format = match config.log.format {
        stoa_config::LogFormat::Text => LogFormat::Text,
        stoa_config::LogFormat::Json => LogFormat::Json,
    };
    stoa_telemetry::init_logs(format, &config.log.filter)?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // A password hash takes 19 MiB, which its thread keeps until it ends.
        .thread_keep_alive(Duration::from_secs(1))
        .build()
        .context("no threads")?
        .block_on(traced(config, name, work))
}

/// Runs `work`, and sends its last spans when it is over.
async fn traced<F>(config: &Config, name: &str, work: F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let telemetry = &config.telemetry;
    let Some(endpoint) = telemetry.otlp_endpoint.clone() else {
        return work.await;
    };
    let service_name = telemetry.service_name.clone();
    let export = export_traces(&TraceSettings {
        endpoint,
        sample: telemetry.sample,
        service_name: service_name.unwrap_or_else(|| name.to_owned()),
    })
    .context("telemetry.otlp_endpoint")?;
    let outcome = work.await;
    export.flush().await;
    outcome
}

/// Ctrl-C and SIGTERM. Made first, so that being told to stop is never too early.
pub(super) struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    /// Listens for them from now on.
    ///
    /// # Errors
    /// Those of the operating system.
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Resolves when one of them came.
    pub(super) async fn any(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Tells all work to stop and waits for its end, for a while.
pub(super) async fn shut_down(tasks: &Tasks) {
    tracing::info!("Stopping");
    if tokio::time::timeout(STOP, tasks.shut_down()).await.is_err() {
        tracing::warn!("Some work did not end in time");
    }
}
