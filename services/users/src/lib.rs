//! Accounts, credentials, profiles, permissions, ban and delete.
//!
//! A command runs through `rpc/<verb>.rs`: decode, load, authorize, decide, store, emit, encode.
//! Rules are in `domain`, SQL in `store`, what others are told in `events`.

mod domain;
mod error;
mod events;
mod jobs;
mod mail;
mod restore;
mod rpc;
mod store;

pub use restore::{EnforceError, Standing};

use jobs::collect_values::{self, CollectValues};
use jobs::finish_erasure::{self, FinishErasure};
use jobs::forget_tokens::{self, ForgetTokens};
use mail::UsersDesk;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use stoa_credentials::PasswordHasher;
use stoa_db::{Db, DbError, MigrationSet, migrations};
use stoa_feed::projections::{Settings, SettingsConsumer};
use stoa_feed::{Consumer, FeedService, Job, Sequencer, Wiring};
use stoa_mail::Outlet;
use stoa_mail::queue::{Sender, SenderParts};
use stoa_policy::Environment;
use stoa_proto::users::users_server::UsersServer;
use stoa_rpc::{Guard, GuardSettings, Identity, Peer, Tasks, Trust};
use stoa_types::{Clock, Entropy, Problems};
use tokio::sync::Notify;
use tonic::service::Routes;

/// What the service is built from.
pub struct Deps {
    /// Its own database, migrated with [`migrations`].
    pub db: Db,
    /// Domain time, which may be virtual: `createdAt` and the times of events.
    pub clock: Arc<dyn Clock>,
    /// The real time: leases and tokens.
    pub real_clock: Arc<dyn Clock>,
    /// Where ids come from.
    pub entropy: Arc<dyn Entropy>,
    /// The identity `users`.
    pub identity: Identity,
    /// Whose calls are taken.
    pub trust: Trust,
    /// Background work ends with these.
    pub tasks: Tasks,
    /// The service `auth`, whose feed brings the settings.
    pub auth: Peer,
    /// Hashes and checks passwords.
    pub passwords: PasswordHasher,
    /// How mails leave; none: they wait in the queue.
    pub mail: Option<Outlet>,
}

/// The service could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The own database.
    #[error("the database of users cannot be used")]
    Db(#[from] DbError),
}

/// A pass of [`Service::drain`] failed; the problems say how, the log why.
#[derive(Debug, thiserror::Error)]
#[error("users could not be drained: {0}")]
pub struct DrainError(Problems);

/// The tables of this service, of its feed and of its mails.
pub fn migrations() -> MigrationSet {
    MIGRATIONS
}

pub(crate) const MIGRATIONS: MigrationSet =
    migrations!("0001_users", "0002_search", "0003_email_tokens")
        .with(&[&stoa_feed::MIGRATIONS, &stoa_mail::MIGRATIONS]);

/// How often the queue of mails is looked at for what is to be tried again.
const MAIL_POLL: Duration = Duration::from_secs(5);

/// The running service. Cheap to clone.
#[derive(Clone)]
pub struct Service(Arc<Inner>);

struct Inner {
    cx: Arc<rpc::Cx>,
    guard: Guard,
    tasks: Tasks,
    sequencer: Sequencer,
    settings: Settings,
    settings_consumer: Consumer,
    /// Position of the auth feed after the last [`Service::drain`].
    drained: AtomicU64,
    finish_erasure: FinishErasure,
    erasures: Job,
    collect_values: CollectValues,
    collecting: Job,
    /// Told when the settings changed.
    settings_changed: Arc<Notify>,
    forget_tokens: ForgetTokens,
    forgetting: Job,
    /// None: mails wait.
    sender: Option<Sender<UsersDesk>>,
    mails: Job,
    /// The auth feed was once applied up to its head.
    caught_up: AtomicBool,
}

/// Builds the service; nothing runs by itself before [`Service::start`].
///
/// # Errors
/// [`BuildError`] when the database cannot be read.
pub async fn build(deps: Deps) -> Result<Service, BuildError> {
    let wiring = Wiring {
        db: deps.db.clone(),
        identity: deps.identity.clone(),
        clock: Arc::clone(&deps.real_clock),
        entropy: Arc::clone(&deps.entropy),
        tasks: deps.tasks.clone(),
    };
    let settings = Settings::new(&wiring);
    // What was known before a restart holds until the feed brings something newer.
    settings.reload().await?;
    let sequencer = Sequencer::new(&wiring);
    let erased = Arc::new(Notify::new());
    let mailed = Arc::new(Notify::new());
    let sender = deps.mail.map(|outlet| {
        Sender::new(SenderParts {
            service: "users",
            db: deps.db.clone(),
            clock: Arc::clone(&deps.clock),
            desk: UsersDesk {
                db: deps.db.clone(),
                clock: Arc::clone(&deps.clock),
                entropy: Arc::clone(&deps.entropy),
                settings: settings.clone(),
            },
            transport: outlet.transport,
            from: outlet.from,
        })
    });
    let cx = Arc::new(rpc::Cx {
        db: deps.db.clone(),
        clock: Arc::clone(&deps.clock),
        entropy: deps.entropy,
        passwords: deps.passwords,
        settings: settings.clone(),
        erased: Arc::clone(&erased),
        totals: store::totals::Totals::new(Arc::clone(&deps.real_clock)),
        mailed: Arc::clone(&mailed),
    });
    let settings_changed = Arc::new(Notify::new());
    let users = rpc::Users(Arc::clone(&cx));
    let feed = FeedService::new(&wiring, sequencer.clone());
    let routes = Routes::new(UsersServer::new(users)).add_service(feed.into_server());
    let guard = Guard::new(
        routes,
        GuardSettings {
            service: "users",
            trust: deps.trust,
            marketplace: deps.identity.marketplace(),
            clock: Arc::clone(&deps.real_clock),
            tasks: deps.tasks.clone(),
        },
    );
    Ok(Service(Arc::new(Inner {
        cx,
        guard,
        collect_values: CollectValues {
            db: deps.db.clone(),
            settings: settings.clone(),
        },
        collecting: Job::new(&wiring, "collect values", collect_values::POLL)
            .woken_by(Arc::clone(&settings_changed)),
        settings_changed,
        settings_consumer: Consumer::new(&wiring, deps.auth, SettingsConsumer::new(&settings)),
        settings,
        sequencer,
        drained: AtomicU64::new(0),
        caught_up: AtomicBool::new(false),
        finish_erasure: FinishErasure {
            db: deps.db.clone(),
            clock: Arc::clone(&deps.clock),
            sender: sender.clone(),
        },
        erasures: Job::new(&wiring, "finish erasure", finish_erasure::POLL).woken_by(erased),
        forget_tokens: ForgetTokens {
            db: deps.db,
            clock: deps.clock,
        },
        forgetting: Job::new(&wiring, "forget tokens", forget_tokens::POLL),
        sender,
        mails: Job::new(&wiring, "send mail", MAIL_POLL).woken_by(mailed),
        tasks: deps.tasks,
    })))
}

