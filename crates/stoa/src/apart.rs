//! One service in one process: its own database, peers behind sockets, a gRPC and a management
//! address.
//!
//! The same services as in [`crate::Embedded`], put together from the same pieces. What differs is
//! how they reach each other, and that a process waits for what is not there yet: its database, its
//! tables, the installation, the other services. So processes may start in any order.

use crate::embedded::{gateway_config, lifetimes};
use crate::folder::read_master_key;
use crate::ledger;
use crate::service::{AuthOptions, Host, MailRoute, Service};
use crate::{DataFolder, Name, databases};
use anyhow::{Context as _, bail};
use std::path::Path;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;
use stoa_auth::Preset;
use stoa_config::Config;
use stoa_credentials::{Cost, PasswordHasher};
use stoa_db::{DatabaseClock, Db, DbConfig, DbError, Engine};
use stoa_gateway::{Gateway, Peers, Server};
use stoa_rpc::{
    Identity, Peer, RemoteConfig, RpcServer, ServerConfig, Tasks, Tls, TlsFiles, Trust,
};
use stoa_telemetry::Management;
use stoa_types::id::MarketplaceId;
use stoa_types::{Clock, Entropy, OsEntropy, SystemClock};

/// Pause before another try to open the database.
const AGAIN: Duration = Duration::from_secs(1);
/// Milliseconds that a gateway's clock may differ from that of `auth`.
const CLOCKS_APART_MS: i64 = 2000;

/// What a process has before its service is built.
pub(crate) struct Surroundings {
    tasks: Tasks,
    /// The database's time, in a process that has a database of several.
    clock: Arc<DatabaseClock>,
    entropy: Arc<dyn Entropy>,
    marketplace: MarketplaceId,
    tls: Option<Tls>,
    trust: Trust,
    peers: Peers,
}

impl Surroundings {
    /// Reads keys and certificates; nothing is connected yet.
    ///
    /// # Errors
    /// What is missing or cannot be used.
    pub(crate) fn read(config: &Config) -> anyhow::Result<Self> {
        let tasks = Tasks::new();
        let text = config.installation.marketplace_id.as_ref();
        let text = text.context("installation.marketplace_id: a process of its own needs it")?;
        let marketplace = text
            .parse()
            .ok()
            .context("installation.marketplace_id: must be a UUID")?;
        let tls = match config.tls.files() {
            None => None,
            Some((ca, certificate, key)) => {
                let files = TlsFiles {
                    ca: ca.clone(),
                    certificate: certificate.clone(),
                    key: key.clone(),
                };
                let tls = Tls::load(files, &config.installation.deployment).context("tls")?;
                tls.watch(&tasks);
                Some(tls)
            }
        };
        let trusted = config.keys.trusted.as_ref();
        let trusted = trusted.context("keys.trusted: a process of its own needs it")?;
        let trust = Trust::from_folder(trusted).context("keys.trusted")?;
        trust.watch(&tasks);
        let peer = |service: &'static str| {
            let addresses = config.peers.addresses(service);
            Peer::remote(RemoteConfig::new(service, addresses, tls.clone()))
        };
        let peers = Peers {
            auth: peer("auth"),
            users: peer("users"),
            listings: peer("listings"),
            transactions: peer("transactions"),
            event_log: peer("event-log"),
        };
        Ok(Self {
            clock: Arc::new(DatabaseClock::over(Arc::new(SystemClock))),
            entropy: Arc::new(OsEntropy),
            marketplace,
            tls,
            trust,
            peers,
            tasks,
        })
    }

    /// The background work of this process.
    pub(crate) const fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// The clock of everything in this process.
    fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    /// The identity of this process, with the key of its file.
    fn identity(&self, config: &Config, name: &'static str) -> anyhow::Result<Identity> {
        let file = config.keys.identity.as_ref();
        let file = file.context("keys.identity: a process of its own needs it")?;
        let identity = Identity::from_file(name, file, self.marketplace, self.clock())
            .context("keys.identity")?;
        identity.watch(&self.tasks);
        Ok(identity)
    }
}

/// The process of one service.
pub(crate) struct Part;

