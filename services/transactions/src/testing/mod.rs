//! The whole service behind its guard, with callers of every level, neighbours whose states are
//! set by hand, and a clock that is moved by hand.

mod calls;
mod fakes;
mod people;

pub(crate) use calls::{initiate, step};
pub(crate) use people::*;

use crate::context::Context;
use crate::domain::ProcessAlias;
use crate::store;
use crate::{Deps, Service, build};
use fakes::{ListedFeed, Listings, Users};
use prost::Message as _;
use std::sync::Arc;
use stoa_db::{Db, sql};
use stoa_proto::events::{Envelope, envelope::Payload};
use stoa_proto::feed::feed_server::FeedServer;
use stoa_proto::{auth, listings, users};
use stoa_rpc::{Guard, GuardSettings, Identity, LocalSlot, Peer, Tasks, Trust};
use stoa_types::id::{ListingId, MarketplaceId, UserId};
use stoa_types::{Clock, Entropy, ManualClock, OsEntropy, SystemClock, Timestamp};
use tonic::service::Routes;
use uuid::Uuid;

/// A day in milliseconds.
pub(crate) const DAY: i64 = 86_400_000;
/// The alias of the shipped process that most tests run.
pub(crate) const FREE_REQUEST: &str = "free-request/release-1";

/// Who buys.
pub(crate) const CUSTOMER: UserId = UserId::new(Uuid::from_u128(0xc));
/// Who posted the listing.
pub(crate) const PROVIDER: UserId = UserId::new(Uuid::from_u128(0xb));
/// Somebody else.
pub(crate) const STRANGER: UserId = UserId::new(Uuid::from_u128(0xa));
/// The provider's listing.
pub(crate) const LISTING: ListingId = ListingId::new(Uuid::from_u128(0x11));

pub(crate) struct World {
    pub(crate) service: Service,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) listings: Listings,
    pub(crate) users: Users,
    neighbours: Neighbours,
    peer: Peer,
}

/// What outlives a restart of the service.
#[derive(Clone)]
struct Neighbours {
    gateway: Identity,
    own: Identity,
    listings_identity: Identity,
    trust: Trust,
    entropy: Arc<dyn Entropy>,
    users_feed: ListedFeed,
    auth_feed: ListedFeed,
    auth: Peer,
    users: Peer,
    listings: Peer,
}

impl World {
    /// A marketplace that asks nothing of its users; three of them and one listing.
    pub(crate) async fn new(db: Db) -> Self {
        Self::asking(db, auth::AccessControl::default()).await
    }

