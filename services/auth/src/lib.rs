//! Applications, grants, tokens, sessions, operators, settings, keys.
//!
//! [`bootstrap`] makes an installation of an empty store; [`build`] makes the service of an
//! installation.

mod access;
mod adopt;
mod anonymous;
mod applications;
mod audit;
mod bootstrap;
mod consume;
mod domain;
mod error;
mod events;
mod host;
mod inspect;
mod jobs;
mod operators;
mod own_feed;
mod preset;
mod restore;
mod rotation;
mod rpc;
mod settings;
mod signing;
mod store;
#[cfg(test)]
mod testing;
mod tokens;
mod verify;
mod view;

pub use adopt::{Adopted, AdoptedApplication, adopt, is_born_in_dev};
pub use bootstrap::{BootstrapError, Installation, bootstrap};
pub use domain::audit::Broken;
pub use domain::lifetimes::{BadLifetimes, Lifetimes, SHORTEST_ACCESS_S, SessionEnds};
pub use host::{HostError, HostOperator, HostOperators, ResetLink};
pub use inspect::{master_key_id, sealed_under};
pub use preset::{DevCredentials, Preset};
pub use restore::{Ended, restore_floor};
pub use rotation::{Key, Rotation, RotationError};
pub use settings::{HostSettings, HostSettingsError};
pub use signing::BadKeys;
pub use verify::{NotWhole, Whole, verify_audit};

use domain::seal::MasterKey;
use domain::settings_change::Use;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use stoa_credentials::PasswordHasher;
use stoa_db::{AppendOnly, Db, DbError, MigrationSet};
use stoa_feed::projections::{Actors, ActorsConsumer};
use stoa_feed::{Consumer, FeedService, Follower, Job, Sequencer, Wiring};
use stoa_proto::auth::auth_server::AuthServer;
use stoa_rpc::{Guard, GuardSettings, Identity, LocalSlot, Peer, Tasks, Trust};
use stoa_types::id::MarketplaceId;
use stoa_types::{Clock, Entropy};
use tokio::sync::Notify;
use tonic::service::Routes;
use uuid::Uuid;

/// What auth needs from the process that runs it.
pub struct Deps {
    /// The own database, migrated and bootstrapped.
    pub db: Db,
    /// Domain time, which may be virtual.
    pub clock: Arc<dyn Clock>,
    /// Real time: tokens, sessions and revocations never follow a virtual clock.
    pub real_clock: Arc<dyn Clock>,
    /// Where ids and secrets come from.
    pub entropy: Arc<dyn Entropy>,
    /// The identity of the process, named `auth`; `trust` must hold it, because the service follows
    /// its own feed.
    pub identity: Identity,
    /// Whom the guard lets in.
    pub trust: Trust,
    /// Background work ends when these are told to stop.
    pub tasks: Tasks,
    /// The users service: passwords are checked there, and its feed tells of bans and epochs.
    pub users: Peer,
    /// The listings service, whose feed tells what operators did there.
    pub listings: Peer,
    /// The transactions service, for the same.
    pub transactions: Peer,
    /// Checks the passwords of operators.
    pub hasher: PasswordHasher,
    /// Opens what must be read back, the signing keys among it.
    pub master_key: [u8; 32],
    /// How long tokens and sessions live.
    pub lifetimes: Lifetimes,
    /// For tests only: access tokens may live less than five minutes.
    pub allow_short_lifetimes: bool,
    /// `stoa dev`: the environment may be switched freely, and TLS is not asked for.
    pub development: bool,
}

