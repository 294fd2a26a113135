//! A `stoa dev` process of its own.

use crate::process::Pins;
use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;
use tokio::time::Instant;

/// A running server; ends when this value is dropped.
pub(crate) struct Server {
    child: Child,
    /// Kept open: it is the server's way to say something.
    _stdout: ChildStdout,
    /// Public address.
    pub(crate) address: SocketAddr,
    /// From the start of the process to its word that it is ready.
    pub(crate) ready_after: Duration,
    /// Its folder.
    pub(crate) data: PathBuf,
    credentials: Value,
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
        Ok(Self {
            child,
            _stdout: stdout,
            address,
            ready_after,
            data: data.to_owned(),
            credentials,
        })
    }

    /// Id of the process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A value of `credentials.json`.
    pub(crate) fn credential(&self, key: &str) -> &str {
        self.credentials[key].as_str().unwrap_or_default()
    }

    /// Tells it to stop and waits for that.
    pub(crate) fn stop(mut self) -> Result<()> {
        let pid = self.pid().to_string();
        Command::new("kill").args(["-TERM", &pid]).status()?;
        let status = self.child.wait()?;
        // None: it was not listening to signals yet, which harms nothing.
        if status.code().is_some_and(|code| code != 0) {
            bail!("the server ended with {status}");
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing to do about a process that is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
