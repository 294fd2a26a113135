//! The services by name: what each is made of, whichever way it runs.

use crate::mail::outgoing;
use anyhow::Context as _;
use std::path::PathBuf;
use std::sync::Arc;
use stoa_auth::Lifetimes;
use stoa_credentials::PasswordHasher;
use stoa_db::{AppendOnly, Db, MigrationSet};
use stoa_gateway::Peers;
use stoa_mail::Outlet;
use stoa_rpc::{Guard, Identity, Tasks, Trust};
use stoa_types::{Clock, Entropy};

/// A service with a database of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Name {
    /// Applications, grants, tokens, sessions, operators, settings, keys.
    Auth,
    /// Accounts.
    Users,
    /// Listings and search.
    Listings,
    /// Transactions, messages, reviews.
    Transactions,
    /// The public event log.
    EventLog,
}

impl Name {
    /// All services, in the order in which work flows through them.
    pub const ALL: [Self; 5] = [
        Self::Auth,
        Self::Users,
        Self::Listings,
        Self::Transactions,
        Self::EventLog,
    ];

    /// The name as processes, files and certificates know it.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Users => "users",
            Self::Listings => "listings",
            Self::Transactions => "transactions",
            Self::EventLog => "event-log",
        }
    }

    /// Its database in a data folder.
    pub fn file(self) -> String {
        format!("{}.sqlite", self.text())
    }

    /// The tables of the service.
    pub fn migrations(self) -> MigrationSet {
        match self {
            Self::Auth => stoa_auth::migrations(),
            Self::Users => stoa_users::migrations(),
            Self::Listings => stoa_listings::migrations(),
            Self::Transactions => stoa_transactions::migrations(),
            Self::EventLog => stoa_event_log::migrations(),
        }
    }

    /// Those of its tables whose rows the service may neither change nor remove before their end.
    pub const fn append_only(self) -> &'static [AppendOnly] {
        match self {
            Self::Auth => stoa_auth::APPEND_ONLY,
            Self::Users | Self::Listings | Self::Transactions | Self::EventLog => &[],
        }
    }
}

/// What a process gives to the services in it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Host {
    /// Domain time.
    pub clock: Arc<dyn Clock>,
    /// Real time.
    pub real_clock: Arc<dyn Clock>,
    /// Where ids and secrets come from.
    pub entropy: Arc<dyn Entropy>,
    /// Whose calls are taken.
    pub trust: Trust,
    /// Background work ends with these.
    pub tasks: Tasks,
    /// Hashes and checks passwords.
    pub hasher: PasswordHasher,
    /// How to reach every service.
    pub peers: Peers,
    /// How mails leave; none: they wait in the queues.
    pub mail: Option<MailRoute>,
}

/// How the mails of a process leave.
#[derive(Clone)]
pub(crate) struct MailRoute {
    /// Section `mail`.
    pub config: stoa_config::Mail,
    /// Where they are written without a mail server; none: they are logged and dropped.
    pub outbox: Option<PathBuf>,
}

impl Host {
    /// The outlet of one service.
    fn outlet(&self) -> anyhow::Result<Option<Outlet>> {
        let route = self.mail.as_ref();
        let outlet = route.map(|route| outgoing(&route.config, route.outbox.as_deref()));
        outlet.transpose()
    }
}

/// What `auth` alone needs.
#[derive(Clone)]
pub(crate) struct AuthOptions {
    /// Opens what must be read back.
    pub master_key: [u8; 32],
    /// Lives of tokens and sessions.
    pub lifetimes: Lifetimes,
    /// Access tokens may be shorter than clients can bear; for tests.
    pub allow_short_lifetimes: bool,
    /// `stoa dev`: settings that do not go together for real are taken.
    pub development: bool,
}

/// A service that is built; nothing runs before [`Service::start`].
pub(crate) enum Service {
    Auth(stoa_auth::Service),
    Users(stoa_users::Service),
    Listings(Box<stoa_listings::Service>),
    Transactions(stoa_transactions::Service),
    EventLog(stoa_event_log::Service),
}

