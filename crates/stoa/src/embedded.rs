//! All services in one process: direct calls, one SQLite file each.

use crate::credentials::Credentials;
use crate::folder::DataFolder;
use crate::ledger::{self, Feed, Ledger};
use crate::service::{AuthOptions, Host, MailRoute, Name, Service};
use crate::virtual_clock::DevClock;
use anyhow::Context as _;
use futures::future::BoxFuture;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use stoa_auth::{DevCredentials, Lifetimes, Preset};
use stoa_credentials::{Cost, PasswordHasher};
use stoa_db::{Db, DbConfig, Synchronous};
use stoa_gateway::{Gateway, Peers, Server, VirtualClock};
use stoa_rpc::{Identity, LocalSlot, Problem, Problems, Tasks, Trust};
use stoa_telemetry::Management;
use stoa_types::{Clock, Entropy, OsEntropy, Timestamp};

/// How often the start looks whether everything is ready.
const READY_POLL: Duration = Duration::from_millis(2);
/// Most rounds of due work after the clock moved; every round but the last did something.
const MAX_ROUNDS: usize = 10_000;

/// Folder for mails in a data folder.
const OUTBOX: &str = "outbox";

/// The clocks of a process.
#[derive(Clone)]
pub struct Clocks {
    /// Domain time: transitions and their timers.
    pub domain: Arc<dyn Clock>,
    /// Real time: tokens, sessions, leases.
    pub real: Arc<dyn Clock>,
    /// The domain clock, when it can be moved.
    pub moving: Option<Arc<DevClock>>,
}

/// What an embedded installation runs with.
pub struct Options {
    /// What the first start is made with.
    pub preset: Preset,
    /// A folder that was born in `stoa dev` is taken.
    pub development: bool,
    /// Durability of commits.
    pub synchronous: Synchronous,
    /// Work of one password hash.
    pub password_cost: Cost,
    /// Lives of tokens and sessions.
    pub lifetimes: Lifetimes,
    /// Access tokens may be shorter than clients can bear; for tests.
    pub allow_short_lifetimes: bool,
    /// Limits and switches of the edge.
    pub gateway: stoa_gateway::Config,
    /// Folder of the ledger, relative to the data folder; none: no ledger is written.
    pub ledger: Option<PathBuf>,
    /// How mails leave; none: they wait in the queues.
    pub mail: Option<stoa_config::Mail>,
    /// Folder that takes them where no mail server is configured, relative to the data folder;
    /// none: they are logged and dropped.
    pub outbox: Option<PathBuf>,
    /// Where ids and secrets come from.
    pub entropy: Arc<dyn Entropy>,
}

impl Options {
    /// The options of `stoa dev`.
    pub fn dev(config: &stoa_config::Config, preset: Preset) -> Self {
        let mut hosts: Vec<String> = ["localhost", "127.0.0.1", "[::1]"]
            .map(str::to_owned)
            .into();
        hosts.push(config.http.listen.ip().to_string());
        hosts.extend(config.http.hosts.iter().cloned());
        Self {
            preset,
            development: true,
            synchronous: synchronous(config),
            password_cost: Cost::Production,
            lifetimes: lifetimes(config),
            allow_short_lifetimes: config.tokens.allow_short,
            gateway: stoa_gateway::Config {
                public_metrics: true,
                virtual_clock: true,
                hosts,
                ..gateway_config(config)
            },
            ledger: Some(config.storage.ledger()),
            mail: Some(config.mail.clone()),
            outbox: Some(OUTBOX.into()),
            entropy: Arc::new(OsEntropy),
        }
    }

    /// The options of `stoa serve` in one process.
    pub fn serve(config: &stoa_config::Config, preset: Preset) -> Self {
        Self {
            preset,
            development: false,
            synchronous: synchronous(config),
            password_cost: Cost::Production,
            lifetimes: lifetimes(config),
            allow_short_lifetimes: config.tokens.allow_short,
            gateway: gateway_config(config),
            ledger: Some(config.storage.ledger()),
            mail: Some(config.mail.clone()),
            outbox: None,
            entropy: Arc::new(OsEntropy),
        }
    }
}

