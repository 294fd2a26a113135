//! Owners and readers in one process, with a clock that stands still.

use prost::Message as _;
use std::sync::{Arc, Mutex};
use stoa_db::{Db, MigrationSet, Tx, sql};
use stoa_feed::{
    Consume, EnvelopeBuilder, Error, FeedService, Needs, Origin, Sequencer, Wiring, emit,
};
use stoa_policy::Actor;
use stoa_proto::events::{Envelope, envelope::Payload};
use stoa_proto::users::{Permissions, UserAccess};
use stoa_rpc::{Guard, GuardSettings, Identity, LocalSlot, Peer, Tasks, Trust};
use stoa_types::id::{MarketplaceId, UserId};
use stoa_types::{Clock, Entropy, ManualClock, SeededEntropy, Timestamp};

const TABLES: &str = "CREATE TABLE effects (position BIGINT NOT NULL, id TEXT NOT NULL);
                      CREATE TABLE things (id TEXT PRIMARY KEY, version BIGINT NOT NULL)";

/// The room's tables beside those of a service.
pub(crate) const SET: MigrationSet = MigrationSet {
    service: "test",
    sqlite: &[("0001_effects", TABLES)],
    postgres: &[("0001_effects", TABLES)],
    others: &[&stoa_feed::MIGRATIONS],
};

pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) entropy: Arc<SeededEntropy>,
    pub(crate) marketplace: MarketplaceId,
    pub(crate) trust: Trust,
    pub(crate) tasks: Tasks,
}

/// A service that serves its feed.
pub(crate) struct Owner {
    pub(crate) sequencer: Sequencer,
    pub(crate) peer: Peer,
}

impl World {
    pub(crate) fn new() -> Self {
        let entropy = Arc::new(SeededEntropy::new(11));
        Self {
            clock: Arc::new(ManualClock::starting_at(Timestamp::from_ms(
                1_800_000_000_000,
            ))),
            marketplace: MarketplaceId::random(&*entropy),
            entropy,
            trust: Trust::new(),
            tasks: Tasks::new(),
        }
    }

    pub(crate) fn identity(&self, name: &'static str) -> Identity {
        let clock: Arc<dyn Clock> = self.clock.clone();
        let identity = Identity::ephemeral(name, self.marketplace, clock, &*self.entropy);
        self.trust.add(&identity);
        identity
    }

    pub(crate) fn wiring(&self, name: &'static str, db: &Db) -> Wiring {
        Wiring {
            db: db.clone(),
            identity: self.identity(name),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            tasks: self.tasks.clone(),
        }
    }

    pub(crate) fn guard(&self, service: &'static str, routes: tonic::service::Routes) -> Peer {
        let slot = LocalSlot::new();
        slot.fill(self.guarded(service, routes));
        slot.peer()
    }

    pub(crate) fn guarded(&self, service: &'static str, routes: tonic::service::Routes) -> Guard {
        let settings = GuardSettings {
            service,
            trust: self.trust.clone(),
            marketplace: self.marketplace,
            clock: self.clock.clone(),
            tasks: self.tasks.clone(),
        };
        Guard::new(routes, settings)
    }

    pub(crate) fn owner(&self, name: &'static str, db: &Db) -> Owner {
        let wiring = self.wiring(name, db);
        let sequencer = Sequencer::new(&wiring);
        let feed = FeedService::new(&wiring, sequencer.clone());
        let peer = self.guard(name, tonic::service::Routes::new(feed.into_server()));
        Owner { sequencer, peer }
    }

    pub(crate) fn envelope(&self, kind: &str, aggregate: &str, version: u64) -> Envelope {
        EnvelopeBuilder::new(kind, aggregate, version).build(
            &Origin::new(&Actor::system("test"), None),
            self.clock.now(),
            &*self.entropy,
        )
    }

