//! A service with settings and users, and calls as a story tells them.

use crate::consume::user_state::UserStates;
use crate::rpc::Rpc;
use crate::{Deps, Service, build};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use stoa_db::{Db, sql};
use stoa_feed::projections::{ActorsConsumer, settings};
use stoa_feed::{Consume as _, EnvelopeBuilder, Origin};
use stoa_policy::{Actor, Level, Role};
use stoa_proto::events::{Envelope, envelope::Payload};
use stoa_proto::listings::listings_server::Listings as _;
use stoa_proto::{Class, auth, listings as pb, users};
use stoa_rpc::{Caller, Identity, LocalSlot, Peer, Problems, Tasks, Trust, status};
use stoa_types::id::{ClientId, MarketplaceId, OperatorId, RequestId, SessionId, UserId};
use stoa_types::{Clock, Entropy, ManualClock, SeededEntropy, Timestamp};

/// The service under test, on one database.
pub(super) struct World {
    pub(super) service: Service,
    rpc: Rpc,
    pub(super) db: Db,
    pub(super) clock: Arc<ManualClock>,
    pub(super) entropy: Arc<SeededEntropy>,
    users: ActorsConsumer,
    settings: parking_lot::Mutex<auth::Settings>,
    versions: AtomicU64,
}

/// Who calls.
#[derive(Clone, Copy)]
pub(super) enum By {
    Anonymous,
    User(UserId),
    Integration,
    Operator,
}

/// Where all of this happens.
pub(super) fn marketplace() -> MarketplaceId {
    MarketplaceId::new(SeededEntropy::new(99).uuid())
}

/// Code and first key of the path of a refusal.
pub(super) type Refusal = (u16, String, Option<String>);

pub(super) type Told<T> = Result<T, Refusal>;

/// A refusal without a path.
pub(super) fn refusal(status: u16, code: &str) -> Refusal {
    (status, code.to_owned(), None)
}

impl World {
    /// A service with default settings and no users.
    pub(super) async fn new(db: Db) -> Self {
        Self::seeded(db, 1).await
    }

    async fn seeded(db: Db, seed: u64) -> Self {
        // Nobody answers: all that is asked for was told before.
        Self::with_users(db, seed, Trust::new(), LocalSlot::new().peer()).await
    }

    /// The service as one process of several, each with its own seed.
    pub(super) async fn with_users(db: Db, seed: u64, trust: Trust, users: Peer) -> Self {
        let start = Timestamp::from_ms(1_700_000_000_000);
        let clock = Arc::new(ManualClock::starting_at(start));
        let entropy = Arc::new(SeededEntropy::new(seed));
        let as_clock = || Arc::clone(&clock) as Arc<dyn Clock>;
        let identity = Identity::ephemeral("listings", marketplace(), as_clock(), &*entropy);
        trust.add(&identity);
        let service = build(Deps {
            db: db.clone(),
            clock: as_clock(),
            real_clock: as_clock(),
            entropy: Arc::clone(&entropy) as Arc<dyn Entropy>,
            identity,
            trust,
            tasks: Tasks::new(),
            users,
            auth: LocalSlot::new().peer(),
        })
        .await
        .unwrap();
        let states = UserStates {
            core: Arc::clone(&service.core),
            wake: Arc::default(),
            written: parking_lot::Mutex::default(),
        };
        let world = Self {
            rpc: Rpc(Arc::clone(&service.core)),
            service,
            db,
            clock,
            entropy,
            users: ActorsConsumer::new().with(states),
            settings: parking_lot::Mutex::default(),
            versions: AtomicU64::new(1),
        };
        if world.service.settings.latest().is_none() {
            world.set(|_| {}).await;
        }
        world
    }

    /// The same database under a service that starts anew.
    pub(super) async fn restarted(self) -> Self {
        Self::seeded(self.db, 2).await
    }

    /// Changes the settings.
    pub(super) async fn set(&self, change: impl FnOnce(&mut auth::Settings)) {
        let new = {
            let mut settings = self.settings.lock();
            settings.version += 1;
            change(&mut settings);
            settings.clone()
        };
        let new = &new;
        let write = self
            .db
            .write(|tx| async move { settings::store(&tx, new).await });
        assert!(write.await.unwrap());
        self.service.settings.reload().await.unwrap();
        self.service.indexer.follow_schemas().await.unwrap();
    }

    /// Changes what the marketplace asks of its users.
    pub(super) async fn ask(&self, change: impl FnOnce(&mut auth::AccessControl)) {
        self.set(|settings| change(settings.access_control.get_or_insert_default()))
            .await;
    }

