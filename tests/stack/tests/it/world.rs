//! A whole marketplace: in this process over SQLite, or as separate processes on PostgreSQL.

use crate::embedded::InProcess;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use stoa_db::{Db, DbConfig, MigrationSet, sql};
use stoa_testkit::callers::{Marketplace, Person};
use stoa_testkit::cluster::{self, Cluster};
use stoa_types::ManualClock;
use tempfile::TempDir;

/// Makes two tests of each function, which takes a [`Mode`]: `embedded::<name>` and
/// `distributed::<name>`. What is only there in one process (the virtual clock, single parts that
/// are drained by hand) stays a plain test.
macro_rules! in_both_modes {
    ($($name:ident,)*) => {
        mod embedded {
            $(
                #[test]
                fn $name() {
                    $crate::world::run(super::$name($crate::world::Mode::Embedded));
                }
            )*
        }

        mod distributed {
            $(
                #[test]
                fn $name() {
                    $crate::world::run(super::$name($crate::world::Mode::Distributed));
                }
            )*
        }
    };
}

pub(crate) use in_both_modes;

/// How a marketplace runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// All services in this process, over SQLite.
    Embedded,
    /// Each service a process of its own, over PostgreSQL.
    Distributed,
}

/// Runs a test.
pub(crate) fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        // Worlds are large values.
        .block_on(Box::pin(test));
}

/// A running marketplace. Calls go through [`Marketplace`].
pub(crate) struct World {
    pub(crate) marketplace: Marketplace,
    pub(crate) address: SocketAddr,
    pub(crate) management: SocketAddr,
    running: Running,
}

enum Running {
    InProcess(Box<InProcess>),
    Cluster(Box<Cluster>),
}

/// How a marketplace is started.
#[derive(Clone, Copy, Default)]
pub(crate) struct Setup {
    /// With a domain clock that operators may move; in one process only.
    pub(crate) virtual_clock: bool,
    /// As `stoa serve`: a folder of `stoa dev` is refused; in one process only.
    pub(crate) served: bool,
    /// As `stoa serve`: no metrics on the public address. Separate processes have it always.
    pub(crate) closed_metrics: bool,
    /// Every log line of every level is kept.
    pub(crate) every_line: bool,
}

impl Deref for World {
    type Target = Marketplace;

    fn deref(&self) -> &Marketplace {
        &self.marketplace
    }
}

impl World {
    /// Starts a marketplace in this process, with the options of a development process and cheap
    /// password hashes.
    pub(crate) async fn start() -> Self {
        Self::on(Mode::Embedded).await
    }

    /// Starts a marketplace in this process.
    pub(crate) async fn start_with(setup: Setup) -> Self {
        Self::on_with(Mode::Embedded, setup).await
    }

    /// Starts a marketplace.
    pub(crate) async fn on(mode: Mode) -> Self {
        Self::on_with(mode, Setup::default()).await
    }

    /// Starts a marketplace.
    pub(crate) async fn on_with(mode: Mode, setup: Setup) -> Self {
        match mode {
            Mode::Embedded => {
                let folder = tempfile::tempdir().unwrap();
                Self::open(folder, setup, None).await
            }
            Mode::Distributed => {
                assert!(!setup.virtual_clock, "time moves in one process only");
                let mut environment = Vec::new();
                if setup.every_line {
                    environment.push(("STOA_LOG__FORMAT".to_owned(), "json".to_owned()));
                    environment.push(("STOA_LOG__FILTER".to_owned(), "trace".to_owned()));
                }
                let cluster = Cluster::start(cluster::Setup {
                    environment,
                    ..cluster::Setup::default()
                })
                .await;
                let gateway = cluster.part("gateway", 0);
                Self {
                    marketplace: cluster.marketplace(0),
                    address: gateway.public(),
                    management: gateway.management(),
                    running: Running::Cluster(Box::new(cluster)),
                }
            }
        }
    }

    /// Starts a marketplace in this process, in a folder that may hold one.
    pub(crate) async fn start_in(folder: TempDir, setup: Setup) -> Self {
        Self::open(folder, setup, None).await
    }

    /// Starts a marketplace in this process whose credentials, without address, are in no file.
    pub(crate) async fn start_known(folder: TempDir, setup: Setup, known: Value) -> Self {
        Self::open(folder, setup, Some(known)).await
    }

    async fn open(folder: TempDir, setup: Setup, known: Option<Value>) -> Self {
        let (running, marketplace) = Box::pin(InProcess::open(folder, setup, known)).await;
        Self {
            marketplace,
            address: running.address,
            management: running.management,
            running: Running::InProcess(Box::new(running)),
        }
    }

    /// Stops a marketplace of this process and gives its folder.
    pub(crate) async fn stop(self) -> TempDir {
        match self.running {
            Running::InProcess(running) => running.stop().await,
            Running::Cluster(_) => panic!("it has no folder"),
        }
    }