    /// Lets every consumer of the users feed pass the envelopes up to a position, and time go by
    /// until they are dropped.
    pub(crate) async fn pass_and_drop(&self, wiring: &Wiring, owner: &Owner, up_to: i64) {
        const DAY_MS: i64 = 86_400_000;
        let pass = |position: i64| {
            wiring.db.write(move |tx| async move {
                tx.execute("DELETE FROM feed_readers").await?;
                for service in ["auth", "listings", "transactions", "event-log"] {
                    let row = sql(
                        "INSERT INTO feed_readers (service, cursor, position, seen_at)
                                   VALUES ($1, 'users', $2, $3)",
                    );
                    let now = self.clock.now();
                    tx.execute(row.bind(service).bind(position).bind(now))
                        .await?;
                }
                Ok::<_, stoa_db::DbError>(())
            })
        };
        for _ in 0..2 {
            pass(up_to).await.unwrap();
            owner.sequencer.drop_old().await.unwrap();
            self.clock.advance_ms(8 * DAY_MS);
        }
        owner.sequencer.pass().await.unwrap();
        let kept_after = owner.sequencer.progress().borrow().kept_after;
        assert_eq!(i64::try_from(kept_after).unwrap(), up_to);
    }

    /// `count` envelopes, a transaction each.
    pub(crate) async fn emit_many(&self, db: &Db, kind: &str, count: u64) {
        for version in 1..=count {
            emit_one(db, self.envelope(kind, "a", version)).await;
        }
    }

    pub(crate) fn user_event(&self, kind: &str, access: &UserAccess) -> Envelope {
        let mut envelope = self.envelope(kind, &access.user_id, access.version);
        envelope.payload = Some(Payload::User(access.clone()));
        envelope
    }

    pub(crate) fn user(&self) -> UserId {
        UserId::new(self.entropy.uuid())
    }
}

pub(crate) fn access(user: UserId, version: u64, state: &str) -> UserAccess {
    UserAccess {
        user_id: user.to_string(),
        version,
        state: state.into(),
        epoch: 0,
        except_sid: None,
        permissions: Some(Permissions {
            post_listings: true,
            initiate_transactions: true,
            read: true,
        }),
        erase_texts: false,
    }
}

pub(crate) async fn emit_one(db: &Db, envelope: Envelope) {
    db.write(|tx| {
        let envelope = envelope.clone();
        async move { emit(&tx, [envelope]).await }
    })
    .await
    .unwrap();
}

/// Everything that has a position, in order.
pub(crate) async fn stamped(db: &Db) -> Vec<(u64, Envelope)> {
    db.all_as::<(i64, Vec<u8>)>(
        "SELECT position, envelope FROM outbox WHERE position IS NOT NULL ORDER BY position",
    )
    .await
    .unwrap()
    .into_iter()
    .map(|(position, bytes)| {
        let envelope = Envelope::decode(bytes.as_slice()).unwrap();
        (u64::try_from(position).unwrap(), envelope)
    })
    .collect()
}

/// Positions of the effects, in order.
pub(crate) async fn effects(db: &Db) -> Vec<i64> {
    db.all_as::<(i64,)>("SELECT position FROM effects ORDER BY position")
        .await
        .unwrap()
        .into_iter()
        .map(|(position,)| position)
        .collect()
}

/// Writes one row for each envelope; can fail behind the effect, as a crash before the commit.
#[derive(Clone, Default)]
pub(crate) struct Recorder {
    pub(crate) owner: &'static str,
    /// Positions whose effect is undone the next time it comes.
    pub(crate) crashes: Arc<Mutex<Vec<u64>>>,
    /// What was told after commits.
    pub(crate) told: Arc<Mutex<Vec<u64>>>,
    /// It may not miss any event.
    pub(crate) needs_events: bool,
}

impl Recorder {
    pub(crate) fn of(owner: &'static str) -> Self {
        Self {
            owner,
            ..Self::default()
        }
    }
}

#[tonic::async_trait]
impl Consume for Recorder {
    fn owner(&self) -> &'static str {
        self.owner
    }

    fn needs(&self) -> Needs {
        if self.needs_events {
            Needs::Events
        } else {
            Needs::States
        }
    }

    fn takes(&self, kind: &str) -> Option<u32> {
        (!kind.ends_with(".skipped")).then_some(1)
    }

    async fn apply(&self, tx: &Tx, envelope: &Envelope) -> Result<(), Error> {
        let row = sql("INSERT INTO effects (position, id) VALUES ($1, $2)")
            .bind(i64::try_from(envelope.position).unwrap())
            .bind(envelope.id.as_str());
        tx.execute_expecting(1, row).await?;
        let mut crashes = self.crashes.lock().unwrap();
        if let Some(at) = crashes.iter().position(|p| *p == envelope.position) {
            crashes.remove(at);
            return Err(Error::effect("a crash"));
        }
        Ok(())
    }

    fn committed(&self, envelope: &Envelope) {
        self.told.lock().unwrap().push(envelope.position);
    }
}