/// Lives of tokens and sessions, as configured.
pub(crate) fn lifetimes(config: &stoa_config::Config) -> Lifetimes {
    Lifetimes {
        access_s: config.tokens.access_s,
        ..Lifetimes::default()
    }
}

/// The edge of an installation for real, as configured: no metrics on the public address, no clock
/// that moves, the listed hosts or any.
pub(crate) fn gateway_config(config: &stoa_config::Config) -> stoa_gateway::Config {
    stoa_gateway::Config {
        body_limit: config.http.body_limit,
        hosts: config.http.hosts.clone(),
        ..stoa_gateway::Config::default()
    }
}

/// When SQLite makes a commit durable, as configured.
pub(crate) const fn synchronous(config: &stoa_config::Config) -> Synchronous {
    match config.storage.synchronous {
        stoa_config::Synchronous::Full => Synchronous::Full,
        stoa_config::Synchronous::Normal => Synchronous::Normal,
    }
}

/// All services of one installation. Cheap to clone.
#[derive(Clone)]
pub struct Embedded(Arc<Inner>);

struct Inner {
    services: Arc<Services>,
    gateway: Arc<Gateway>,
    ledger: Option<Following>,
    tasks: Tasks,
    born: Option<DevCredentials>,
    known: Option<Credentials>,
}

/// The services, in the order in which work flows through them.
struct Services([Service; 5]);

/// What writes the ledger: it reads the feeds as `event-log` does.
struct Following {
    ledger: Arc<Ledger>,
    identity: Identity,
    entropy: Arc<dyn Entropy>,
    peers: Peers,
}

impl Services {
    /// Runs everything that is due, once; true when anything was done.
    async fn drain(&self) -> anyhow::Result<bool> {
        let mut worked = false;
        for service in &self.0 {
            worked |= service.drain().await?;
        }
        Ok(worked)
    }

    /// Runs everything that is due, and what becomes due by it.
    async fn settle(&self) -> anyhow::Result<()> {
        for _ in 0..MAX_ROUNDS {
            if !self.drain().await? {
                return Ok(());
            }
        }
        anyhow::bail!("the work that is due does not end")
    }
}

impl Embedded {
    /// Opens or makes the installation of a data folder; nothing runs before [`Embedded::start`].
    ///
    /// # Errors
    /// What the folder, the databases and the services say.
    pub async fn build(
        folder: &DataFolder,
        options: Options,
        clocks: Clocks,
    ) -> anyhow::Result<Self> {
        let databases = Name::ALL.map(|name| DbConfig::Sqlite {
            path: folder.database(name),
            synchronous: options.synchronous,
        });
        let master_key = folder.master_key(options.entropy.as_ref())?;
        let options = Options {
            ledger: options.ledger.map(|ledger| folder.path().join(ledger)),
            outbox: options.outbox.map(|outbox| folder.path().join(outbox)),
            ..options
        };
        let known = Credentials::read(folder)?;
        // Five services on the stack of one future are too many to carry around.
        Box::pin(Self::compose(databases, master_key, known, options, clocks)).await
    }

    /// Opens the installation of these databases, in the order of [`Name::ALL`], without a folder.
    ///
    /// # Errors
    /// What the databases and the services say.
    pub(crate) async fn over(
        databases: [DbConfig; 5],
        master_key: [u8; 32],
        options: Options,
        clocks: Clocks,
    ) -> anyhow::Result<Self> {
        Box::pin(Self::compose(databases, master_key, None, options, clocks)).await
    }

