//! The service and four owners with feeds of their own, in one process.

use std::collections::HashMap;
use std::sync::Arc;
use stoa_db::{Db, DbConfig, Synchronous};
use stoa_event_log::{Deps, Service};
use stoa_feed::{EnvelopeBuilder, FeedService, Origin, Sequencer, Wiring, emit};
use stoa_policy::Actor;
use stoa_proto::Class;
use stoa_proto::auth::Settings;
use stoa_proto::event_log::event_log_client::EventLogClient;
use stoa_proto::event_log::{QueryEventsRequest, QueryEventsResponse};
use stoa_proto::events::{Envelope, PublicEvent, Resource, envelope::Payload, resource};
use stoa_proto::listings::Listing;
use stoa_rpc::{Credentials, Guard, GuardSettings, Identity, LocalSlot, Peer, Tasks, Trust};
use stoa_types::id::{ClientId, MarketplaceId, RequestId, UserId};
use stoa_types::{Clock, Entropy, ManualClock, SeededEntropy, Timestamp};

pub(crate) const MARK: &str = "Secret title";

pub(crate) struct World {
    clock: Arc<dyn Clock>,
    entropy: Arc<SeededEntropy>,
    marketplace: MarketplaceId,
    trust: Trust,
    gateway: Identity,
    owners: HashMap<&'static str, Owner>,
    folder: tempfile::TempDir,
}

struct Owner {
    db: Db,
    peer: Peer,
}

/// A running program of the service; another one on the same database is a restart.
pub(crate) struct Running {
    pub(crate) service: Service,
    pub(crate) tasks: Tasks,
    peer: Peer,
    credentials: Credentials,
}

impl World {
    pub(crate) async fn new() -> Self {
        let entropy = Arc::new(SeededEntropy::new(3));
        let now = Timestamp::from_ms(1_800_000_000_000);
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::starting_at(now));
        let marketplace = MarketplaceId::random(&*entropy);
        let trust = Trust::new();
        let gateway = Identity::ephemeral("gateway", marketplace, Arc::clone(&clock), &*entropy);
        trust.add(&gateway);
        let mut world = Self {
            clock,
            entropy,
            marketplace,
            trust,
            gateway,
            owners: HashMap::new(),
            folder: tempfile::tempdir().unwrap(),
        };
        for name in ["auth", "users", "listings", "transactions"] {
            let owner = world.owner(name).await;
            world.owners.insert(name, owner);
        }
        let settings = Settings {
            version: 1,
            environment: "test".into(),
            ..Settings::default()
        };
        let told = EnvelopeBuilder::new("settings.changed", "settings", 1)
            .payload(Payload::Settings(settings));
        world.emit("auth", world.finish(told)).await;
        world
    }

    async fn owner(&self, name: &'static str) -> Owner {
        let config = DbConfig::Sqlite {
            path: self.folder.path().join(name),
            synchronous: Synchronous::Normal,
        };
        let db = Db::open_migrated(&config, &stoa_feed::MIGRATIONS)
            .await
            .unwrap();
        let wiring = Wiring {
            db: db.clone(),
            identity: self.identity(name),
            clock: Arc::clone(&self.clock),
            entropy: self.entropy.clone(),
            tasks: Tasks::new(),
        };
        let sequencer = Sequencer::new(&wiring);
        // Stamps after each commit; ends with the test.
        wiring.tasks.spawn(sequencer.clone().run());
        let feed = FeedService::new(&wiring, sequencer);
        let routes = tonic::service::Routes::new(feed.into_server());
        let settings = GuardSettings {
            service: name,
            trust: self.trust.clone(),
            marketplace: self.marketplace,
            clock: Arc::clone(&self.clock),
            tasks: wiring.tasks,
        };
        let slot = LocalSlot::new();
        slot.fill(Guard::new(routes, settings));
        Owner {
            db,
            peer: slot.peer(),
        }
    }

    fn identity(&self, name: &'static str) -> Identity {
        let clock = Arc::clone(&self.clock);
        let identity = Identity::ephemeral(name, self.marketplace, clock, &*self.entropy);
        self.trust.add(&identity);
        identity
    }

    /// A program of the service on this database; nothing runs in it yet.
    pub(crate) async fn program(&self, db: &Db) -> Running {
        let tasks = Tasks::new();
        let peer = |name| self.owners[name].peer.clone();
        let service = stoa_event_log::build(Deps {
            db: db.clone(),
            real_clock: Arc::clone(&self.clock),
            entropy: self.entropy.clone(),
            identity: self.identity("event-log"),
            trust: self.trust.clone(),
            tasks: tasks.clone(),
            auth: peer("auth"),
            users: peer("users"),
            listings: peer("listings"),
            transactions: peer("transactions"),
            retention_days: None,
        })
        .await
        .unwrap();
        let slot = LocalSlot::new();
        slot.fill(service.guard());
        let client = ClientId::random(&*self.entropy);
        let request = RequestId::random(&*self.entropy);
        let actor = Actor::integration(client);
        let credentials = self
            .gateway
            .credentials(&actor, Class::Read, request, 0, None, None);
        Running {
            service,
            tasks,
            peer: slot.peer(),
            credentials,
        }
    }

    /// Commits an envelope into the outbox of an owner.
    pub(crate) async fn emit(&self, owner: &str, envelope: Envelope) {
        let told = &envelope;
        let db = &self.owners[owner].db;
        db.write(|tx| async move { emit(&tx, [told.clone()]).await })
            .await
            .unwrap();
    }

    fn finish(&self, envelope: EnvelopeBuilder) -> Envelope {
        let origin = Origin::new(&Actor::system("test"), None);
        envelope.build(&origin, self.clock.now(), &*self.entropy)
    }

    pub(crate) fn user(&self) -> UserId {
        UserId::new(self.entropy.uuid())
    }

    /// A change that shows a listing of this author.
    pub(crate) fn changed(&self, kind: &str, author: UserId) -> Envelope {
        let id = self.entropy.uuid().to_string();
        let event = PublicEvent {
            event_type: kind.replace('.', "/"),
            resource_type: "listing".into(),
            resource_id: id.clone(),
            resource: Some(Resource {
                resource: Some(resource::Resource::Listing(Listing {
                    id: id.clone(),
                    author_id: author.to_string(),
                    title: MARK.into(),
                    ..Listing::default()
                })),
            }),
            ..PublicEvent::default()
        };
        self.finish(EnvelopeBuilder::new(kind, id, 1).public_event(event))
    }

    /// The deletion of a user.
    pub(crate) fn deleted(&self, user: UserId) -> Envelope {
        let event = PublicEvent {
            event_type: "user/deleted".into(),
            resource_type: "user".into(),
            resource_id: user.to_string(),
            ..PublicEvent::default()
        };
        self.finish(EnvelopeBuilder::new("user.deleted", user, 2).public_event(event))
    }
}

impl Running {
    /// Events behind a number, over the RPC.
    pub(crate) async fn after(&self, number: u64) -> QueryEventsResponse {
        let message = QueryEventsRequest {
            start_after_sequence_id: Some(number),
            per_page: 100,
            ..QueryEventsRequest::default()
        };
        let mut client = EventLogClient::new(self.peer.clone());
        let answer = client.query(self.credentials.request(message)).await;
        answer.unwrap().into_inner()
    }

    /// Titles of all events, where they show a listing.
    pub(crate) async fn titles(&self) -> Vec<String> {
        let events = self.after(0).await.events.into_iter();
        events
            .filter_map(|logged| match logged.event?.resource?.resource? {
                resource::Resource::Listing(listing) => Some(listing.title),
                _ => None,
            })
            .collect()
    }
}
