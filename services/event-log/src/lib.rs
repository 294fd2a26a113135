//! The public ordered event log that the Integration API reads.
//!
//! Owners write public events into the envelopes of their feeds; this service alone numbers them.
//! A number is taken in the transaction that stores the event and moves the feed's cursor, and
//! numbers become visible in their order: a poller that saw one never finds a smaller one later.

mod consume;
mod domain;
mod error;
mod jobs;
mod restore;
mod rpc;
mod store;

pub use restore::skip_numbers;
#[cfg(test)]
mod testing;

use consume::public_events::PublicEvents;
use jobs::finish_erasures::{self, FinishErasures};
use jobs::forget_old::{self, ForgetOld};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use stoa_db::{Db, DbError, MigrationSet, migrations};
use stoa_feed::projections::{Settings, SettingsConsumer};
use stoa_feed::{Consumer, Job, Wiring};
use stoa_policy::Environment;
use stoa_proto::event_log::event_log_server::EventLogServer;
use stoa_rpc::{Guard, GuardSettings, Identity, Peer, Tasks, Trust};
use stoa_types::{Clock, Entropy, Problems};
use tokio::sync::Notify;
use tonic::service::Routes;

/// What the service is built from. It has no domain time: events bring theirs along.
pub struct Deps {
    /// Its own database, migrated with [`migrations`].
    pub db: Db,
    /// The real time: leases, tokens and retention.
    pub real_clock: Arc<dyn Clock>,
    /// Where ids come from.
    pub entropy: Arc<dyn Entropy>,
    /// The identity `event-log`.
    pub identity: Identity,
    /// Whose calls are taken.
    pub trust: Trust,
    /// Background work ends with these.
    pub tasks: Tasks,
    /// The service `auth`, whose feed brings the settings.
    pub auth: Peer,
    /// The service `users`.
    pub users: Peer,
    /// The service `listings`.
    pub listings: Peer,
    /// The service `transactions`.
    pub transactions: Peer,
    /// Days that events stay; by default 90 in a live marketplace and 7 in others.
    pub retention_days: Option<NonZeroU32>,
}

/// The service could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The own database.
    #[error("the database of event-log cannot be used")]
    Db(#[from] DbError),
}

/// A pass of [`Service::drain`] failed; the problems say how, the log why.
#[derive(Debug, thiserror::Error)]
#[error("event-log could not be drained: {0}")]
pub struct DrainError(Problems);

/// The tables of this service, with the cursors and settings of `stoa-feed`.
pub fn migrations() -> MigrationSet {
    MIGRATIONS
}

pub(crate) const MIGRATIONS: MigrationSet =
    migrations!("0001_event_log", "0002_number_gaps", "0003_erased_texts")
        .with(&[&stoa_feed::MIGRATIONS]);

/// The running service. Cheap to clone.
#[derive(Clone)]
pub struct Service(Arc<Inner>);

struct Inner {
    guard: Guard,
    tasks: Tasks,
    settings: Settings,
    /// The consumers, each with its position after the last [`Service::drain`].
    consumers: Vec<(Consumer, AtomicU64)>,
    was_caught_up: AtomicBool,
    finish_erasures: FinishErasures,
    erasures: Job,
    forget_old: ForgetOld,
    forgetting: Job,
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
        entropy: deps.entropy,
        tasks: deps.tasks.clone(),
    };
    let settings = Settings::new(&wiring);
    // What was known before a restart holds until the feed brings something newer.
    settings.reload().await?;
    let erased = Arc::new(Notify::new());
    let owners = [
        ("users", deps.users),
        ("listings", deps.listings),
        ("transactions", deps.transactions),
    ];
    let mut consumers = vec![Consumer::new(
        &wiring,
        deps.auth,
        SettingsConsumer::new(&settings),
    )];
    consumers.extend(owners.map(|(owner, peer)| {
        let public_events = PublicEvents {
            owner,
            clock: Arc::clone(&deps.real_clock),
            erased: Arc::clone(&erased),
        };
        Consumer::new(&wiring, peer, public_events)
    }));
    let event_log = rpc::EventLog(Arc::new(rpc::Cx {
        db: deps.db.clone(),
        marketplace: deps.identity.marketplace(),
    }));
    let guard = Guard::new(
        Routes::new(EventLogServer::new(event_log)),
        GuardSettings {
            service: "event-log",
            trust: deps.trust,
            marketplace: deps.identity.marketplace(),
            clock: Arc::clone(&deps.real_clock),
            tasks: deps.tasks.clone(),
        },
    );
    Ok(Service(Arc::new(Inner {
        guard,
        consumers: consumers
            .into_iter()
            .map(|consumer| (consumer, AtomicU64::new(0)))
            .collect(),
        was_caught_up: AtomicBool::new(false),
        finish_erasures: FinishErasures {
            db: deps.db.clone(),
            clock: Arc::clone(&deps.real_clock),
        },
        erasures: Job::new(&wiring, "finish erasures", finish_erasures::POLL).woken_by(erased),
        forgetting: Job::new(&wiring, "forget old events", forget_old::POLL),
        forget_old: ForgetOld {
            db: deps.db,
            clock: deps.real_clock,
            settings: settings.clone(),
            days: deps.retention_days,
            tasks: deps.tasks.clone(),
        },
        settings,
        tasks: deps.tasks,
    })))
}

impl Service {
    /// The RPCs of the service behind their guard. It owns no feed: nobody consumes the log.
    pub fn guard(&self) -> Guard {
        self.0.guard.clone()
    }

    /// Starts the consumers and the jobs.
    pub fn start(&self) {
        let Inner { tasks, .. } = &*self.0;
        tasks.spawn(self.0.settings.clone().run());
        for (consumer, _) in &self.0.consumers {
            tasks.spawn(consumer.clone().run());
        }
        let erase = self.0.finish_erasures.clone();
        tasks.spawn(self.0.erasures.clone().run(move || {
            let erase = erase.clone();
            async move { erase.once().await }
        }));
        let forget = self.0.forget_old.clone();
        tasks.spawn(self.0.forgetting.clone().run(move || {
            let forget = forget.clone();
            async move { forget.once().await }
        }));
    }

    /// Does all that is due, once: consumes every feed up to its head, finishes erasures, deletes
    /// what is too old. True when there was anything to do.
    ///
    /// # Errors
    /// [`DrainError`] when one of them failed; what was done stays done.
    pub async fn drain(&self) -> Result<bool, DrainError> {
        let failed = |error: error::Error| DrainError(error.into());
        let mut any = false;
        for (consumer, drained) in &self.0.consumers {
            let position = consumer.catch_up().await.map_err(|e| failed(e.into()))?;
            any |= drained.swap(position, Ordering::Relaxed) != position;
        }
        any |= self.0.finish_erasures.once().await.map_err(failed)?;
        any |= self.0.forget_old.once().await.map_err(failed)?;
        Ok(any)
    }

    /// Whether this marketplace is live; nothing before the settings are known.
    pub fn is_live(&self) -> Option<bool> {
        let environment = self.0.settings.environment().ok()?;
        Some(environment == Environment::Live)
    }

    /// True once the settings are known and every feed was consumed to its head: before that
    /// events would be missing that their owners told of long ago.
    pub fn is_ready(&self) -> bool {
        let was = &self.0.was_caught_up;
        if !was.load(Ordering::Relaxed) {
            let consumers = &self.0.consumers;
            let now = consumers
                .iter()
                .all(|(consumer, _)| consumer.is_caught_up());
            was.store(now, Ordering::Relaxed);
        }
        was.load(Ordering::Relaxed) && self.0.settings.is_ready()
    }
}