    async fn compose(
        databases: [DbConfig; 5],
        master_key: [u8; 32],
        known: Option<Credentials>,
        options: Options,
        clocks: Clocks,
    ) -> anyhow::Result<Self> {
        let entropy = Arc::clone(&options.entropy);
        let tasks = Tasks::new();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let hasher = PasswordHasher::new(options.password_cost, cores, Arc::clone(&entropy));

        let open = async |name: Name, config: &DbConfig| {
            Db::open_migrated(config, &name.migrations())
                .await
                .with_context(|| format!("the database of {} cannot be opened", name.text()))
        };
        let [auth, users, listings, transactions, event_log] = &databases;
        let (auth_db, users_db, listings_db, transactions_db, event_log_db) = tokio::try_join!(
            open(Name::Auth, auth),
            open(Name::Users, users),
            open(Name::Listings, listings),
            open(Name::Transactions, transactions),
            open(Name::EventLog, event_log),
        )?;

        let real = Arc::clone(&clocks.real);
        let installation = stoa_auth::bootstrap(
            &auth_db,
            &options.preset,
            &hasher,
            &master_key,
            real.as_ref(),
            entropy.as_ref(),
        )
        .await?;
        if installation.born_in_dev && !options.development {
            anyhow::bail!(
                "this data folder was made by stoa dev, and its secrets lie in a file: \
                 run stoa adopt first"
            );
        }

        let ledger = match &options.ledger {
            Some(folder) => {
                let ledger = Ledger::open(folder, installation.marketplace_id)?;
                ledger.refuse_older(Feed::Users, stoa_feed::head(&users_db).await?)?;
                ledger.refuse_older(Feed::Auth, stoa_feed::head(&auth_db).await?)?;
                Some(ledger)
            }
            None => None,
        };

        let trust = Trust::new();
        let identity = |name| {
            let marketplace = installation.marketplace_id;
            let identity =
                Identity::ephemeral(name, marketplace, Arc::clone(&real), entropy.as_ref());
            trust.add(&identity);
            identity
        };
        let slots: [LocalSlot; 5] = std::array::from_fn(|_| LocalSlot::new());
        let [auth, users, listings, transactions, event_log] = &slots;
        let peers = Peers {
            auth: auth.peer(),
            users: users.peer(),
            listings: listings.peer(),
            transactions: transactions.peer(),
            event_log: event_log.peer(),
        };
        let host = Host {
            clock: Arc::clone(&clocks.domain),
            real_clock: Arc::clone(&real),
            entropy: Arc::clone(&entropy),
            trust: trust.clone(),
            tasks: tasks.clone(),
            hasher,
            peers: peers.clone(),
            mail: options.mail.map(|config| MailRoute {
                config,
                outbox: options.outbox,
            }),
        };
        let build = async |name: Name, db| {
            let service = Service::build(name, &host, db, identity(name.text())).await?;
            let slot = Name::ALL.iter().position(|&other| other == name);
            slots[slot.unwrap_or_default()].fill(service.guard());
            anyhow::Ok(service)
        };
        let options_of_auth = AuthOptions {
            master_key,
            lifetimes: options.lifetimes,
            allow_short_lifetimes: options.allow_short_lifetimes,
            development: options.development,
        };
        let auth = Service::auth(&host, options_of_auth, auth_db, identity("auth")).await?;
        slots[0].fill(auth.guard());
        let services = Arc::new(Services([
            auth,
            build(Name::Users, users_db).await?,
            build(Name::Listings, listings_db).await?,
            build(Name::Transactions, transactions_db).await?,
            build(Name::EventLog, event_log_db).await?,
        ]));
        let virtual_clock = clocks.moving.map(|clock| {
            let services = Arc::clone(&services);
            Arc::new(MovingClock { clock, services }) as Arc<dyn VirtualClock>
        });
        let ledger = ledger.map(|ledger| Following {
            ledger: Arc::new(ledger),
            identity: identity(Name::EventLog.text()),
            entropy: Arc::clone(&entropy),
            peers: peers.clone(),
        });
        let gateway = Gateway::new(stoa_gateway::Deps {
            identity: identity("gateway"),
            peers,
            clock: real,
            entropy,
            tasks: tasks.clone(),
            config: options.gateway,
            virtual_clock,
        });
        let born = installation.born;
        Ok(Self(Arc::new(Inner {
            services,
            gateway,
            ledger,
            tasks,
            born,
            known,
        })))
    }

