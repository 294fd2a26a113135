//! A `stoa dev` process of a test.

use serde_json::Value;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;
use stoa_testkit::callers::Marketplace;

/// Longest wait for a start or an end.
const PATIENCE: Duration = Duration::from_secs(60);

/// The binary under test.
fn binary() -> PathBuf {
    let path = std::env::var_os("STOA_BIN")
        .expect("STOA_BIN must hold the path of the stoa binary (cargo xtask test sets it)");
    let path = PathBuf::from(path);
    assert!(
        path.is_file(),
        "STOA_BIN: there is no file {}",
        path.display()
    );
    path
}

/// A command that ends by itself, with its arguments; nothing of the environment configures it.
pub(crate) fn tool<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
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
fn command(data: &Path) -> Command {
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(log_file(data))
        .unwrap();
    let mut command = Command::new(binary());
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
pub(crate) fn log_of(data: &Path) -> String {
    std::fs::read_to_string(log_file(data)).unwrap_or_default()
}

/// A running process; killed when the test lets go of it.
pub(crate) struct Stoa {
    pub(crate) marketplace: Marketplace,
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
    fn start(data: &Path) -> Self {
        Self(command(data).spawn().unwrap())
    }

    async fn ended(&mut self) -> ExitStatus {
        let wait = async {
            loop {
                if let Some(status) = self.0.try_wait().unwrap() {
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
    pub(crate) async fn start(data: &Path) -> Self {
        let mut child = Running::start(data);
        let stdout = child.0.stdout.take().unwrap();
        let credentials = tokio::task::spawn_blocking(|| first_document(stdout));
        let credentials = tokio::time::timeout(PATIENCE, credentials)
            .await
            .unwrap_or_else(|_| panic!("the process is not ready: {}", log_of(data)))
            .unwrap()
            .unwrap_or_else(|| panic!("the process ended at once: {}", log_of(data)));
        Self {
            marketplace: Marketplace::new(credentials),
            child,
        }
    }

    /// Kills it at once, as a crash would.
    pub(crate) fn kill(self) {
        drop(self);
    }

    /// Asks it to stop.
    pub(crate) fn ask_to_stop(&self) {
        let id = self.child.0.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits for its end.
    pub(crate) async fn ended(mut self) -> ExitStatus {
        self.child.ended().await
    }
}

/// The credentials that a process prints, pretty, once it is ready; nothing when it ends before.
fn first_document(mut stdout: ChildStdout) -> Option<Value> {
    let (mut text, mut part) = (Vec::new(), [0; 4096]);
    loop {
        let read = stdout.read(&mut part).unwrap();
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
pub(crate) async fn run_to_its_end(data: &Path) -> ExitStatus {
    Running::start(data).ended().await
}