impl Part {
    /// Starts the service; returns when it takes calls, which may be before it is ready.
    ///
    /// # Errors
    /// What cannot get better by waiting.
    pub(crate) async fn start(
        config: &Config,
        name: Name,
        data: &Path,
        preset: Preset,
        surroundings: Surroundings,
    ) -> anyhow::Result<()> {
        let tasks = surroundings.tasks.clone();
        let identity = surroundings.identity(config, name.text())?;
        // The health pages answer while the process waits for its database.
        let running: Arc<OnceLock<Service>> = Arc::default();
        let seen = Arc::clone(&running);
        let is_ready = move || seen.get().is_some_and(Service::is_ready);
        management(config, &tasks, is_ready).await?;
        let mut server = ServerConfig::new(config.rpc.listen, surroundings.tls.clone());
        server.max_concurrent = config.rpc.max_concurrent;
        server.reflection = config.rpc.reflection;
        let server = RpcServer::bind(server).await?;
        let address = server.local_addr();

        let folder = match databases::is_postgres(config) {
            true => None,
            false => Some(DataFolder::open_for(data, name)?),
        };
        let db = open(&databases::of(config, name, folder.as_ref())?, name).await?;
        let clock = Arc::clone(&surroundings.clock);
        clock.ask(&db).await.context("the time of the database")?;
        tasks.spawn({
            let (db, tasks) = (db.clone(), tasks.clone());
            async move {
                tokio::select! {
                    () = tasks.stopping() => {}
                    () = clock.follow(&db) => {}
                }
            }
        });
        let entropy = Arc::clone(&surroundings.entropy);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let host = Host {
            clock: surroundings.clock(),
            real_clock: surroundings.clock(),
            hasher: PasswordHasher::new(Cost::Production, cores, Arc::clone(&entropy)),
            entropy,
            trust: surroundings.trust.clone(),
            tasks: tasks.clone(),
            peers: surroundings.peers.clone(),
            mail: Some(MailRoute {
                config: config.mail.clone(),
                outbox: None,
            }),
        };
        let follower = identity.clone();
        let service = match name {
            Name::Auth => auth(config, &host, preset, db, identity, folder.as_ref()).await?,
            _ => Service::build(name, &host, db, identity).await?,
        };
        service.start();
        if let (Name::EventLog, Some(folder)) = (name, &config.storage.ledger) {
            // The one service that reads both feeds in question and serves nobody in between.
            tasks.spawn(ledger::keep_apart(folder.clone(), follower, host.clone()));
        }
        if config.rpc.reflection {
            refuse_reflection_in_live(&service).await?;
        }
        tasks.spawn(server.run(service.guard(), tasks.clone()));
        if running.set(service).is_err() {
            bail!("a service is built once");
        }
        tracing::info!(service = name.text(), %address, "Taking calls");
        // The folder stays locked as long as the process works on it.
        tasks.spawn({
            let tasks = tasks.clone();
            async move {
                tasks.stopping().await;
                drop(folder);
            }
        });
        Ok(())
    }
}

/// Opens the database, and waits for it: it may not be up yet, or be migrated at this moment. A
/// file is migrated by its one process; a schema of PostgreSQL by `stoa migrate`.
async fn open(config: &DbConfig, name: Name) -> anyhow::Result<Db> {
    let migrations = name.migrations();
    if config.engine() == Engine::Sqlite {
        return Db::open_migrated(config, &migrations)
            .await
            .with_context(|| format!("the database of {} cannot be opened", name.text()));
    }
    let mut told = false;
    loop {
        match Db::open(config, &migrations).await {
            Ok(db) => return Ok(db),
            Err(error @ (DbError::Unavailable(_) | DbError::NotMigrated { .. })) => {
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!(service = name.text(), %error, "Waiting for the database");
                }
                tokio::time::sleep(AGAIN).await;
            }
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("the database of {} cannot be opened", name.text()));
            }
        }
    }
}