    /// A marketplace with these settings.
    pub(crate) async fn asking(db: Db, control: auth::AccessControl) -> Self {
        let clock = Arc::new(ManualClock::starting_at(Timestamp::from_ms(
            1_767_225_600_000,
        )));
        let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy);
        let marketplace = MarketplaceId::new(Uuid::from_u128(1));
        let real: Arc<dyn Clock> = Arc::new(SystemClock);
        let identity = |name| Identity::ephemeral(name, marketplace, Arc::clone(&real), &*entropy);
        let (gateway, own) = (identity("gateway"), identity("transactions"));
        let trust = Trust::new();
        trust.add(&gateway);
        trust.add(&own);
        let listings_identity = identity("listings");
        trust.add(&listings_identity);
        let (listings, users) = (Listings::default(), Users::default());
        let (users_feed, auth_feed) = (ListedFeed::default(), ListedFeed::default());
        let neighbour = |name, routes| {
            let settings = GuardSettings {
                service: name,
                trust: trust.clone(),
                marketplace,
                clock: Arc::clone(&real),
                tasks: Tasks::new(),
            };
            peer(Guard::new(routes, settings))
        };
        let neighbours = Neighbours {
            auth: neighbour("auth", Routes::new(FeedServer::new(auth_feed.clone()))),
            users: neighbour(
                "users",
                Routes::new(users.clone()).add_service(FeedServer::new(users_feed.clone())),
            ),
            listings: neighbour("listings", Routes::new(listings.clone())),
            gateway,
            own,
            listings_identity,
            trust,
            entropy,
            users_feed,
            auth_feed,
        };
        neighbours.auth_feed.push(Envelope {
            id: Uuid::from_u128(7).to_string(),
            r#type: "settings.changed".into(),
            payload: Some(Payload::Settings(auth::Settings {
                version: 1,
                environment: "dev".into(),
                access_control: Some(control),
                ..auth::Settings::default()
            })),
            ..Envelope::default()
        });
        let world = Self::started(db, clock, listings, users, neighbours).await;
        for user in [CUSTOMER, PROVIDER, STRANGER] {
            world.set_user(
                user,
                "active",
                users::Permissions {
                    post_listings: true,
                    initiate_transactions: true,
                    read: true,
                },
            );
        }
        world.put_listing(LISTING, PROVIDER, "published");
        world.drain().await;
        world
    }

    /// A second process of the service on the same database, whose clocks are ahead by so much.
    pub(crate) async fn ahead_by(&self, ms: i64) -> Self {
        let real = ManualClock::over(SystemClock);
        real.advance_ms(ms);
        let domain = ManualClock::starting_at(self.clock.now().plus_ms(ms));
        Self::clocked(
            self.cx().db.clone(),
            Arc::new(domain),
            Arc::new(real),
            self.listings.clone(),
            self.users.clone(),
            self.neighbours.clone(),
        )
        .await
    }

    async fn started(
        db: Db,
        clock: Arc<ManualClock>,
        listings: Listings,
        users: Users,
        neighbours: Neighbours,
    ) -> Self {
        Self::clocked(
            db,
            clock,
            Arc::new(SystemClock),
            listings,
            users,
            neighbours,
        )
        .await
    }

    async fn clocked(
        db: Db,
        clock: Arc<ManualClock>,
        real_clock: Arc<dyn Clock>,
        listings: Listings,
        users: Users,
        neighbours: Neighbours,
    ) -> Self {
        let service = build(Deps {
            db,
            clock: clock.clone(),
            real_clock,
            entropy: Arc::clone(&neighbours.entropy),
            identity: neighbours.own.clone(),
            trust: neighbours.trust.clone(),
            tasks: Tasks::new(),
            auth: neighbours.auth.clone(),
            users: neighbours.users.clone(),
            listings: neighbours.listings.clone(),
        })
        .await
        .unwrap();
        let peer = peer(service.guard());
        Self {
            service,
            clock,
            listings,
            users,
            neighbours,
            peer,
        }
    }

    /// A second process of the service on the same database, or the same one after a restart.
    pub(crate) async fn again(&self) -> Self {
        self.replica(self.cx().db.clone()).await
    }

    /// A second process of the service, with connections of its own to the same database.
    pub(crate) async fn replica(&self, db: Db) -> Self {
        Self::started(
            db,
            Arc::clone(&self.clock),
            self.listings.clone(),
            self.users.clone(),
            self.neighbours.clone(),
        )
        .await
    }

    pub(crate) fn cx(&self) -> &Context {
        &self.service.0.context
    }

    /// Everything that is due, until nothing is.
    pub(crate) async fn drain(&self) {
        while self.service.drain().await.unwrap() {}
    }

    /// Lets domain time pass, then does what is due.
    pub(crate) async fn pass(&self, ms: i64) {
        self.clock.advance_ms(ms);
        self.drain().await;
    }

    /// Makes a user, or the next state of one; told by the feed.
    pub(crate) fn set_user(&self, user: UserId, state: &str, permissions: users::Permissions) {
        self.say_user(
            user,
            users::UserAccess {
                state: state.into(),
                permissions: Some(permissions),
                ..users::UserAccess::default()
            },
        );
    }

    /// A user is deleted, where texts go with their writers.
    pub(crate) async fn erase_with_texts(&self, user: UserId) {
        self.say_user(
            user,
            users::UserAccess {
                state: "deleted".into(),
                erase_texts: true,
                ..users::UserAccess::default()
            },
        );
        self.drain().await;
    }

    fn say_user(&self, user: UserId, access: users::UserAccess) {
        let mut states = self.users.states.lock();
        let version = states
            .get(&user.to_string())
            .map_or(1, |known| known.version + 1);
        let access = users::UserAccess {
            user_id: user.to_string(),
            version,
            ..access
        };
        states.insert(user.to_string(), access.clone());
        self.neighbours.users_feed.push(Envelope {
            id: Uuid::from_u128(u128::from(version) << 64 | user.uuid().as_u128()).to_string(),
            r#type: match access.state.as_str() {
                "deleted" => "user.deleted",
                "banned" => "user.banned",
                _ => "user.updated",
            }
            .into(),
            aggregate_id: user.to_string(),
            aggregate_version: version,
            payload: Some(Payload::User(access)),
            ..Envelope::default()
        });
    }

    /// A user's new state, already known here.
    pub(crate) async fn becomes(&self, user: UserId, state: &str) {
        let all = users::Permissions {
            post_listings: true,
            initiate_transactions: true,
            read: true,
        };
        self.set_user(user, state, all);
        self.drain().await;
    }

    pub(crate) fn put_listing(&self, id: ListingId, author: UserId, state: &str) {
        let listing = listings::Listing {
            id: id.to_string(),
            state: state.into(),
            author_id: author.to_string(),
            ..listings::Listing::default()
        };
        self.listings.0.lock().insert(id.to_string(), listing);
    }

    /// Adds a process under the alias `<name>/release-1`.
    pub(crate) async fn install(&self, name: &str, edn: &str) {
        let alias = ProcessAlias {
            process: name.into(),
            alias: "release-1".into(),
        };
        let now = self.clock.now();
        let alias = &alias;
        let added = self
            .cx()
            .db
            .write(|tx| async move { store::processes::install(&tx, alias, edn, now).await });
        assert!(added.await.unwrap());
    }

    /// Everything that was emitted, oldest first.
    pub(crate) async fn envelopes(&self) -> Vec<Envelope> {
        let rows: Vec<(Vec<u8>,)> = self
            .cx()
            .db
            .all_as("SELECT envelope FROM outbox ORDER BY ordinal")
            .await
            .unwrap();
        rows.into_iter()
            .map(|(bytes,)| Envelope::decode(bytes.as_slice()).unwrap())
            .collect()
    }

    /// How many transactions a user initiated, as others were told.
    pub(crate) async fn envelopes_of(&self, user: UserId) -> usize {
        let user = user.to_string();
        let all = self.envelopes().await;
        let by = |e: &&Envelope| e.actor.as_ref().is_some_and(|actor| actor.user_id == user);
        all.iter().filter(by).count()
    }

    /// Types of the public events of the last envelope.
    pub(crate) async fn last_events(&self) -> Vec<String> {
        let last = self.envelopes().await.pop().unwrap();
        last.public_events
            .into_iter()
            .map(|event| event.event_type)
            .collect()
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.cx().db.engine() == stoa_db::Engine::Postgres
    }

    /// How many rows a table has.
    pub(crate) async fn count(&self, statement: &'static str) -> i64 {
        let (count,): (i64,) = self.cx().db.one_as(sql(statement)).await.unwrap();
        count
    }
}

fn peer(guard: Guard) -> Peer {
    let slot = LocalSlot::new();
    slot.fill(guard);
    slot.peer()
}
