//! A service without its network: handlers over a real store, a clock that is moved by hand,
//! seeded ids, and callers by their level.

use super::{Cx, create_current, delete, update_current_profile};
use crate::domain::email::Email;
use crate::error::Error;
use crate::jobs::collect_values::CollectValues;
use crate::store::totals::Totals;
use prost::Message as _;
use std::sync::Arc;
use stoa_credentials::{Cost, PasswordHasher};
use stoa_db::{Db, sql};
use stoa_feed::Wiring;
use stoa_feed::projections::{Settings, settings};
use stoa_policy::{Actor, Level, Role};
use stoa_proto::events::{Envelope, PublicEvent, envelope::Payload, resource};
use stoa_proto::{Class, auth, users as pb};
use stoa_rpc::{Caller, Identity, Tasks};
use stoa_types::id::{ClientId, MarketplaceId, OperatorId, RequestId, SessionId, UserId};
use stoa_types::{Clock, Entropy, ManualClock, Problems, SeededEntropy, Timestamp};
use tokio::sync::Notify;
use uuid::Uuid;

/// The password of every user that [`World::sign_up`] makes.
pub(crate) const PASSWORD: &str = "correct horse";

pub(crate) struct World {
    pub(crate) cx: Cx,
    pub(crate) clock: Arc<ManualClock>,
    entropy: Arc<SeededEntropy>,
}

impl World {
    /// A marketplace that asks nothing of its users.
    pub(crate) async fn new(db: Db) -> Self {
        Self::asking(db, auth::AccessControl::default()).await
    }

    /// A marketplace with these settings.
    pub(crate) async fn asking(db: Db, control: auth::AccessControl) -> Self {
        let clock = Arc::new(ManualClock::starting_at(Timestamp::from_ms(1_000_000)));
        let entropy = Arc::new(SeededEntropy::new(7));
        let marketplace = MarketplaceId::new(Uuid::from_u128(1));
        let wiring = Wiring {
            identity: Identity::ephemeral("users", marketplace, clock.clone(), &*entropy),
            db: db.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            tasks: Tasks::new(),
        };
        let known = auth::Settings {
            version: 1,
            environment: "dev".into(),
            access_control: Some(control),
            ..auth::Settings::default()
        };
        let known = &known;
        db.write(|tx| async move { settings::store(&tx, known).await })
            .await
            .unwrap();
        let settings = Settings::new(&wiring);
        settings.reload().await.unwrap();
        let cx = Cx {
            db,
            clock: clock.clone(),
            entropy: entropy.clone(),
            passwords: PasswordHasher::new(Cost::Test, 2, entropy.clone()),
            settings,
            erased: Arc::new(Notify::new()),
            totals: Totals::new(clock.clone()),
        };
        Self { cx, clock, entropy }
    }

    /// The marketplace has these search schemas from now on, and nobody's values are collected yet.
    pub(crate) async fn declare(&self, schemas: &[auth::SearchSchema]) {
        let known = self.cx.settings.latest().unwrap();
        let next = &auth::Settings {
            version: known.version + 1,
            search_schemas: schemas.to_vec(),
            ..auth::Settings::clone(&known)
        };
        let db = &self.cx.db;
        let stored = db.write(|tx| async move { settings::store(&tx, next).await });
        assert!(stored.await.unwrap());
        self.cx.settings.reload().await.unwrap();
    }

    /// The job that follows the schemas.
    pub(crate) fn collecting(&self) -> CollectValues {
        CollectValues {
            db: self.cx.db.clone(),
            settings: self.cx.settings.clone(),
        }
    }

    /// A new user with [`PASSWORD`], first name Olli and last name Foobar.
    pub(crate) async fn sign_up(&self, email: &str) -> UserId {
        let user = self.create(create_request(email)).await.unwrap();
        UserId::parse(&user.id).unwrap()
    }

    pub(crate) async fn create(
        &self,
        request: pb::CreateCurrentUserRequest,
    ) -> Result<pb::User, Error> {
        create_current::create_current(&self.cx, self.anonymous(), request).await
    }

    /// The user changes the own profile.
    pub(crate) async fn update(&self, id: UserId, patch: pb::ProfilePatch) {
        self.try_update(id, patch).await.unwrap();
    }

    /// The user tries to change the own profile.
    pub(crate) async fn try_update(
        &self,
        id: UserId,
        patch: pb::ProfilePatch,
    ) -> Result<pb::User, Error> {
        let request = pb::UpdateCurrentProfileRequest { patch: Some(patch) };
        update_current_profile::update_current_profile(&self.cx, self.user(id), request).await
    }

    /// An operator deletes the user.
    pub(crate) async fn delete(&self, id: UserId) {
        let deleted = delete::delete(&self.cx, self.operator(), command(id));
        deleted.await.unwrap();
    }