/// Waits until the service knows what kind of marketplace this is, and refuses to describe itself in
/// a live one.
async fn refuse_reflection_in_live(service: &Service) -> anyhow::Result<()> {
    loop {
        match service.is_live() {
            Some(false) => return Ok(()),
            Some(true) => bail!("rpc.reflection: not in a live marketplace"),
            None => tokio::time::sleep(AGAIN).await,
        }
    }
}

/// `auth`, whose first start on an empty store makes the installation.
async fn auth(
    config: &Config,
    host: &Host,
    preset: Preset,
    db: Db,
    identity: Identity,
    folder: Option<&DataFolder>,
) -> anyhow::Result<Service> {
    let master_key = match (&config.keys.master, folder) {
        (Some(file), _) => read_master_key(file).context("keys.master")?,
        (None, Some(folder)) => folder.master_key(host.entropy.as_ref())?,
        (None, None) => bail!("keys.master: auth on PostgreSQL needs it"),
    };
    let installation = stoa_auth::bootstrap(
        &db,
        &preset,
        &host.hasher,
        &master_key,
        host.real_clock.as_ref(),
        host.entropy.as_ref(),
    )
    .await?;
    if installation.born_in_dev {
        bail!("this store was made by stoa dev, and its secrets lie in a file");
    }
    if installation.marketplace_id != identity.marketplace() {
        bail!(
            "installation.marketplace_id: the store holds the marketplace {}",
            installation.marketplace_id
        );
    }
    if config.rpc.reflection && installation.environment == "live" {
        bail!("rpc.reflection: not in a live marketplace");
    }
    let options = AuthOptions {
        master_key,
        lifetimes: lifetimes(config),
        allow_short_lifetimes: config.tokens.allow_short,
        development: false,
    };
    Service::auth(host, options, db, identity).await
}

/// Shows health and metrics from now on until the process stops.
async fn management(
    config: &Config,
    tasks: &Tasks,
    is_ready: impl Fn() -> bool + Send + Sync + 'static,
) -> anyhow::Result<()> {
    let pages = Management::bind(config.http.management, is_ready)
        .await
        .with_context(|| format!("cannot listen on {}", config.http.management))?;
    let stop = tasks.clone();
    tasks.spawn(pages.run(async move { stop.stopping().await }));
    Ok(())
}

/// Holds the clock of a gateway to that of `auth`: one that is set while the gateway runs, by hand
/// or by fault, changes nothing.
async fn keep_time(gateway: &Gateway, clock: &DatabaseClock) {
    loop {
        if let Some(auths) = gateway.auths_time() {
            let own = clock.now();
            // What lies between is the way of the heartbeat.
            let agreed = own.ms_since(auths).abs() <= CLOCKS_APART_MS;
            clock.tell(if agreed { own } else { auths });
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// The process of the gateway.
pub(crate) struct Gate;

impl Gate {
    /// Starts the gateway; returns when it takes requests, which may be before it is ready.
    ///
    /// # Errors
    /// What cannot get better by waiting.
    pub(crate) async fn start(config: &Config, surroundings: Surroundings) -> anyhow::Result<()> {
        let identity = surroundings.identity(config, "gateway")?;
        let tasks = surroundings.tasks.clone();
        let clock = Arc::clone(&surroundings.clock);
        let gateway = Gateway::new(stoa_gateway::Deps {
            identity,
            peers: surroundings.peers,
            clock: surroundings.clock,
            entropy: surroundings.entropy,
            tasks: tasks.clone(),
            config: gateway_config(config),
            virtual_clock: None,
        });
        let public = Server::bind(config.http.listen, Arc::clone(&gateway))
            .await
            .with_context(|| format!("cannot listen on {}", config.http.listen))?;
        let seen = Arc::clone(&gateway);
        management(config, &tasks, move || seen.is_ready()).await?;
        let address = public.local_addr()?;
        gateway.start();
        tasks.spawn({
            let (gateway, tasks) = (Arc::clone(&gateway), tasks.clone());
            async move {
                tokio::select! {
                    () = tasks.stopping() => {}
                    () = keep_time(&gateway, &clock) => {}
                }
            }
        });
        tasks.spawn(public.run());
        tracing::info!(%address, "Taking requests");
        Ok(())
    }
}