impl Service {
    pub(crate) fn cx(&self) -> &rpc::Cx {
        &self.0.cx
    }

    /// The RPCs of the service and its feed, behind their guard.
    pub fn guard(&self) -> Guard {
        self.0.guard.clone()
    }

    /// Starts the sequencer, the consumer of settings, and the jobs: they send mails, finish
    /// erasures, forget old tokens and collect what users are searched by.
    pub fn start(&self) {
        let Inner { tasks, .. } = &*self.0;
        tasks.spawn(self.0.sequencer.clone().run());
        tasks.spawn(self.0.settings.clone().run());
        tasks.spawn(self.0.settings_consumer.clone().run());
        let work = self.0.collect_values.clone();
        tasks.spawn(self.0.collecting.clone().run(move || {
            let work = work.clone();
            async move { work.once().await }
        }));
        let (wake, stopping) = (Arc::clone(&self.0.settings_changed), tasks.clone());
        let mut changes = self.0.settings.watch();
        tasks.spawn(async move {
            loop {
                tokio::select! {
                    () = stopping.stopping() => return,
                    changed = changes.changed() => match changed {
                        Ok(()) => wake.notify_one(),
                        Err(_) => return,
                    },
                }
            }
        });
        let work = self.0.finish_erasure.clone();
        tasks.spawn(self.0.erasures.clone().run(move || {
            let work = work.clone();
            async move { work.once().await }
        }));
        let work = self.0.forget_tokens.clone();
        tasks.spawn(self.0.forgetting.clone().run(move || {
            let work = work.clone();
            async move { work.once().await }
        }));
        if let Some(sender) = &self.0.sender {
            let sender = sender.clone();
            tasks.spawn(self.0.mails.clone().run(move || {
                let sender = sender.clone();
                async move { sender.pass().await }
            }));
        }
    }

    /// Does all that is due, once: finishes erasures, forgets old tokens, sends mails, stamps the
    /// outbox, consumes the auth feed up to its head, collects what users are searched by. True
    /// when there was anything to do.
    ///
    /// # Errors
    /// [`DrainError`] when one of them failed; what was done stays done.
    pub async fn drain(&self) -> Result<bool, DrainError> {
        let failed = |problems: Problems| DrainError(problems);
        let erased = self
            .0
            .finish_erasure
            .once()
            .await
            .map_err(|e| failed(e.into()))?;
        let forgotten = self.0.forget_tokens.once().await;
        let forgotten = forgotten.map_err(|e| failed(e.into()))?;
        let mailed = match &self.0.sender {
            Some(sender) => sender.pass().await,
            None => Ok(false),
        };
        let mailed = mailed.map_err(|e| failed(error::Error::Db(e).into()))?;
        let stamped = self.0.sequencer.pass().await;
        let stamped = stamped.map_err(|e| failed(error::Error::Db(e).into()))?;
        let position = self
            .0
            .settings_consumer
            .catch_up()
            .await
            .map_err(|e| failed(e.into()))?;
        let consumed = self.0.drained.swap(position, Ordering::Relaxed) != position;
        let collected = self.0.collect_values.once().await;
        let collected = collected.map_err(|e| failed(e.into()))?;
        Ok(erased || forgotten || mailed || stamped > 0 || consumed || collected)
    }

    /// Whether this marketplace is live; nothing before the settings are known.
    pub fn is_live(&self) -> Option<bool> {
        let environment = self.0.settings.environment().ok()?;
        Some(environment == Environment::Live)
    }

    /// True once the settings were applied up to the head of auth's feed: before that nobody's
    /// rights can be judged. It stays true when auth goes away.
    pub fn is_ready(&self) -> bool {
        let caught_up = &self.0.caught_up;
        if self.0.settings_consumer.is_caught_up() {
            caught_up.store(true, Ordering::Relaxed);
        }
        self.0.settings.is_ready() && caught_up.load(Ordering::Relaxed)
    }
}
