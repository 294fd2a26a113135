//! A whole installation as separate processes on PostgreSQL, for tests that look at it from
//! outside and stop, cut and confuse parts of it.
//!
//! Needs `STOA_BIN` (the binary) and a PostgreSQL superuser URL (`STOA_TEST_POSTGRES_URL`); each
//! cluster makes a database and roles of its own there. Everything ends with the [`Cluster`], also
//! when this process is killed: a shell stands guard (`guard.rs`).

mod clock;
mod database;
mod files;
mod guard;
mod part;
mod wire;

pub use crate::link::{Link, Weather};
pub use database::Databases;
pub use part::Part;
pub use wire::Wire;

use crate::callers::Marketplace;
use crate::http::Client;
use crate::link::Network;
use clock::Clocks;
use files::Files;
use futures::future::join_all;
use guard::Guard;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// The services behind the gateways, in the order in which work flows through them.
pub const SERVICES: [&str; 5] = ["auth", "users", "listings", "transactions", "event-log"];

/// Longest wait for a process to become ready or to end.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What a cluster looks like.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Replicas of each service.
    pub replicas: usize,
    /// Gateways.
    pub gateways: usize,
    /// Mutual TLS between the processes.
    pub tls: bool,
    /// Every connection to a service or to PostgreSQL goes through a [`Link`].
    pub links: bool,
    /// Every connection to PostgreSQL goes over a [`Wire`]; where that is not possible nothing
    /// starts.
    pub wire: bool,
    /// Every process has a clock that can be moved.
    pub clocks: bool,
    /// Superuser URL of the server; `STOA_TEST_POSTGRES_URL` when nothing is said.
    pub postgres: Option<String>,
    /// More environment of every process.
    pub environment: Vec<(String, String)>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            replicas: 1,
            gateways: 1,
            tls: false,
            links: false,
            wire: false,
            clocks: false,
            postgres: None,
            environment: Vec::new(),
        }
    }
}

impl Setup {
    /// What the fault tests use: two of everything, every connection through a link.
    pub fn doubled() -> Self {
        Self {
            replicas: 2,
            gateways: 2,
            links: true,
            ..Self::default()
        }
    }
}

/// A running installation.
pub struct Cluster {
    parts: Vec<Part>,
    network: Network,
    wire: Option<Wire>,
    clocks: Clocks,
    databases: Databases,
    credentials: Value,
    // The last two: processes first, then their files.
    _guard: Guard,
    folder: TempDir,
}

/// The binary under test.
///
/// # Panics
/// When `STOA_BIN` holds no path of a file.
pub fn binary() -> PathBuf {
    program("STOA_BIN")
}

/// The example of a program that calls the services.
///
/// # Panics
/// When `STOA_INTERNAL_CLIENT_BIN` holds no path of a file.
pub fn internal_client() -> PathBuf {
    program("STOA_INTERNAL_CLIENT_BIN")
}

fn program(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable).unwrap_or_else(|| {
        panic!("{variable} must hold the path of a program (cargo xtask test sets it)")
    });
    let path = PathBuf::from(path);
    assert!(
        path.is_file(),
        "{variable}: there is no file {}",
        path.display()
    );
    path
}

impl Cluster {
    /// Makes the database, starts every process and waits until all are ready.
    ///
    /// # Panics
    /// When something is missing or does not become ready; says what the processes wrote.
    pub async fn start(setup: Setup) -> Self {
        let cluster = Self::lay_out(setup).await;
        for part in &cluster.parts {
            part.start();
        }
        cluster.ready().await;
        cluster
    }

    /// Makes everything but starts no process.
    ///
    /// # Panics
    /// When something is missing.
    pub async fn lay_out(setup: Setup) -> Self {
        let binary = binary();
        let folder = tempfile::Builder::new()
            .prefix("stoa-cluster-")
            .tempdir()
            .expect("a temporary folder can be made");
        let guard = Guard::start();
        let databases = Databases::create(setup.postgres.as_deref()).await;
        let files = Files::make(folder.path(), &binary, &setup);
        files.migrate(&databases).await;
        let clocks = Clocks::new(folder.path(), setup.clocks);
        let mut network = Network::new();
        let wire = setup.wire.then(|| {
            Wire::lay(&guard, &databases.server()).expect("a wire can be laid on this machine")
        });
        let plans = files.plan(&databases, &mut network, wire.as_ref());
        let parts = plans
            .into_iter()
            .map(|plan| Part::new(plan, &guard, &clocks))
            .collect();
        Self {
            parts,
            network,
            wire,
            clocks,
            databases,
            credentials: files::credentials(),
            _guard: guard,
            folder,
        }
    }