/// auth cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The store was not bootstrapped.
    #[error("the store holds no installation: bootstrap it first")]
    NotBootstrapped,
    /// The store belongs to another marketplace than the process.
    #[error("the store holds the marketplace {stored}, the process is configured for {configured}")]
    OtherMarketplace {
        /// That of the process's identity.
        configured: MarketplaceId,
        /// As stored.
        stored: MarketplaceId,
    },
    /// The lifetimes cannot work.
    #[error(transparent)]
    Lifetimes(#[from] BadLifetimes),
    /// The signing keys cannot be used.
    #[error(transparent)]
    Keys(#[from] BadKeys),
    /// The stored settings do not go together.
    #[error("{0}")]
    Pair(&'static str),
    /// The database.
    #[error("storage failed")]
    Db(#[from] DbError),
}

impl From<signing::ReadKeys> for BuildError {
    fn from(error: signing::ReadKeys) -> Self {
        match error {
            signing::ReadKeys::Bad(error) => Self::Keys(error),
            signing::ReadKeys::Db(error) => Self::Db(error),
        }
    }
}

/// What handlers, consumers and jobs work with.
pub(crate) struct Auth {
    pub(crate) db: Db,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) real_clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) identity: Identity,
    pub(crate) users: Peer,
    pub(crate) hasher: PasswordHasher,
    pub(crate) tokens: tokens::Tokens,
    pub(crate) applications: applications::Applications,
    pub(crate) anonymous: anonymous::AnonymousTokens,
    pub(crate) actors: Actors,
    pub(crate) users_feed: Consumer,
    /// What operators did in other services, for the audit log.
    pub(crate) records: [Consumer; 3],
    pub(crate) sequencer: Sequencer,
    pub(crate) installation_id: Uuid,
    /// Where the settings are in use.
    pub(crate) place: Use,
}

/// The service. Cheap to clone.
#[derive(Clone)]
pub struct Service(Arc<Inner>);

struct Inner {
    auth: Arc<Auth>,
    guard: Guard,
    tasks: Tasks,
    pruning: Job,
    rotation: Job,
    chaining: Job,
    anchoring: Job,
    erasing: Job,
    own_feed: own_feed::OwnFeed,
    follower: Follower,
    /// How far [`Service::drain`] has seen the users feed.
    drained: AtomicU64,
    was_ready: AtomicBool,
}

/// The migrations of auth's database.
pub fn migrations() -> MigrationSet {
    store::MIGRATIONS
}

/// What gateways must refuse is written once and stays until it can no longer matter; the audit log
/// stays for ever.
pub const APPEND_ONLY: &[AppendOnly] = &[
    AppendOnly {
        table: "revocation_log",
        removable_when: Some("keep_until < CAST(extract(epoch FROM now()) * 1000 AS BIGINT)"),
        // A ban ends with its user's unban.
        changeable: Some(("keep_until", "kind = 'user_state'")),
    },
    AppendOnly {
        table: "audit_log",
        removable_when: None,
        changeable: None,
    },
    AppendOnly {
        table: "audit_anchors",
        removable_when: None,
        changeable: None,
    },
];

/// Builds the service; nothing runs before [`Service::start`].
///
/// # Errors
/// [`BuildError`].
pub async fn build(deps: Deps) -> Result<Service, BuildError> {
    deps.lifetimes.check(deps.allow_short_lifetimes)?;
    let installation = store::installation::installation(&deps.db)
        .await?
        .ok_or(BuildError::NotBootstrapped)?;
    let configured = deps.identity.marketplace();
    if configured != installation.marketplace_id {
        return Err(BuildError::OtherMarketplace {
            configured,
            stored: installation.marketplace_id,
        });
    }
    let place = if deps.development {
        Use::Play
    } else {
        let settings = store::settings::settings(&deps.db).await?;
        if let Some(why) = domain::settings::refused_pair(&settings) {
            return Err(BuildError::Pair(why));
        }
        Use::Served
    };
    let keys = signing::Keys::open(
        deps.db.clone(),
        MasterKey::new(&deps.master_key),
        Arc::clone(&deps.real_clock),
    )
    .await?;
    let floor_s = store::revocations::floor_s(&deps.db, deps.real_clock.now()).await?;
    let wiring = Wiring {
        db: deps.db.clone(),
        identity: deps.identity.clone(),
        clock: Arc::clone(&deps.real_clock),
        entropy: Arc::clone(&deps.entropy),
        tasks: deps.tasks.clone(),
    };
    let sequencer = Sequencer::new(&wiring);
    let reaction = consume::UserEvents {
        lifetimes: deps.lifetimes,
        clock: Arc::clone(&deps.real_clock),
        entropy: Arc::clone(&deps.entropy),
    };
    let users_feed = Consumer::new(
        &wiring,
        deps.users.clone(),
        ActorsConsumer::new().with(reaction),
    );
    let waiting: Arc<Notify> = Arc::default();
    let records = [
        ("users", &deps.users),
        ("listings", &deps.listings),
        ("transactions", &deps.transactions),
    ]
    .map(|(owner, peer)| {
        let waiting = Arc::clone(&waiting);
        let records = consume::AuditRecords { owner, waiting };
        Consumer::new(&wiring, peer.clone(), records)
    });
    let auth = Arc::new(Auth {
        records,
        applications: applications::Applications::new(deps.db.clone()),
        anonymous: anonymous::AnonymousTokens::new(),
        actors: Actors::new(&wiring, deps.users.clone()),
        tokens: tokens::Tokens::new(
            keys,
            deps.lifetimes,
            installation.installation_id,
            installation.marketplace_id,
            floor_s,
        ),
        users_feed,
        sequencer: sequencer.clone(),
        installation_id: installation.installation_id,
        place,
        db: deps.db,
        clock: deps.clock,
        real_clock: Arc::clone(&deps.real_clock),
        entropy: deps.entropy,
        identity: deps.identity,
        users: deps.users,
        hasher: deps.hasher,
    });
    let feed = FeedService::new(&wiring, sequencer);
    let routes =
        Routes::new(AuthServer::new(rpc::Rpc(Arc::clone(&auth)))).add_service(feed.into_server());
    let guard = Guard::new(
        routes,
        GuardSettings {
            service: "auth",
            trust: deps.trust,
            marketplace: installation.marketplace_id,
            clock: deps.real_clock,
            tasks: deps.tasks.clone(),
        },
    );
    let own = LocalSlot::new();
    own.fill(guard.clone());
    let own_feed = own_feed::OwnFeed::new(Arc::clone(&auth));
    let follower = Follower::new(
        &wiring.identity,
        Arc::clone(&wiring.entropy),
        own.peer(),
        own_feed.clone(),
    );
    Ok(Service(Arc::new(Inner {
        auth,
        own_feed,
        follower,
        pruning: Job::new(&wiring, "prune", jobs::prune::EVERY),
        rotation: Job::new(&wiring, "rotate", jobs::rotate::EVERY),
        chaining: Job::new(&wiring, "chain", jobs::chain::EVERY).woken_by(waiting),
        anchoring: Job::new(&wiring, "anchor", jobs::anchor::EVERY),
        erasing: Job::new(&wiring, "erase audit", jobs::erase_audit::EVERY),
        guard,
        tasks: deps.tasks,
        drained: AtomicU64::new(0),
        was_ready: AtomicBool::new(false),
    })))
}

impl Service {
    /// The service behind its guard, with its feed.
    pub fn guard(&self) -> Guard {
        self.0.guard.clone()
    }

    /// Starts the sequencer, the consumer of the users feed, the own feed and the jobs.
    pub fn start(&self) {
        let inner = &self.0;
        inner.tasks.spawn(inner.auth.sequencer.clone().run());
        inner.tasks.spawn(inner.auth.users_feed.clone().run());
        let auth = Arc::clone(&inner.auth);
        inner.tasks.spawn(inner.pruning.clone().run(move || {
            let auth = Arc::clone(&auth);
            async move { jobs::prune::prune(&auth).await.map(|rows| rows > 0) }
        }));
        let auth = Arc::clone(&inner.auth);
        inner.tasks.spawn(inner.rotation.clone().run(move || {
            let auth = Arc::clone(&auth);
            async move { jobs::rotate::rotate(&auth).await.map(|steps| steps > 0) }
        }));
        for records in &inner.auth.records {
            inner.tasks.spawn(records.clone().run());
        }
        let auth = Arc::clone(&inner.auth);
        inner.tasks.spawn(inner.chaining.clone().run(move || {
            let auth = Arc::clone(&auth);
            async move { jobs::chain::chain(&auth).await.map(|entries| entries > 0) }
        }));
        let auth = Arc::clone(&inner.auth);
        inner.tasks.spawn(inner.anchoring.clone().run(move || {
            let auth = Arc::clone(&auth);
            async move { jobs::anchor::anchor(&auth).await }
        }));
        let auth = Arc::clone(&inner.auth);
        inner.tasks.spawn(inner.erasing.clone().run(move || {
            let auth = Arc::clone(&auth);
            async move { jobs::erase_audit::erase(&auth).await }
        }));
        let follower = inner.follower.clone();
        inner.tasks.spawn(follower.run(inner.tasks.clone()));
        let own_feed = inner.own_feed.clone();
        inner.tasks.spawn(own_feed.read_keys(inner.tasks.clone()));
    }

    /// Does everything that is due, once: consumes the feeds to their heads, prunes, moves the keys,
    /// chains and erases in the audit log, stamps what was emitted. True when anything was done.
    ///
    /// # Errors
    /// Those of the feed and of the database.
    pub async fn drain(&self) -> Result<bool, stoa_feed::Error> {
        let inner = &self.0;
        let position = inner.auth.users_feed.catch_up().await?;
        for records in &inner.auth.records {
            records.catch_up().await?;
        }
        let before = inner.drained.swap(position, Ordering::SeqCst);
        let pruned = jobs::prune::prune(&inner.auth).await?;
        let moved = jobs::rotate::rotate(&inner.auth)
            .await
            .map_err(stoa_feed::Error::effect)?;
        if moved > 0 {
            let read = inner.auth.tokens.keys.now().await;
            read.map_err(stoa_feed::Error::effect)?;
        }
        let chained = jobs::chain::chain(&inner.auth).await?;
        let erased = jobs::erase_audit::erase(&inner.auth).await?;
        let stamped = inner.auth.sequencer.pass().await?;
        let audited = chained > 0 || erased;
        Ok(position != before || pruned > 0 || moved > 0 || stamped > 0 || audited)
    }

    /// Whether the users feed has been caught up with once, and still can be read: an outage of
    /// users later on does not take auth away from those who only refresh.
    pub fn is_ready(&self) -> bool {
        let feed = &self.0.auth.users_feed;
        if feed.is_caught_up() {
            self.0.was_ready.store(true, Ordering::SeqCst);
        }
        self.0.was_ready.load(Ordering::SeqCst) && !feed.is_stopped()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;
    use stoa_credentials::Cost;
    use stoa_proto::Class;
    use stoa_proto::auth::auth_client::AuthClient;
    use stoa_proto::auth::{GrantAnonymousRequest, SnapshotRequest};
    use stoa_rpc::LocalSlot;
    use stoa_types::id::RequestId;
    use stoa_types::{ManualClock, OsEntropy, Timestamp};

    async fn start(
        db: Db,
        master_key: [u8; 32],
        lifetimes: Lifetimes,
        marketplace: MarketplaceId,
    ) -> Result<Service, BuildError> {
        let clock = Arc::new(ManualClock::starting_at(Timestamp::from_ms(0)));
        let entropy = Arc::new(OsEntropy);
        build(Deps {
            db,
            clock: clock.clone(),
            real_clock: clock.clone(),
            identity: Identity::ephemeral("auth", marketplace, clock, &OsEntropy),
            trust: Trust::new(),
            tasks: Tasks::new(),
            users: LocalSlot::new().peer(),
            listings: LocalSlot::new().peer(),
            transactions: LocalSlot::new().peer(),
            hasher: PasswordHasher::new(Cost::Test, 1, entropy.clone()),
            entropy,
            master_key,
            lifetimes,
            allow_short_lifetimes: false,
            development: true,
        })
        .await
    }

    stoa_testkit::on_every_engine! { store::MIGRATIONS;
        // contract: security S10 (short lives), security S67
        async fn a_start_that_cannot_work_is_refused(db: Db) {
            let (fine, marketplace) = (Lifetimes::default(), MarketplaceId::random(&OsEntropy));
            let early = start(db.clone(), [7; 32], fine, marketplace).await;
            assert!(matches!(early, Err(BuildError::NotBootstrapped)));
            let world = World::new(db.clone()).await;
            let other = start(db.clone(), [7; 32], fine, marketplace).await;
            assert!(matches!(other, Err(BuildError::OtherMarketplace { .. })));
            let marketplace = world.auth.identity.marketplace();
            let other_key = start(db.clone(), [8; 32], fine, marketplace).await;
            assert!(matches!(other_key, Err(BuildError::Keys(BadKeys::OtherMasterKey { .. }))));
            let short = Lifetimes { access_s: 60, ..fine };
            let short = start(db.clone(), [7; 32], short, marketplace).await;
            assert!(matches!(short, Err(BuildError::Lifetimes(_))));
            assert!(start(db, [7; 32], fine, marketplace).await.is_ok());
        }

        // contract: security S64
        async fn the_gateway_gets_tokens_through_the_guard_and_others_nothing(db: Db) {
            let world = World::new(db).await;
            assert!(!world.service.is_ready());
            let marketplace = world.auth.identity.marketplace();
            let gateway = || {
                Identity::ephemeral("gateway", marketplace, world.clock.clone(), &OsEntropy)
            };
            let (known, unknown) = (gateway(), gateway());
            world.trust.add(&known);
            let slot = LocalSlot::new();
            slot.fill(world.service.guard());
            let grant = async |from: &Identity| {
                let own = from.own(Class::Read, RequestId::random(&OsEntropy));
                let message = GrantAnonymousRequest {
                    client_id: world.born.marketplace_client_id.to_string(),
                    client_secret: None,
                };
                AuthClient::new(slot.peer())
                    .grant_anonymous(own.request(message))
                    .await
            };
            assert_eq!(grant(&known).await.unwrap().into_inner().scope, "public-read");
            let refused = stoa_rpc::status::from_status(&grant(&unknown).await.unwrap_err());
            assert_eq!(refused.status(), 503, "never a 401");
            let own = known.own(Class::Read, RequestId::random(&OsEntropy));
            let mut client = AuthClient::new(slot.peer());
            let snapshot = client.snapshot(own.request(SnapshotRequest {})).await.unwrap();
            assert_eq!(snapshot.into_inner().position, 2);
            assert!(world.service.is_ready(), "the snapshot waited for the users feed");
        }
    }
}
