//! Process definitions and runs, messages, reviews, timers.
//!
//! The engine in `stoa-process` is pure; this service loads what it needs, stores what it gives,
//! and tells the others. `rpc/` has one RPC a file; `transition/` is what initiation, transition
//! and timers share; `jobs/` is what time does.

mod consume;
mod context;
mod domain;
mod error;
mod events;
mod jobs;
mod processes;
mod rpc;
mod store;
mod transition;

#[cfg(test)]
mod testing;

use context::Context;
use error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use stoa_db::{Db, DbError, MigrationSet};
use stoa_feed::projections::{Actors, ActorsConsumer, Settings, SettingsConsumer};
use stoa_feed::{Consumer, FeedService, Job, Sequencer, Standings, Wiring};
use stoa_policy::Environment;
use stoa_proto::transactions::transactions_server::TransactionsServer;
use stoa_rpc::{Guard, GuardSettings, Identity, Peer, Tasks, Trust};
use stoa_types::{Clock, Entropy, Problems};
use tokio::sync::Notify;
use tonic::service::Routes;

/// What the service is built from.
pub struct Deps {
    /// Its own database, migrated with [`migrations`].
    pub db: Db,
    /// Domain time, which may be virtual: transitions and timers follow it.
    pub clock: Arc<dyn Clock>,
    /// The real time: leases and attempts.
    pub real_clock: Arc<dyn Clock>,
    /// Where ids come from.
    pub entropy: Arc<dyn Entropy>,
    /// The identity `transactions`.
    pub identity: Identity,
    /// Whose calls are taken.
    pub trust: Trust,
    /// Background work ends with these.
    pub tasks: Tasks,
    /// The service `auth`, whose feed brings the settings.
    pub auth: Peer,
    /// The service `users`: states of users by its feed, profile data by call.
    pub users: Peer,
    /// The service `listings`, asked for the listing of an initiation.
    pub listings: Peer,
}

/// The service could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The own database.
    #[error("the database of transactions cannot be used")]
    Db(#[from] DbError),
}

/// A pass of [`Service::drain`] failed; the problems say how, the log why.
#[derive(Debug, thiserror::Error)]
#[error("transactions could not be drained: {0}")]
pub struct DrainError(Problems);

impl From<Error> for DrainError {
    fn from(error: Error) -> Self {
        tracing::error!(error = ?error, "A pass failed");
        Self(error.into())
    }
}

/// The tables of this service and of its feed.
pub fn migrations() -> MigrationSet {
    store::MIGRATIONS
}

/// The running service. Cheap to clone.
#[derive(Clone)]
pub struct Service(Arc<Inner>);

struct Inner {
    context: Context,
    guard: Guard,
    tasks: Tasks,
    sequencer: Sequencer,
    settings: Settings,
    erasures: Job,
    attempts: Job,
    pruning: Job,
    was_ready: AtomicBool,
    /// Each with its position after the last [`Service::drain`].
    consumers: [(Consumer, AtomicU64); 2],
}

