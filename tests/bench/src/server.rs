//! The server that is measured: `stoa dev`, or a process per service.

use crate::process::Pins;
use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;
use stoa_testkit::cluster::{Cluster, Part, Setup};
use tokio::time::Instant;

/// A running server, in one process or in several; ends when this value is dropped.
pub(crate) struct Server {
    running: Running,
    /// Public address.
    pub(crate) address: SocketAddr,
    /// The public addresses of all its gateways.
    pub(crate) gateways: Vec<SocketAddr>,
    /// From the start of the process to its word that it is ready.
    pub(crate) ready_after: Duration,
    credentials: Value,
}

enum Running {
    /// `stoa dev`, with its folder.
    Together(Process, PathBuf),
    /// A process per service on PostgreSQL.
    Apart(Box<Cluster>),
}

/// A `stoa dev` process.
struct Process {
    child: Child,
    /// Kept open: it is the server's way to say something.
    _stdout: ChildStdout,
}

/// Which cores a server gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cores {
    /// The one of servers.
    One,
    /// All of the machine.
    All,
}

impl Server {
    /// Starts the binary on this folder and waits until it is ready.
    pub(crate) fn start(binary: &Path, data: &Path, pins: &Pins, cores: Cores) -> Result<Self> {
        let mut command = match cores {
            Cores::One => pins.on_server_core(binary),
            Cores::All => pins.on_all_cores(binary),
        };
        let log = File::options()
            .create(true)
            .append(true)
            .open(data.join("log"))?;
        command
            .args([
                "dev",
                "--listen",
                "127.0.0.1:0",
                "--management",
                "127.0.0.1:0",
                "--data",
            ])
            .arg(data)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        let started = Instant::now();
        let mut child = command.spawn().context("the binary cannot be started")?;
        let mut stdout = child.stdout.take().context("no standard output")?;
        let first = serde_json::Deserializer::from_reader(&mut stdout)
            .into_iter::<Value>()
            .next();
        let ready_after = started.elapsed();
        let Some(Ok(credentials)) = first else {
            let _ = child.kill();
            let log = std::fs::read_to_string(data.join("log")).unwrap_or_default();
            bail!("the server did not start:\n{log}");
        };
        let url = credentials["baseUrl"].as_str().unwrap_or_default();
        let address = url.trim_start_matches("http://").parse()?;
        let process = Process {
            child,
            _stdout: stdout,
        };
        Ok(Self {
            running: Running::Together(process, data.to_owned()),
            address,
            gateways: vec![address],
            ready_after,
            credentials,
        })
    }

    /// Starts a process per service and two gateways on this PostgreSQL server, all on the server's
    /// core.
    pub(crate) async fn start_apart(postgres: &str, pins: &Pins) -> Result<Self> {
        let setup = Setup {
            gateways: 2,
            postgres: Some(postgres.to_owned()),
            environment: vec![("STOA_LOG__FILTER".to_owned(), "warn".to_owned())],
            ..Setup::default()
        };
        let started = Instant::now();
        // What it starts inherits the core.
        pins.move_to_server_core()?;
        let cluster = Cluster::start(setup).await;
        pins.move_back()?;
        let gateways: Vec<_> = cluster
            .replicas("gateway")
            .iter()
            .map(|part| part.public())
            .collect();
        Ok(Self {
            address: gateways[0],
            gateways,
            ready_after: started.elapsed(),
            credentials: cluster.credentials(0),
            running: Running::Apart(Box::new(cluster)),
        })
    }

    /// Ids of its processes; those of PostgreSQL are not among them.
    pub(crate) fn pids(&self) -> Vec<u32> {
        match &self.running {
            Running::Together(process, _) => vec![process.child.id()],
            Running::Apart(cluster) => cluster.parts().iter().filter_map(Part::pid).collect(),
        }
    }

    /// The folder of its SQLite files.
    pub(crate) fn data(&self) -> Option<&Path> {
        match &self.running {
            Running::Together(_, data) => Some(data),
            Running::Apart(_) => None,
        }
    }

    /// Its processes, when it has several.
    pub(crate) fn cluster(&self) -> Option<&Cluster> {
        match &self.running {
            Running::Together(..) => None,
            Running::Apart(cluster) => Some(cluster),
        }
    }

    /// A value of `credentials.json`.
    pub(crate) fn credential(&self, key: &str) -> &str {
        self.credentials[key].as_str().unwrap_or_default()
    }

    /// Tells it to stop and waits for that.
    pub(crate) async fn stop(self) -> Result<()> {
        let mut process = match self.running {
            Running::Together(process, _) => process,
            Running::Apart(cluster) => {
                cluster.stop().await;
                return Ok(());
            }
        };
        let pid = process.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status()?;
        let status = process.child.wait()?;
        // None: it was not listening to signals yet, which harms nothing.
        if status.code().is_some_and(|code| code != 0) {
            bail!("the server ended with {status}");
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nothing to do about a process that is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
