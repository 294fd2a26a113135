//! A `stoa dev` process of a test: a whole marketplace on a folder, killed with this value.

use crate::callers::Marketplace;
use crate::cluster::binary;
use serde_json::Value;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

/// Longest wait for a start or an end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A command of the binary that ends by itself, with its arguments; nothing of the environment
/// configures it.
pub fn tool<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(binary());
    command
        .args(arguments)
        .env("STOA_LOG__FILTER", "warn")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A command on a data folder, on free ports of loopback, with its log in the folder.
fn command(binary: &Path, data: &Path) -> Command {
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(log_file(data))
        .expect("a process can be handled");
    let mut command = Command::new(binary);
    let free = ["--listen", "127.0.0.1:0", "--management", "127.0.0.1:0"];
    command
        .arg("dev")
        .arg("--data")
        .arg(data)
        .args(free)
        .env("STOA_LOG__FILTER", "warn")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log);
    command
}

fn log_file(data: &Path) -> PathBuf {
    data.with_extension("log")
}

/// What the processes on this folder have written to standard error.
pub fn log_of(data: &Path) -> String {
    std::fs::read_to_string(log_file(data)).unwrap_or_default()
}

/// A running process; killed when the test lets go of it.
pub struct Stoa {
    /// The marketplace.
    pub marketplace: Marketplace,
    child: Running,
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    fn start(binary: &Path, data: &Path) -> Self {
        let child = command(binary, data).spawn();
        Self(child.expect("the binary can be started"))
    }

    async fn ended(&mut self) -> ExitStatus {
        let wait = async {
            loop {
                if let Some(status) = self.0.try_wait().expect("a process can be handled") {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait)
            .await
            .expect("the process does not end")
    }
}

impl Stoa {
    /// Starts a process and waits until it says that it is ready.
    ///
    /// # Panics
    /// When it ends, or is not ready in time; says what it wrote.
    pub async fn start(data: &Path) -> Self {
        Self::start_of(&binary(), data).await
    }

    /// The same with another binary than the one under test.
    ///
    /// # Panics
    /// When it ends, or is not ready in time; says what it wrote.
    pub async fn start_of(binary: &Path, data: &Path) -> Self {
        let mut child = Running::start(binary, data);
        let stdout = child.0.stdout.take().expect("a process can be handled");
        let credentials = tokio::task::spawn_blocking(|| first_document(stdout));
        let credentials = tokio::time::timeout(PATIENCE, credentials)
            .await
            .unwrap_or_else(|_| panic!("the process is not ready: {}", log_of(data)))
            .expect("a process can be handled")
            .unwrap_or_else(|| panic!("the process ended at once: {}", log_of(data)));
        Self {
            marketplace: Marketplace::new(credentials),
            child,
        }
    }

    /// Kills it at once, as a crash would.
    pub fn kill(self) {
        drop(self);
    }

    /// Asks it to stop.
    ///
    /// # Panics
    /// When no signal can be sent.
    pub fn ask_to_stop(&self) {
        let id = self.child.0.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status();
        assert!(sent.expect("a process can be handled").success());
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end in time.
    pub async fn ended(mut self) -> ExitStatus {
        self.child.ended().await
    }
}

/// The credentials that a process prints, pretty, once it is ready; nothing when it ends before.
fn first_document(mut stdout: ChildStdout) -> Option<Value> {
    let (mut text, mut part) = (Vec::new(), [0; 4096]);
    loop {
        let read = stdout.read(&mut part).expect("a process can be handled");
        if read == 0 {
            return None;
        }
        text.extend_from_slice(&part[..read]);
        if let Ok(credentials) = serde_json::from_slice(&text) {
            return Some(credentials);
        }
    }
}

/// Starts a process that is expected to end by itself; gives its status.
///
/// # Panics
/// When it does not end in time.
pub async fn run_to_its_end(data: &Path) -> ExitStatus {
    Running::start(&binary(), data).ended().await
}