/// Builds the service and installs the shipped processes that are missing; nothing runs by itself
/// before [`Service::start`].
///
/// # Errors
/// [`BuildError`] when the database cannot be used.
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
    let actors = Actors::new(&wiring, deps.users.clone());
    let context = Context {
        processes: processes::Processes::new(&deps.db),
        db: deps.db,
        clock: deps.clock,
        real_clock: Arc::clone(&deps.real_clock),
        entropy: deps.entropy,
        identity: deps.identity.clone(),
        standings: Standings::new(settings.clone(), actors),
        listings: deps.listings,
        users: deps.users.clone(),
        timer_due: Arc::default(),
        erasure_due: Arc::new(Notify::new()),
    };
    context
        .processes
        .install_shipped(context.clock.now())
        .await?;
    let sequencer = Sequencer::new(&wiring);
    let feed = FeedService::new(&wiring, sequencer.clone());
    let api = TransactionsServer::new(rpc::Api(context.clone()));
    let guard = Guard::new(
        Routes::new(api).add_service(feed.into_server()),
        GuardSettings {
            service: "transactions",
            trust: deps.trust,
            marketplace: deps.identity.marketplace(),
            clock: deps.real_clock,
            tasks: deps.tasks.clone(),
        },
    );
    let erasure_due = Arc::clone(&context.erasure_due);
    let users = ActorsConsumer::new().with(consume::UserGone { erasure_due });
    let consumers = [
        Consumer::new(&wiring, deps.auth, SettingsConsumer::new(&settings)),
        Consumer::new(&wiring, deps.users, users),
    ];
    let erasures = Job::new(&wiring, "erase", jobs::LEFT_OVER);
    Ok(Service(Arc::new(Inner {
        erasures: erasures.woken_by(Arc::clone(&context.erasure_due)),
        attempts: Job::new(&wiring, "end attempts", jobs::LEFT_OVER),
        was_ready: AtomicBool::new(false),
        pruning: Job::new(&wiring, "forget attempts", jobs::PRUNING),
        context,
        guard,
        tasks: deps.tasks,
        sequencer,
        settings,
        consumers: consumers.map(|consumer| (consumer, AtomicU64::new(0))),
    })))
}

impl Service {
    /// The RPCs of the service and its feed, behind their guard.
    pub fn guard(&self) -> Guard {
        self.0.guard.clone()
    }

    /// Starts the sequencer, the consumers of users and settings, and the jobs. Timers that are
    /// overdue run at once.
    pub fn start(&self) {
        let Inner { context, tasks, .. } = &*self.0;
        tasks.spawn(self.0.sequencer.clone().run());
        tasks.spawn(self.0.settings.clone().run());
        for (consumer, _) in &self.0.consumers {
            tasks.spawn(consumer.clone().run());
        }
        tasks.spawn(jobs::timers::run(context.clone(), tasks.clone()));
        let erase = context.clone();
        tasks.spawn(self.0.erasures.clone().run(move || {
            let context = erase.clone();
            async move { jobs::erase::run_all(&context).await }
        }));
        let pruning = context.clone();
        tasks.spawn(self.0.pruning.clone().run(move || {
            let context = pruning.clone();
            async move { jobs::attempts::forget_old(&context).await }
        }));
        let attempts = context.clone();
        tasks.spawn(self.0.attempts.clone().run(move || {
            let context = attempts.clone();
            async move { jobs::attempts::run_all(&context).await }
        }));
    }

    /// Does all that is due, once: consumes the feeds up to their heads, takes delayed
    /// transitions whose time has come, erases, ends dead attempts, stamps the outbox. True when there was anything
    /// to do.
    ///
    /// # Errors
    /// [`DrainError`] when one of them failed; what was done stays done.
    pub async fn drain(&self) -> Result<bool, DrainError> {
        let mut any = false;
        for (consumer, drained) in &self.0.consumers {
            let position = consumer.catch_up().await.map_err(Error::Feed)?;
            any |= drained.swap(position, Ordering::Relaxed) != position;
        }
        any |= jobs::timers::run_due(&self.0.context).await?;
        any |= jobs::erase::run_all(&self.0.context).await?;
        any |= jobs::attempts::run_all(&self.0.context).await?;
        any |= self.0.sequencer.pass().await.map_err(Error::Db)? > 0;
        Ok(any)
    }

    /// Whether this marketplace is live; nothing before the settings are known.
    pub fn is_live(&self) -> Option<bool> {
        let environment = self.0.settings.environment().ok()?;
        Some(environment == Environment::Live)
    }

    /// True once the settings are known and the feeds of users and settings were caught up with,
    /// as long as they can be: it stays true while users or auth is away, since reads that need
    /// neither go on.
    pub fn is_ready(&self) -> bool {
        let consumers = || self.0.consumers.iter().map(|(consumer, _)| consumer);
        if consumers().all(Consumer::is_caught_up) {
            self.0.was_ready.store(true, Ordering::Relaxed);
        }
        self.0.settings.is_ready()
            && self.0.was_ready.load(Ordering::Relaxed)
            && !consumers().any(Consumer::is_stopped)
    }
}