    /// A new user in good standing.
    pub(super) async fn user(&self) -> UserId {
        let user = UserId::random(&*self.entropy);
        self.user_is(user, "active").await;
        user
    }

    /// The users service tells that a user is in this state.
    pub(super) async fn user_is(&self, user: UserId, state: &str) {
        let version = self.versions.fetch_add(1, Ordering::Relaxed);
        self.tell(&self.user_event(user, state, version)).await;
    }

    /// The event that a user is in this state.
    pub(super) fn user_event(&self, user: UserId, state: &str, version: u64) -> Envelope {
        let access = users::UserAccess {
            user_id: user.to_string(),
            version,
            state: state.to_owned(),
            permissions: Some(users::Permissions {
                post_listings: true,
                initiate_transactions: true,
                read: true,
            }),
            ..Default::default()
        };
        let kind = match state {
            "banned" => "user.banned",
            "deleted" => "user.deleted",
            _ => "user.updated",
        };
        let operator = Actor::operator(OperatorId::random(&*self.entropy), Role::Staff);
        EnvelopeBuilder::new(kind, user, version)
            .payload(Payload::User(access))
            .build(
                &Origin::new(&operator, None),
                self.clock.now(),
                &*self.entropy,
            )
    }

    /// An event of the users feed arrives.
    pub(super) async fn tell(&self, envelope: &Envelope) {
        let users = &self.users;
        self.db
            .write(|tx| async move { users.apply(&tx, envelope).await })
            .await
            .unwrap();
        self.users.committed(envelope);
    }

    /// The job removes what is due.
    pub(super) async fn work(&self) {
        self.service.removals.work().await.unwrap();
    }

    fn request<M>(&self, by: By, class: Class, message: M) -> tonic::Request<M> {
        let entropy = &*self.entropy;
        let client = ClientId::random(entropy);
        let actor = match by {
            By::Anonymous => Actor::anonymous(Some(client)),
            By::User(user) => Actor::user(Level::User, user, client, SessionId::random(entropy)),
            By::Integration => Actor::integration(client),
            By::Operator => Actor::operator(OperatorId::random(entropy), Role::Staff),
        };
        let mut request = tonic::Request::new(message);
        let rid = Some(RequestId::random(entropy));
        request
            .extensions_mut()
            .insert(Caller::for_test(actor, class, rid));
        request
    }

    /// Envelopes in the outbox, in their order.
    pub(super) async fn outbox(&self) -> Vec<Envelope> {
        self.service.sequencer.pass().await.unwrap();
        let rows: Vec<(Vec<u8>,)> = self
            .db
            .all_as("SELECT envelope FROM outbox ORDER BY position")
            .await
            .unwrap();
        rows.iter()
            .map(|(bytes,)| prost::Message::decode(bytes.as_slice()).unwrap())
            .collect()
    }

    /// Types of the public events of a listing, in their order.
    pub(super) async fn public_events(&self, id: &str) -> Vec<String> {
        let events = self
            .outbox()
            .await
            .into_iter()
            .flat_map(|e| e.public_events);
        events
            .filter(|e| e.resource_id == id)
            .map(|e| e.event_type)
            .collect()
    }

    /// Listings of a user that are not deleted.
    pub(super) async fn live_listings(&self, user: UserId) -> i64 {
        let query = sql("SELECT count(*) FROM listings WHERE author_id = $1 AND NOT deleted");
        let (count,): (i64,) = self.db.one_as(query.bind(user)).await.unwrap();
        count
    }

    pub(super) async fn create(&self, by: By, title: &str) -> Told<pb::Listing> {
        self.create_own(by, titled(title)).await
    }

    pub(super) async fn create_draft(&self, by: By, title: &str) -> Told<pb::Listing> {
        let fields = Some(titled(title));
        let request = self.request(by, Class::Command, pb::CreateOwnListingRequest { fields });
        told(self.rpc.create_draft(request).await)
    }

    pub(super) async fn create_own(&self, by: By, fields: pb::ListingFields) -> Told<pb::Listing> {
        let fields = Some(fields);
        let request = self.request(by, Class::Command, pb::CreateOwnListingRequest { fields });
        told(self.rpc.create_own(request).await)
    }

    pub(super) async fn create_for(
        &self,
        by: By,
        author: UserId,
        state: &str,
    ) -> Told<pb::Listing> {
        let message = pb::CreateListingRequest {
            fields: Some(titled("Made for someone")),
            author_id: author.to_string(),
            state: state.to_owned(),
        };
        told(
            self.rpc
                .create(self.request(by, Class::Command, message))
                .await,
        )
    }

