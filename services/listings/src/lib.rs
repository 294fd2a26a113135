//! Listings and their search.
//!
//! A command goes through `rpc/<verb>.rs`: it loads, authorizes, decides in `domain/`, stores, and
//! emits one envelope, all in one transaction; then the index of `search/` takes the change. A
//! query asks the index for ids and reads the page from a bounded cache or the store. `consume/`
//! keeps the states of users; `jobs/` deletes what a ban or deletion leaves behind.
//!
//! To add an RPC: proto, action in `stoa-policy`, `rpc/<verb>.rs` with its tests, one line in
//! `rpc/mod.rs`; if needed a rule in `domain/`, statements in `store/`, an event in `events.rs`.

mod authors;
mod consume;
mod core;
mod domain;
mod error;
mod events;
mod indexing;
mod jobs;
mod message;
mod rpc;
mod search;
mod shown;
mod store;

#[cfg(test)]
mod tests;

use crate::core::Core;
use authors::Authors;
use consume::user_state::UserStates;
use indexing::Indexer;
use jobs::remove_listings::{self, RemoveListings};
use parking_lot::Mutex;
use search::{MemoryIndex, Schemas};
use shown::Shown;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use stoa_db::{Db, DbError, MigrationSet};
use stoa_feed::projections::{Actors, ActorsConsumer, Settings, SettingsConsumer};
use stoa_feed::{Consumer, FeedService, Follower, Job, Sequencer, Standings, Wiring};
use stoa_policy::Environment;
use stoa_proto::listings::listings_server::ListingsServer;
use stoa_rpc::{Guard, GuardSettings, Identity, LocalSlot, Peer, Tasks, Trust};
use stoa_types::{Clock, Entropy};
use tokio::sync::Notify;

/// What the service is built from.
pub struct Deps {
    /// Its own database, migrated with [`migrations`].
    pub db: Db,
    /// Domain time; may be virtual.
    pub clock: Arc<dyn Clock>,
    /// Real time, for tokens and leases.
    pub real_clock: Arc<dyn Clock>,
    /// Where ids come from.
    pub entropy: Arc<dyn Entropy>,
    /// The identity `listings`, which `trust` must hold: the service follows its own feed.
    pub identity: Identity,
    /// Whose calls are accepted.
    pub trust: Trust,
    /// Where background work runs.
    pub tasks: Tasks,
    /// The users service: states of users, and its feed.
    pub users: Peer,
    /// The auth service: the feed with the settings.
    pub auth: Peer,
}

/// The tables of this service.
pub fn migrations() -> MigrationSet {
    store::MIGRATIONS
}

/// The service could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Its database cannot be read.
    #[error("the database of listings cannot be read")]
    Db(#[from] DbError),
}