    /// Waits until every process that was started is ready.
    ///
    /// # Panics
    /// When one is not in time.
    pub async fn ready(&self) {
        join_all(self.parts.iter().map(Part::ready)).await;
    }

    /// The marketplace behind a gateway.
    pub fn marketplace(&self, gateway: usize) -> Marketplace {
        Marketplace::new(self.credentials(gateway))
    }

    /// `credentials.json` of the marketplace behind a gateway.
    pub fn credentials(&self, gateway: usize) -> Value {
        let mut credentials = self.credentials.clone();
        let address = self.part("gateway", gateway).public();
        credentials["baseUrl"] = json!(format!("http://{address}"));
        credentials
    }

    /// Every process, services first.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The replicas of a service.
    pub fn replicas(&self, service: &str) -> Vec<&Part> {
        let of_service = |part: &&Part| part.service() == service;
        self.parts.iter().filter(of_service).collect()
    }

    /// One replica of a service.
    ///
    /// # Panics
    /// When there is none.
    pub fn part(&self, service: &str, replica: usize) -> &Part {
        self.replicas(service)
            .get(replica)
            .copied()
            .unwrap_or_else(|| panic!("there is no {service} {replica}"))
    }

    /// The links from a service (all replicas) to another one, or to `"postgres"`; none without
    /// [`Setup::links`].
    pub fn links(&self, from: &str, to: &str) -> Vec<Link> {
        self.network.between(from, to)
    }

    /// The wire to PostgreSQL.
    ///
    /// # Panics
    /// Without [`Setup::wire`].
    pub fn wire(&self) -> &Wire {
        self.wire.as_ref().expect("there is no wire")
    }

    /// The databases, seen by a superuser.
    pub fn databases(&self) -> &Databases {
        &self.databases
    }

    /// Moves the clocks of all processes by so much from true time.
    ///
    /// # Panics
    /// Without [`Setup::clocks`].
    pub fn shift_clocks(&self, ms: i64) {
        for part in &self.parts {
            self.shift_clock(part, ms);
        }
    }

    /// Moves the clock of one process by so much from true time.
    ///
    /// # Panics
    /// Without [`Setup::clocks`].
    pub fn shift_clock(&self, part: &Part, ms: i64) {
        self.clocks.shift(part.name(), ms);
    }

    /// Waits until everything that is due has been done: every envelope has its position, every
    /// consumer has taken it, and no job has work.
    ///
    /// # Panics
    /// When that does not come to be in time; says what is left.
    pub async fn settle(&self) {
        self.databases.settled(PATIENCE).await;
    }

    /// Folder of the cluster's files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Folder of the certificates and keys, as `stoa certs dev` made it.
    pub fn certificates(&self) -> PathBuf {
        files::certificates(self.folder.path())
    }

    /// What the processes have written, each line with the name of its process.
    pub fn log(&self) -> String {
        let mut all = String::new();
        for part in &self.parts {
            for line in part.log().lines() {
                all.push_str(part.name());
                all.push_str(" | ");
                all.push_str(line);
                all.push('\n');
            }
        }
        all
    }

    /// Asks every process to stop, waits for the end, and drops the database.
    ///
    /// # Panics
    /// When a process ends badly or has panicked.
    pub async fn stop(self) {
        for part in &self.parts {
            part.terminate();
        }
        for part in &self.parts {
            if let Some(status) = part.ended().await {
                assert_eq!(status.code(), Some(0), "{}: {}", part.name(), part.tail());
            }
        }
        let log = self.log();
        let panicked = log.lines().find(|line| line.contains("panicked"));
        assert!(panicked.is_none(), "{panicked:?}");
        self.databases.remove().await;
    }
}

/// Whether an address answers `GET /readyz` with 200.
pub(crate) async fn is_ready(base_url: &str) -> bool {
    let ask = Client::new(base_url).get("/readyz").try_send();
    match tokio::time::timeout(Duration::from_secs(5), ask).await {
        Ok(Ok(reply)) => reply.status == 200,
        _ => false,
    }
}