impl Service {
    /// Builds `auth` on its database, which must hold an installation.
    ///
    /// # Errors
    /// What the service says.
    pub(crate) async fn auth(
        host: &Host,
        options: AuthOptions,
        db: Db,
        identity: Identity,
    ) -> anyhow::Result<Self> {
        let built = stoa_auth::build(stoa_auth::Deps {
            db,
            clock: Arc::clone(&host.clock),
            real_clock: Arc::clone(&host.real_clock),
            entropy: Arc::clone(&host.entropy),
            identity,
            trust: host.trust.clone(),
            tasks: host.tasks.clone(),
            users: host.peers.users.clone(),
            listings: host.peers.listings.clone(),
            transactions: host.peers.transactions.clone(),
            hasher: host.hasher.clone(),
            master_key: options.master_key,
            lifetimes: options.lifetimes,
            allow_short_lifetimes: options.allow_short_lifetimes,
            development: options.development,
        });
        Ok(Self::Auth(built.await.context("auth cannot start")?))
    }

    /// Builds any other service on its database.
    ///
    /// # Errors
    /// What the service says; when it is `auth`, which needs more than this.
    pub(crate) async fn build(
        name: Name,
        host: &Host,
        db: Db,
        identity: Identity,
    ) -> anyhow::Result<Self> {
        let (clock, real_clock) = (Arc::clone(&host.clock), Arc::clone(&host.real_clock));
        let (entropy, trust) = (Arc::clone(&host.entropy), host.trust.clone());
        let (tasks, peers) = (host.tasks.clone(), host.peers.clone());
        let built = match name {
            Name::Auth => anyhow::bail!("auth is built with its keys"),
            Name::Users => Self::Users(
                stoa_users::build(stoa_users::Deps {
                    db,
                    clock,
                    real_clock,
                    entropy,
                    identity,
                    trust,
                    tasks,
                    auth: peers.auth,
                    passwords: host.hasher.clone(),
                    mail: host.outlet()?,
                })
                .await?,
            ),
            Name::Listings => Self::Listings(Box::new(
                stoa_listings::build(stoa_listings::Deps {
                    db,
                    clock,
                    real_clock,
                    entropy,
                    identity,
                    trust,
                    tasks,
                    users: peers.users,
                    auth: peers.auth,
                })
                .await?,
            )),
            Name::Transactions => Self::Transactions(
                stoa_transactions::build(stoa_transactions::Deps {
                    db,
                    clock,
                    real_clock,
                    entropy,
                    identity,
                    trust,
                    tasks,
                    auth: peers.auth,
                    users: peers.users,
                    listings: peers.listings,
                })
                .await?,
            ),
            Name::EventLog => Self::EventLog(
                stoa_event_log::build(stoa_event_log::Deps {
                    db,
                    real_clock,
                    entropy,
                    identity,
                    trust,
                    tasks,
                    auth: peers.auth,
                    users: peers.users,
                    listings: peers.listings,
                    transactions: peers.transactions,
                    retention_days: None,
                })
                .await?,
            ),
        };
        Ok(built)
    }

    /// The service behind its guard.
    pub(crate) fn guard(&self) -> Guard {
        match self {
            Self::Auth(service) => service.guard(),
            Self::Users(service) => service.guard(),
            Self::Listings(service) => service.guard(),
            Self::Transactions(service) => service.guard(),
            Self::EventLog(service) => service.guard(),
        }
    }

    /// Starts its background work.
    pub(crate) fn start(&self) {
        match self {
            Self::Auth(service) => service.start(),
            Self::Users(service) => service.start(),
            Self::Listings(service) => service.start(),
            Self::Transactions(service) => service.start(),
            Self::EventLog(service) => service.start(),
        }
    }

    /// Whether it has caught up with what it follows.
    pub(crate) fn is_ready(&self) -> bool {
        match self {
            Self::Auth(service) => service.is_ready(),
            Self::Users(service) => service.is_ready(),
            Self::Listings(service) => service.is_ready(),
            Self::Transactions(service) => service.is_ready(),
            Self::EventLog(service) => service.is_ready(),
        }
    }

    /// Whether the marketplace is live; nothing while this service does not know. `auth`, which
    /// owns the settings, is asked for them by who starts it.
    pub(crate) fn is_live(&self) -> Option<bool> {
        match self {
            Self::Auth(_) => Some(false),
            Self::Users(service) => service.is_live(),
            Self::Listings(service) => service.is_live(),
            Self::Transactions(service) => service.is_live(),
            Self::EventLog(service) => service.is_live(),
        }
    }

    /// Does everything that is due, once; true when anything was done.
    ///
    /// # Errors
    /// What the service says.
    pub(crate) async fn drain(&self) -> anyhow::Result<bool> {
        Ok(match self {
            Self::Auth(service) => service.drain().await?,
            Self::Users(service) => service.drain().await?,
            Self::Listings(service) => service.drain().await?,
            Self::Transactions(service) => service.drain().await?,
            Self::EventLog(service) => service.drain().await?,
        })
    }
}