    pub(super) async fn update(
        &self,
        by: By,
        message: pb::UpdateListingRequest,
    ) -> Told<pb::Listing> {
        told(
            self.rpc
                .update(self.request(by, Class::Command, message))
                .await,
        )
    }

    pub(super) async fn rename(&self, by: By, id: &str, title: &str) -> Told<pb::Listing> {
        let message = pb::UpdateListingRequest {
            id: id.to_owned(),
            title: Some(title.to_owned()),
            ..Default::default()
        };
        self.update(by, message).await
    }

    pub(super) async fn publish(&self, by: By, id: &str) -> Told<pb::Listing> {
        told(self.rpc.publish_draft(self.command(by, id)).await)
    }

    pub(super) async fn discard(&self, by: By, id: &str) -> Told<pb::Listing> {
        told(self.rpc.discard_draft(self.command(by, id)).await)
    }

    pub(super) async fn open(&self, by: By, id: &str) -> Told<pb::Listing> {
        told(self.rpc.open(self.command(by, id)).await)
    }

    pub(super) async fn close(&self, by: By, id: &str) -> Told<pb::Listing> {
        told(self.rpc.close(self.command(by, id)).await)
    }

    pub(super) async fn approve(&self, by: By, id: &str) -> Told<pb::Listing> {
        told(self.rpc.approve(self.command(by, id)).await)
    }

    fn command(&self, by: By, id: &str) -> tonic::Request<pb::ListingCommandRequest> {
        self.request(
            by,
            Class::Command,
            pb::ListingCommandRequest { id: id.to_owned() },
        )
    }

    pub(super) async fn show(&self, by: By, id: &str) -> Told<pb::Listing> {
        let message = pb::ShowListingRequest { id: id.to_owned() };
        told(self.rpc.show(self.request(by, Class::Read, message)).await)
    }

    pub(super) async fn show_own(&self, by: By, id: &str) -> Told<pb::Listing> {
        let message = pb::ShowListingRequest { id: id.to_owned() };
        told(
            self.rpc
                .show_own(self.request(by, Class::Read, message))
                .await,
        )
    }

    pub(super) async fn query(
        &self,
        by: By,
        message: pb::QueryListingsRequest,
    ) -> Told<pb::QueryListingsResponse> {
        told(self.rpc.query(self.request(by, Class::Read, message)).await)
    }

    pub(super) async fn query_own(
        &self,
        by: By,
        message: pb::QueryListingsRequest,
    ) -> Told<pb::QueryListingsResponse> {
        told(
            self.rpc
                .query_own(self.request(by, Class::Read, message))
                .await,
        )
    }

    pub(super) async fn related(&self, by: By, ids: &[&str]) -> Told<Vec<pb::Listing>> {
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        let request = self.request(by, Class::Read, pb::BatchGetListingsRequest { ids });
        told(self.rpc.batch_get(request).await).map(|answer| answer.listings)
    }

    pub(super) async fn for_transaction(&self, by: By, id: &str) -> Told<Option<pb::Listing>> {
        let message = pb::GetForTransactionRequest { id: id.to_owned() };
        let request = self.request(by, Class::Read, message);
        told(self.rpc.get_for_transaction(request).await).map(|answer| answer.listing)
    }

    /// Titles of what everybody finds without a filter.
    pub(super) async fn public_titles(&self) -> Vec<String> {
        titles(&self.query(By::Anonymous, Default::default()).await.unwrap())
    }
}

pub(super) fn titles(answer: &pb::QueryListingsResponse) -> Vec<String> {
    answer
        .listings
        .iter()
        .map(|listing| listing.title.clone())
        .collect()
}

pub(super) fn titled(title: &str) -> pb::ListingFields {
    pb::ListingFields {
        title: title.to_owned(),
        ..Default::default()
    }
}

fn told<M>(answer: Result<tonic::Response<M>, tonic::Status>) -> Told<M> {
    answer.map(tonic::Response::into_inner).map_err(|refused| {
        let problems: Problems = status::from_status(&refused);
        let first = &problems.as_slice()[0];
        let key = first.source.as_ref().map(|source| match &source.path[0] {
            stoa_types::PathItem::Key(key) => key.to_string(),
            stoa_types::PathItem::Index(i) => i.to_string(),
        });
        (first.status, first.code.to_string(), key)
    })
}
