//! A whole marketplace in this process, on a folder of its own.

use crate::world::Setup;
use serde_json::Value;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use stoa::{Clocks, DataFolder, DevClock, Embedded, Options};
use stoa_auth::{Lifetimes, Preset};
use stoa_credentials::Cost;
use stoa_db::{DbConfig, Synchronous};
use stoa_testkit::callers::Marketplace;
use stoa_types::{ManualClock, OsEntropy, SystemClock};
use tempfile::TempDir;

/// A running marketplace on SQLite.
pub(crate) struct InProcess {
    pub(crate) embedded: Embedded,
    /// Real time, which a test may move forward.
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) address: SocketAddr,
    pub(crate) management: SocketAddr,
    pub(crate) lines: Lines,
    folder: TempDir,
}

/// Log lines of this process.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl InProcess {
    /// Starts a marketplace in a folder that may hold one; with credentials, without address, that
    /// are in no file there, if there are any.
    pub(crate) async fn open(
        folder: TempDir,
        setup: Setup,
        known: Option<Value>,
    ) -> (Self, Marketplace) {
        let lines = Lines::default();
        if setup.every_line {
            let writer = lines.clone();
            // Other tests of this process may log, too: lines are told apart by the person's id.
            tracing_subscriber::fmt()
                .json()
                // As the binary writes them.
                .flatten_event(true)
                .with_max_level(tracing::Level::TRACE)
                .with_writer(move || writer.clone())
                .init();
        }
        let data = DataFolder::open(folder.path()).unwrap();
        let clock = Arc::new(ManualClock::over(SystemClock));
        let moving = setup
            .virtual_clock
            .then(|| Arc::new(DevClock::open(&data).unwrap()));
        let clocks = Clocks {
            domain: match &moving {
                Some(moving) => moving.clone(),
                None => clock.clone(),
            },
            real: clock.clone(),
            moving,
        };
        let embedded = Embedded::build(&data, options(setup), clocks)
            .await
            .unwrap();
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let (address, management) = embedded.serve(loopback, loopback).await.unwrap();
        embedded.ready().await;
        let credentials = match known {
            Some(mut known) => {
                known["baseUrl"] = format!("http://{address}").into();
                known
            }
            None => {
                let credentials = embedded.credentials(address).unwrap();
                credentials.write(&data).unwrap();
                serde_json::from_str(&credentials.to_json().unwrap()).unwrap()
            }
        };
        let marketplace = Marketplace::new(credentials);
        let running = Self {
            embedded,
            clock,
            address,
            management,
            lines,
            folder,
        };
        (running, marketplace)
    }

    /// Stops it and gives its folder.
    pub(crate) async fn stop(self) -> TempDir {
        self.embedded.tasks().shut_down().await;
        self.folder
    }

    /// Why a marketplace in this folder does not start.
    pub(crate) async fn refused_in(folder: &Path, setup: Setup) -> String {
        let data = DataFolder::open(folder).unwrap();
        let clock = Arc::new(ManualClock::over(SystemClock));
        let clocks = Clocks {
            domain: clock.clone(),
            real: clock,
            moving: None,
        };
        match Embedded::build(&data, options(setup), clocks).await {
            Ok(_) => panic!("it starts"),
            Err(error) => format!("{error:#}"),
        }
    }

    /// The data folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The database of a service.
    pub(crate) fn database(&self, name: &str) -> DbConfig {
        DbConfig::Sqlite {
            path: self.folder().join(format!("{name}.sqlite")),
            synchronous: Synchronous::Normal,
        }
    }

    /// Which of these marks stand in which files, whatever the files are.
    pub(crate) fn marks(&self, marks: &[&str]) -> Vec<String> {
        marks_in(self.folder(), marks)
    }
}

/// Which marks stand in which files of a folder.
pub(crate) fn marks_in(folder: &Path, marks: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(marks_in(&path, marks));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        for mark in marks {
            if bytes
                .windows(mark.len())
                .any(|part| part == mark.as_bytes())
            {
                found.push(format!("{mark} in {name}"));
            }
        }
    }
    found.sort();
    found
}

/// The options of `stoa dev` with cheap hashes and quick commits.
fn options(setup: Setup) -> Options {
    Options {
        preset: Preset {
            born_in_dev: true,
            ..Preset::default()
        },
        development: !setup.served,
        synchronous: Synchronous::Normal,
        password_cost: Cost::Test,
        lifetimes: Lifetimes::default(),
        allow_short_lifetimes: false,
        gateway: stoa_gateway::Config {
            public_metrics: !setup.closed_metrics,
            virtual_clock: setup.virtual_clock,
            hosts: vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
            ..stoa_gateway::Config::default()
        },
        ledger: Some("ledger".into()),
        mail: Some(stoa_config::Mail::default()),
        outbox: (!setup.served).then(|| "outbox".into()),
        entropy: Arc::new(OsEntropy),
    }
}