/// Work in the background failed.
#[derive(Debug, thiserror::Error)]
#[error("background work of listings failed")]
pub struct DrainError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl DrainError {
    fn new(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

/// The running service.
pub struct Service {
    #[cfg_attr(not(test), expect(dead_code, reason = "tests reach behind the RPCs"))]
    core: Arc<Core>,
    guard: Guard,
    tasks: Tasks,
    settings: Settings,
    sequencer: Sequencer,
    users: Consumer,
    auth: Consumer,
    indexer: Indexer,
    follower: Follower,
    authors: Follower,
    removals: RemoveListings,
    removing: Job,
    was_ready: AtomicBool,
    /// Positions of the users and auth feeds at the last [`Service::drain`].
    drained: Mutex<[u64; 2]>,
}

/// Builds the service; nothing runs before [`Service::start`].
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
    settings.reload().await?;
    let actors = Actors::new(&wiring, deps.users.clone());
    let core = Arc::new(Core {
        db: deps.db,
        clock: deps.clock,
        entropy: Arc::clone(&deps.entropy),
        standings: Standings::new(settings.clone(), actors),
        index: Arc::new(MemoryIndex::new(Arc::new(Schemas::default()))),
        shown: Shown::new(),
    });

    let sequencer = Sequencer::new(&wiring);
    // A position from before the rows are read: following from there misses nothing.
    sequencer.pass().await?;
    let position = sequencer.progress().borrow().head;
    let indexer = Indexer::fill(Arc::clone(&core), settings.clone(), position).await?;

    // Pages of listings with much extended data are larger than the default limit of messages.
    let listings =
        ListingsServer::new(rpc::Rpc(Arc::clone(&core))).max_encoding_message_size(usize::MAX);
    let feed = FeedService::new(&wiring, sequencer.clone());
    let guard = Guard::new(
        tonic::service::Routes::new(listings).add_service(feed.into_server()),
        GuardSettings {
            service: "listings",
            trust: deps.trust,
            marketplace: deps.identity.marketplace(),
            clock: deps.real_clock,
            tasks: deps.tasks.clone(),
        },
    );
    let own = LocalSlot::new();
    own.fill(guard.clone());
    let entropy = deps.entropy;
    let follower = Follower::new(
        &deps.identity,
        Arc::clone(&entropy),
        own.peer(),
        indexer.clone(),
    );

    let wake = Arc::new(Notify::new());
    let states = UserStates {
        core: Arc::clone(&core),
        wake: Arc::clone(&wake),
        written: Mutex::default(),
    };
    let consume = ActorsConsumer::new().with(states);
    let users = Consumer::new(&wiring, deps.users.clone(), consume);
    let authors = Authors {
        core: Arc::clone(&core),
        states: users.clone(),
    };
    let authors = Follower::new(&deps.identity, entropy, deps.users, authors);
    let auth = Consumer::new(&wiring, deps.auth, SettingsConsumer::new(&settings));
    Ok(Service {
        removals: RemoveListings {
            core: Arc::clone(&core),
        },
        removing: Job::new(&wiring, "remove listings", remove_listings::POLL).woken_by(wake),
        authors,
        core,
        guard,
        tasks: deps.tasks,
        settings,
        sequencer,
        users,
        auth,
        indexer,
        follower,
        was_ready: AtomicBool::new(false),
        drained: Mutex::default(),
    })
}

impl Service {
    /// The service's RPCs and its feed, behind the guard.
    pub fn guard(&self) -> Guard {
        self.guard.clone()
    }

    /// Starts sequencer, consumers, index and jobs; they end with the tasks. Called once.
    pub fn start(&self) {
        let tasks = &self.tasks;
        tasks.spawn(self.sequencer.clone().run());
        tasks.spawn(self.settings.clone().run());
        tasks.spawn(self.users.clone().run());
        tasks.spawn(self.auth.clone().run());
        tasks.spawn(self.follower.clone().run(tasks.clone()));
        tasks.spawn(self.indexer.clone().run(tasks.clone()));
        tasks.spawn(self.authors.clone().run(tasks.clone()));
        let removals = self.removals.clone();
        tasks.spawn(self.removing.clone().run(move || {
            let removals = removals.clone();
            async move { removals.work().await }
        }));
    }

    /// Does everything that is due now; true when there was anything to do. Others may have new
    /// work afterwards, so a whole installation is drained until nobody did anything.
    ///
    /// # Errors
    /// [`DrainError`] when a feed is out of reach or an effect failed.
    pub async fn drain(&self) -> Result<bool, DrainError> {
        let mut any = self.sequencer.pass().await.map_err(DrainError::new)? > 0;
        let reached = [
            self.users.catch_up().await.map_err(DrainError::new)?,
            self.auth.catch_up().await.map_err(DrainError::new)?,
        ];
        any |= std::mem::replace(&mut *self.drained.lock(), reached) != reached;
        any |= self
            .indexer
            .follow_schemas()
            .await
            .map_err(DrainError::new)?;
        any |= self.removals.work().await.map_err(DrainError::new)?;
        any |= self.sequencer.pass().await.map_err(DrainError::new)? > 0;
        Ok(any)
    }

    /// Whether this marketplace is live; nothing before the settings are known.
    pub fn is_live(&self) -> Option<bool> {
        let environment = self.settings.environment().ok()?;
        Some(environment == Environment::Live)
    }

    /// Whether settings, users' states and the index have been caught up with once, and still can
    /// be: it stays true while users or auth is away, since public reads go on without them.
    pub fn is_ready(&self) -> bool {
        let consumers = [&self.users, &self.auth];
        if consumers.iter().all(|consumer| consumer.is_caught_up())
            && self.follower.is_ready()
            && self.authors.is_ready()
        {
            self.was_ready.store(true, Ordering::Relaxed);
        }
        self.settings.is_ready()
            && self.was_ready.load(Ordering::Relaxed)
            && !consumers.iter().any(|consumer| consumer.is_stopped())
    }
}
