//! A whole marketplace in this process, on a free port and a folder of its own.

use serde_json::{Value, json};
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use stoa::{Clocks, DataFolder, DevClock, Embedded, Options};
use stoa_auth::{Lifetimes, Preset};
use stoa_credentials::Cost;
use stoa_db::{Db, DbConfig, MigrationSet, Synchronous, sql};
use stoa_gateway::Server;
use stoa_testkit::callers::{Marketplace, Person};
use stoa_types::{ManualClock, OsEntropy, SystemClock};
use tempfile::TempDir;

/// A running marketplace. Calls go through [`Marketplace`].
pub(crate) struct World {
    pub(crate) marketplace: Marketplace,
    pub(crate) embedded: Embedded,
    /// Real time, which a test may move forward.
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) address: SocketAddr,
    pub(crate) management: SocketAddr,
    folder: TempDir,
}

/// How a marketplace is started.
#[derive(Clone, Copy, Default)]
pub(crate) struct Setup {
    /// With a domain clock that operators may move.
    pub(crate) virtual_clock: bool,
    /// As `stoa serve`: a folder of `stoa dev` is refused.
    pub(crate) served: bool,
    /// As `stoa serve`: no metrics on the public address.
    pub(crate) closed_metrics: bool,
}

impl Deref for World {
    type Target = Marketplace;

    fn deref(&self) -> &Marketplace {
        &self.marketplace
    }
}

impl World {
    /// Starts a marketplace with the options of a development process and cheap password hashes.
    pub(crate) async fn start() -> Self {
        Self::start_with(Setup::default()).await
    }

    /// Starts a marketplace.
    pub(crate) async fn start_with(setup: Setup) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), setup).await
    }

    /// Starts a marketplace in a folder that may hold one.
    pub(crate) async fn start_in(folder: TempDir, setup: Setup) -> Self {
        Self::open(folder, setup, None).await
    }

    /// Starts a marketplace whose credentials, without address, are in no file.
    pub(crate) async fn start_known(folder: TempDir, setup: Setup, known: Value) -> Self {
        Self::open(folder, setup, Some(known)).await
    }

    async fn open(folder: TempDir, setup: Setup, known: Option<Value>) -> Self {
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
        let public = Server::bind(loopback, embedded.gateway()).await.unwrap();
        let closed = Server::bind_management(loopback, embedded.gateway())
            .await
            .unwrap();
        let (address, management) = (public.local_addr().unwrap(), closed.local_addr().unwrap());
        embedded.start();
        embedded.tasks().spawn(public.run());
        embedded.tasks().spawn(closed.run());
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
        Self {
            marketplace: Marketplace::new(credentials),
            embedded,
            clock,
            address,
            management,
            folder,
        }
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

    /// Runs everything that is due.
    pub(crate) async fn settle(&self) {
        self.embedded.settle().await.unwrap();
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
        let config = DbConfig::Sqlite {
            path: self.folder().join(format!("{name}.sqlite")),
            synchronous: Synchronous::Normal,
        };
        Db::open(&config, &migrations).await.unwrap()
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
        entropy: Arc::new(OsEntropy),
    }
}