    /// Why a marketplace in this folder does not start.
    pub(crate) async fn refused_in(folder: &Path, setup: Setup) -> String {
        InProcess::refused_in(folder, setup).await
    }

    /// The data folder of a marketplace of this process.
    pub(crate) fn folder(&self) -> &Path {
        match &self.running {
            Running::InProcess(running) => running.folder(),
            Running::Cluster(_) => panic!("it has no folder"),
        }
    }

    /// Runs everything that is due, or waits until it has run.
    pub(crate) async fn settle(&self) {
        match &self.running {
            Running::InProcess(running) => running.embedded.settle().await.unwrap(),
            Running::Cluster(cluster) => {
                cluster.settle().await;
                // What follows a feed in memory only, as the search of listings does, has no row
                // that tells how far it is; the feeds bring it within milliseconds.
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
        }
    }

    /// Moves real time forward by so many milliseconds; in this process only, because separate
    /// ones go by the clock of their database.
    pub(crate) fn later(&self, ms: i64) {
        self.clock().advance_ms(ms);
    }

    /// Real time of a marketplace of this process.
    pub(crate) fn clock(&self) -> &Arc<ManualClock> {
        match &self.running {
            Running::InProcess(running) => &running.clock,
            Running::Cluster(_) => panic!("its clocks stand"),
        }
    }

    /// How many envelopes the services have written: what changed nothing adds none.
    pub(crate) async fn envelopes(&self) -> Vec<(&'static str, i64)> {
        let mut counts = Vec::new();
        for (name, migrations) in SERVICES {
            let db = self.database(name, migrations()).await;
            let (count,): (i64,) = db.one_as(sql("SELECT count(*) FROM outbox")).await.unwrap();
            db.close().await;
            counts.push((*name, count));
        }
        counts
    }

    /// A second look into the database of a service.
    pub(crate) async fn database(&self, name: &str, migrations: MigrationSet) -> Db {
        let config = match &self.running {
            Running::InProcess(running) => running.database(name),
            Running::Cluster(cluster) => DbConfig::Postgres {
                url: cluster.databases().superuser_url(),
                schema: name.replace('-', "_"),
                max_connections: 2,
            },
        };
        Db::open(&config, &migrations).await.unwrap()
    }

    /// Which of these marks stand in which files, or in which columns of which tables.
    pub(crate) async fn marks(&self, marks: &[&str]) -> Vec<String> {
        match &self.running {
            Running::InProcess(running) => running.marks(marks),
            Running::Cluster(cluster) => cluster.databases().marks(marks).await,
        }
    }

    /// Everything that was logged; nothing in one process without [`Setup::every_line`].
    pub(crate) fn log(&self) -> String {
        match &self.running {
            Running::InProcess(running) => running.lines.text(),
            Running::Cluster(cluster) => cluster.parts().iter().map(cluster::Part::log).collect(),
        }
    }

    /// Tells the marketplace to stop and waits until its edge has.
    pub(crate) async fn stop_edge(&self) {
        match &self.running {
            Running::InProcess(running) => running.embedded.tasks().shut_down().await,
            Running::Cluster(cluster) => {
                let gateway = cluster.part("gateway", 0);
                gateway.terminate();
                let status = gateway.ended().await.unwrap();
                assert_eq!(status.code(), Some(0), "{}", gateway.tail());
            }
        }
    }

    /// A published listing of a person.
    pub(crate) async fn listing(&self, of: &Person, title: &str) -> String {
        let body = json!({ "title": title, "price": { "amount": 1000, "currency": "EUR" } });
        self.command("/v1/api/own_listings/create", of.token(), &body)
            .await
            .expect(200)
            .id()
    }

    /// An inquiry of a person about a listing.
    pub(crate) async fn inquiry(&self, of: &Person, listing: &str, protected: Value) -> String {
        let body = json!({
            "processAlias": "default-inquiry/release-1",
            "transition": "transition/inquire-without-payment",
            "params": { "listingId": listing, "protectedData": protected },
        });
        self.command("/v1/api/transactions/initiate", of.token(), &body)
            .await
            .expect(200)
            .id()
    }

    /// A message of a person.
    pub(crate) async fn message(&self, of: &Person, transaction: &str, content: &str) -> String {
        let body = json!({ "transactionId": transaction, "content": content });
        self.command("/v1/api/messages/send", of.token(), &body)
            .await
            .expect(200)
            .id()
    }

    /// An operator's command about a user.
    pub(crate) async fn operate(&self, operator: &str, verb: &str, user: &str) {
        let path = format!("/v1/operator_api/users/{verb}");
        self.command(&path, operator, &json!({ "id": user }))
            .await
            .expect(200);
    }
}

type Migrations = fn() -> MigrationSet;

/// The services that write envelopes.
const SERVICES: &[(&str, Migrations)] = &[
    ("auth", stoa_auth::migrations),
    ("users", stoa_users::migrations),
    ("listings", stoa_listings::migrations),
    ("transactions", stoa_transactions::migrations),
];