    /// Listens on the public address and on that of the management pages (port 0 takes a free
    /// one), starts all work and takes requests. Gives both addresses; it may not be ready yet.
    ///
    /// # Errors
    /// When an address cannot be listened on.
    pub async fn serve(
        &self,
        public: SocketAddr,
        management: SocketAddr,
    ) -> anyhow::Result<(SocketAddr, SocketAddr)> {
        let cannot = |address: SocketAddr| move || format!("cannot listen on {address}");
        let gateway = self.gateway();
        let is_ready = move || gateway.is_ready();
        let pages = Management::bind(management, is_ready)
            .await
            .with_context(cannot(management))?;
        let server = Server::bind(public, self.gateway())
            .await
            .with_context(cannot(public))?;
        let addresses = (server.local_addr()?, pages.local_addr()?);
        self.start();
        let tasks = self.tasks();
        let stop = tasks.clone();
        tasks.spawn(server.run());
        tasks.spawn(pages.run(async move { stop.stopping().await }));
        Ok(addresses)
    }

    /// Starts every service and the gateway's following of feeds.
    pub fn start(&self) {
        for service in &self.0.services.0 {
            service.start();
        }
        self.0.gateway.start();
        if let Some(of) = &self.0.ledger {
            let (ledger, tasks) = (Arc::clone(&of.ledger), &self.0.tasks);
            let peers = &of.peers;
            ledger::follow(
                ledger,
                &of.identity,
                &of.entropy,
                &peers.users,
                &peers.auth,
                tasks,
            );
        }
    }

    /// Waits until every service is ready.
    pub async fn ready(&self) {
        self.0.gateway.ready().await;
        while !self.0.services.0.iter().all(Service::is_ready) {
            tokio::time::sleep(READY_POLL).await;
        }
    }

    /// The service of accounts.
    pub(crate) fn users(&self) -> Option<&stoa_users::Service> {
        self.0.services.0.iter().find_map(|service| match service {
            Service::Users(users) => Some(users),
            _ => None,
        })
    }

    /// The gateway, for a server.
    pub fn gateway(&self) -> Arc<Gateway> {
        Arc::clone(&self.0.gateway)
    }

    /// Everything that runs in the background.
    pub fn tasks(&self) -> &Tasks {
        &self.0.tasks
    }

    /// Runs everything that is due in all services, and what becomes due by it.
    ///
    /// # Errors
    /// What a service says.
    pub async fn settle(&self) -> anyhow::Result<()> {
        self.0.services.settle().await
    }

    /// What a client needs: made by this start, or written by an earlier one.
    ///
    /// # Errors
    /// When the installation is older than this start and its file is gone.
    pub fn credentials(&self, address: SocketAddr) -> anyhow::Result<Credentials> {
        let base_url = format!("http://{address}");
        if let Some(born) = &self.0.born {
            return Ok(Credentials {
                base_url,
                marketplace_client_id: born.marketplace_client_id.to_string(),
                marketplace_client_secret: born.marketplace_client_secret.clone(),
                integration_client_id: born.integration_client_id.to_string(),
                integration_client_secret: born.integration_client_secret.clone(),
                operator_email: born.operator_email.clone(),
                operator_password: born.operator_password.clone(),
            });
        }
        let known = self.0.known.clone().context(
            "credentials.json is gone and the store keeps hashes only: start with a new data folder",
        )?;
        Ok(Credentials { base_url, ..known })
    }
}

/// Moves time and runs what became due.
struct MovingClock {
    clock: Arc<DevClock>,
    services: Arc<Services>,
}

impl VirtualClock for MovingClock {
    fn advance(&self, ms: i64) -> BoxFuture<'static, Result<Timestamp, Problems>> {
        let (clock, services) = (Arc::clone(&self.clock), Arc::clone(&self.services));
        Box::pin(async move {
            let failed = |error: anyhow::Error| {
                tracing::error!(
                    error = format!("{error:#}"),
                    "The virtual clock could not be moved"
                );
                Problems::from(Problem::unavailable())
            };
            let now = clock.advance(ms).map_err(|error| failed(error.into()))?;
            services.settle().await.map_err(failed)?;
            Ok(now)
        })
    }
}