    /// The user has asked for this address and not verified it yet.
    pub(crate) async fn await_verification(&self, id: UserId, email: &str) {
        let (email, stored) = (email.to_owned(), Email::parse(email).unwrap());
        let (email, key) = (email.as_str(), stored.key().as_str());
        let both = self.cx.db.write(|tx| async move {
            let pending = sql("UPDATE users SET pending_email = $2 WHERE id = $1");
            tx.execute_expecting(1, pending.bind(id).bind(email))
                .await?;
            let take =
                sql("INSERT INTO addresses (email_key, user_id, kind) VALUES ($1, $2, 'pending')");
            tx.execute_expecting(1, take.bind(key).bind(id)).await
        });
        both.await.unwrap();
    }

    pub(crate) fn anonymous(&self) -> Caller {
        self.caller(Actor::anonymous(Some(client())))
    }

    pub(crate) fn user(&self, id: UserId) -> Caller {
        self.caller(Actor::user(Level::User, id, client(), session(1)))
    }

    pub(crate) fn trusted(&self, id: UserId) -> Caller {
        self.caller(Actor::user(Level::TrustedUser, id, client(), session(1)))
    }

    pub(crate) fn integration(&self) -> Caller {
        self.caller(Actor::integration(client()))
    }

    pub(crate) fn operator(&self) -> Caller {
        let id = OperatorId::new(Uuid::from_u128(9));
        self.caller(Actor::operator(id, Role::Staff))
    }

    pub(crate) fn system(&self) -> Caller {
        self.caller(Actor::system("auth"))
    }

    pub(crate) fn caller(&self, actor: Actor) -> Caller {
        let request = RequestId::random(&*self.entropy);
        Caller::for_test(actor, Class::Command, Some(request))
    }

    /// Everything that was emitted, oldest first.
    pub(crate) async fn envelopes(&self) -> Vec<Envelope> {
        let rows: Vec<(Vec<u8>,)> = self
            .cx
            .db
            .all_as("SELECT envelope FROM outbox ORDER BY ordinal")
            .await
            .unwrap();
        let decode = |(bytes,): (Vec<u8>,)| Envelope::decode(bytes.as_slice()).unwrap();
        rows.into_iter().map(decode).collect()
    }

    /// The last envelope, its payload, and its public event if it has one.
    pub(crate) async fn last(&self) -> (Envelope, pb::UserAccess, Option<PublicEvent>) {
        let envelope = self.envelopes().await.pop().unwrap();
        let Some(Payload::User(access)) = envelope.payload.clone() else {
            panic!("every envelope of a user carries the access");
        };
        assert_eq!(access.version, envelope.aggregate_version);
        assert!(envelope.public_events.len() < 2);
        let event = envelope.public_events.first().cloned();
        (envelope, access, event)
    }

    /// The number of users, whatever their state.
    pub(crate) async fn count(&self) -> i64 {
        let (count,) = self
            .cx
            .db
            .one_as("SELECT count(*) FROM users")
            .await
            .unwrap();
        count
    }

    /// A fresh id of nobody.
    pub(crate) fn nobody(&self) -> UserId {
        UserId::new(self.entropy.uuid())
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.now().as_ms()
    }
}

pub(crate) fn create_request(email: &str) -> pb::CreateCurrentUserRequest {
    pb::CreateCurrentUserRequest {
        email: email.to_owned(),
        password: PASSWORD.to_owned(),
        first_name: "Olli".into(),
        last_name: "Foobar".into(),
        ..pb::CreateCurrentUserRequest::default()
    }
}

/// An update of the public data.
pub(crate) fn public_data(json: &str) -> pb::ProfilePatch {
    pb::ProfilePatch {
        public_data: Some(json.to_owned()),
        ..pb::ProfilePatch::default()
    }
}

pub(crate) fn command(id: UserId) -> pb::UserCommandRequest {
    pb::UserCommandRequest {
        id: id.to_string(),
        reason: None,
    }
}

/// The old values that an event shows.
#[track_caller]
pub(crate) fn previous_user(event: &PublicEvent) -> pb::User {
    let previous = event.previous.clone().and_then(|shown| shown.resource);
    match previous {
        Some(resource::Resource::User(user)) => user,
        other => panic!("no old values of a user: {other:?}"),
    }
}

pub(crate) fn client() -> ClientId {
    ClientId::new(Uuid::from_u128(5))
}

pub(crate) fn session(number: u128) -> SessionId {
    SessionId::new(Uuid::from_u128(number))
}

/// Status, code, and path of every problem of a refusal.
#[track_caller]
pub(crate) fn refusals<T: std::fmt::Debug>(outcome: Result<T, Error>) -> Vec<String> {
    let problems = Problems::from(outcome.expect_err("this is refused"));
    let text = |problem: &stoa_types::Problem| {
        let path = problem
            .source
            .as_ref()
            .map(|source| format!(" {:?}", source.path));
        format!("{problem}{}", path.unwrap_or_default())
    };
    problems.as_slice().iter().map(text).collect()
}

/// The only refusal there is.
#[track_caller]
pub(crate) fn refusal<T: std::fmt::Debug>(outcome: Result<T, Error>) -> String {
    let mut all = refusals(outcome);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}
