//! An installation with a clock that is moved by hand and a users service that is played.

use crate::bootstrap::bootstrap;
use crate::domain::lifetimes::Lifetimes;
use crate::domain::settings_change::Use;
use crate::preset::{DevCredentials, Preset};
use crate::{Auth, Deps, Service, build};
use parking_lot::Mutex;
use prost::Message as _;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use stoa_credentials::{Cost, PasswordHasher};
use stoa_db::{Db, DbConfig, FromRow, Synchronous, sql};
use stoa_feed::{EnvelopeBuilder, FeedService, Origin, Sequencer, Wiring};
use stoa_policy::{Actor, Level};
use stoa_proto::events::{Envelope, envelope::Payload};

use stoa_proto::users::users_server::{Users, UsersServer};
use stoa_proto::{Class, auth as pb, users};
use stoa_rpc::access_token::AccessClaims;
use stoa_rpc::{Caller, Guard, GuardSettings, Identity, LocalSlot, Peer, Tasks, Trust};
use stoa_types::id::{ClientId, OperatorId, RequestId, SessionId, UserId};
use stoa_types::{Clock as _, ManualClock, OsEntropy, Problems, SeededEntropy, Timestamp};
use tonic::service::Routes;
use tonic::{Request, Response, Status};

pub(crate) const EMAIL: &str = "alice@example.com";
pub(crate) const PASSWORD: &str = "correct horse";
/// What every answer to a wrong credential looks like.
pub(crate) const UNAUTHORIZED: (u16, &str) = (401, "unauthorized");

/// auth over a real store.
pub(crate) struct World {
    pub(crate) service: Service,
    pub(crate) auth: Arc<Auth>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) entropy: Arc<SeededEntropy>,
    pub(crate) born: DevCredentials,
    pub(crate) users: PlayedUsers,
    pub(crate) listings: PlayedFeed,
    pub(crate) transactions: PlayedFeed,
    pub(crate) trust: Trust,
    _folder: tempfile::TempDir,
}

/// Handlers are called as the generated server calls them.
pub(crate) type Told<T> = Result<T, (u16, String)>;

/// Status and code of a refusal.
pub(crate) fn told<T>(answer: Result<T, crate::error::Error>) -> Told<T> {
    answer.map_err(|error| {
        let problems = Problems::from(error);
        (problems.status(), problems.as_slice()[0].code.to_string())
    })
}

/// Status and code, for comparing with [`told`].
pub(crate) fn refusal<T: std::fmt::Debug>(answer: Told<T>) -> (u16, String) {
    answer.expect_err("it should be refused")
}

impl World {
    /// A marketplace with one user.
    pub(crate) async fn new(db: Db) -> Self {
        Self::with(db, Lifetimes::default()).await
    }

    /// The same for real: environment and TLS are guarded.
    pub(crate) async fn served(db: Db) -> Self {
        Self::made(db, Lifetimes::default(), false).await
    }

    pub(crate) async fn with(db: Db, lifetimes: Lifetimes) -> Self {
        Self::made(db, lifetimes, true).await
    }

    async fn made(db: Db, lifetimes: Lifetimes, development: bool) -> Self {
        let clock = Arc::new(ManualClock::starting_at(Timestamp::from_ms(
            1_800_000_000_000,
        )));
        let entropy = Arc::new(SeededEntropy::new(11));
        let hasher = PasswordHasher::new(Cost::Test, 2, entropy.clone());
        let preset = Preset {
            born_in_dev: true,
            operator_email: Some("owner@example.com".into()),
            ..Preset::default()
        };
        let installation = bootstrap(&db, &preset, &hasher, &[7; 32], &*clock, &*entropy)
            .await
            .unwrap();
        let marketplace = installation.marketplace_id;
        if !development {
            db.write(|tx| async move {
                let adopted = sql("UPDATE installation SET born_in_dev = FALSE");
                tx.execute(adopted).await.map(drop)
            })
            .await
            .unwrap();
        }
        let identity = |name| Identity::ephemeral(name, marketplace, clock.clone(), &OsEntropy);
        let (mine, theirs) = (identity("auth"), identity("users"));
        let trust = Trust::new();
        trust.add(&mine);
        let folder = tempfile::tempdir().unwrap();
        let listings = PlayedFeed::new(&folder, identity("listings"), &trust, clock.clone()).await;
        let transactions =
            PlayedFeed::new(&folder, identity("transactions"), &trust, clock.clone()).await;
        let users = PlayedUsers::new(&folder, theirs, &trust, clock.clone()).await;
        let service = build(Deps {
            db,
            clock: clock.clone(),
            real_clock: clock.clone(),
            entropy: entropy.clone(),
            identity: mine,
            trust: trust.clone(),
            tasks: Tasks::new(),
            users: users.peer.clone(),
            listings: listings.peer.clone(),
            transactions: transactions.peer.clone(),
            hasher,
            master_key: [7; 32],
            lifetimes,
            allow_short_lifetimes: true,
            development,
        })
        .await
        .unwrap();
        Self {
            auth: Arc::clone(&service.0.auth),
            service,
            clock,
            entropy,
            born: installation.born.unwrap(),
            users,
            listings,
            transactions,
            trust,
            _folder: folder,
        }
    }

    /// A second replica on the same store.
    pub(crate) async fn replica(&self, db: Db) -> Service {
        let identity = self.auth.identity.clone();
        let trust = Trust::new();
        trust.add(&identity);
        build(Deps {
            db,
            clock: self.clock.clone(),
            real_clock: self.clock.clone(),
            entropy: Arc::new(SeededEntropy::new(12)),
            identity,
            trust,
            tasks: Tasks::new(),
            users: self.users.peer.clone(),
            listings: self.listings.peer.clone(),
            transactions: self.transactions.peer.clone(),
            hasher: self.auth.hasher.clone(),
            master_key: [7; 32],
            lifetimes: self.auth.tokens.lifetimes,
            allow_short_lifetimes: true,
            development: self.auth.place == Use::Play,
        })
        .await
        .unwrap()
    }

    /// The gateway before anybody is authenticated.
    pub(crate) fn nobody(&self) -> Caller {
        self.caller(Actor::anonymous(None))
    }

    pub(crate) fn caller(&self, actor: Actor) -> Caller {
        let request = RequestId::random(&*self.entropy);
        Caller::for_test(actor, Class::Command, Some(request))
    }

    /// The user of a token, as the gateway would name it.
    pub(crate) fn user(&self, claims: &AccessClaims) -> Caller {
        let user = UserId::parse(claims.sub.strip_prefix("user:").unwrap()).unwrap();
        let mut actor = Actor::user(
            Level::User,
            user,
            claims.client_id.unwrap(),
            claims.sid.unwrap(),
        );
        actor.user_epoch = claims.uep.unwrap();
        self.caller(actor)
    }

    /// Claims of a token that this installation signed.
    pub(crate) fn claims(&self, token: &str) -> AccessClaims {
        let kid = stoa_rpc::keys::header(token).unwrap().kid;
        let ring = self.auth.tokens.keys.ring();
        ring.verifying(&kid).unwrap().verify(token).unwrap()
    }

    pub(crate) fn sid(&self, tokens: &pb::TokenSet) -> SessionId {
        self.claims(&tokens.access_token).sid.unwrap()
    }

    /// Time passes.
    pub(crate) fn pass_s(&self, s: i64) {
        self.clock.advance_ms(s * 1000);
    }

    /// The first row of a statement.
    pub(crate) async fn row<T: FromRow>(&self, text: &'static str) -> T {
        self.auth.db.one_as(sql(text)).await.unwrap()
    }

    pub(crate) async fn run(&self, statement: stoa_db::Sql) {
        let statement = &statement;
        self.auth
            .db
            .write(|tx| async move { tx.execute(statement.clone()).await.map(drop) })
            .await
            .unwrap();
    }

    /// Every envelope in auth's outbox, in the order of writing.
    pub(crate) async fn envelopes(&self) -> Vec<Envelope> {
        let rows: Vec<(Vec<u8>,)> = self
            .auth
            .db
            .all_as(sql("SELECT envelope FROM outbox ORDER BY ordinal"))
            .await
            .unwrap();
        rows.iter()
            .map(|(bytes,)| Envelope::decode(bytes.as_slice()).unwrap())
            .collect()
    }

    /// Kind, key and reason of every revocation that was emitted.
    pub(crate) async fn revoked(&self) -> Vec<(String, String, String)> {
        self.envelopes()
            .await
            .into_iter()
            .filter_map(|envelope| match envelope.payload {
                Some(Payload::Revocation(r)) => Some((r.kind, r.key, r.reason)),
                _ => None,
            })
            .collect()
    }

    /// An operator with this role.
    pub(crate) async fn operator(&self, role: stoa_policy::Role) -> Caller {
        let id = OperatorId::random(&*self.entropy);
        let operator = crate::store::operators::Operator {
            id,
            password_hash: "$none".into(),
            role,
            epoch: 0,
            disabled: false,
        };
        let (operator, email, now) = (&operator, format!("{id}@example.com"), self.clock.now());
        let email = &email;
        self.auth
            .db
            .write(|tx| async move {
                crate::store::operators::put_operator(&tx, operator, email, now).await
            })
            .await
            .unwrap();
        self.caller(Actor::operator(id, role))
    }

    /// Makes an application through the RPC.
    pub(crate) async fn application(&self, owner: &Caller) -> pb::Application {
        use stoa_proto::auth::auth_server::Auth as _;
        let mut request = Request::new(pb::CreateApplicationRequest {
            kind: "integration".into(),
            name: "Robot".into(),
            ..pb::CreateApplicationRequest::default()
        });
        request.extensions_mut().insert(owner.clone());
        let rpc = crate::rpc::Rpc(Arc::clone(&self.auth));
        rpc.create_application(request).await.unwrap().into_inner()
    }

    /// The entries of an action, newest first, as an operator reads them.
    pub(crate) async fn audited(&self, action: &str) -> Vec<pb::AuditEntry> {
        use stoa_proto::auth::auth_server::Auth as _;
        let mut request = Request::new(pb::QueryAuditRequest {
            action: Some(action.to_owned()),
            ..pb::QueryAuditRequest::default()
        });
        let reader = self.operator(stoa_policy::Role::ReadOnly).await;
        request.extensions_mut().insert(reader);
        let rpc = crate::rpc::Rpc(Arc::clone(&self.auth));
        let answer = rpc.query_audit(request).await.unwrap().into_inner();
        answer.entries
    }

    /// Another Marketplace application with its secret.
    pub(crate) async fn another_application(&self, trusted: bool) -> (ClientId, String) {
        use crate::domain::application::{Application, Kind, Secret};
        let text = stoa_credentials::secret::generate("scs_", &*self.entropy);
        let id = ClientId::random(&*self.entropy);
        let secret = Secret::new(&text, self.clock.now(), &*self.entropy);
        let application = Application {
            trusted,
            ..Application::new(id, Kind::Marketplace, "Other", secret)
        };
        let new = &application;
        self.auth
            .db
            .write(|tx| async move { crate::store::applications::put_application(&tx, new).await })
            .await
            .unwrap();
        (application.id, text)
    }
}

/// Plays another service as far as its feed goes.
pub(crate) struct PlayedFeed {
    wiring: Wiring,
    sequencer: Sequencer,
    peer: Peer,
}

impl PlayedFeed {
    async fn new(
        folder: &tempfile::TempDir,
        identity: Identity,
        trust: &Trust,
        clock: Arc<ManualClock>,
    ) -> Self {
        let name = identity.name();
        let config = DbConfig::Sqlite {
            path: folder.path().join(format!("{name}.sqlite")),
            synchronous: Synchronous::Normal,
        };
        let db = Db::open_migrated(&config, &stoa_feed::MIGRATIONS)
            .await
            .unwrap();
        let wiring = Wiring {
            db,
            identity: identity.clone(),
            clock: clock.clone(),
            entropy: Arc::new(OsEntropy),
            tasks: Tasks::new(),
        };
        let (slot, sequencer) = (LocalSlot::new(), Sequencer::new(&wiring));
        let feed = FeedService::new(&wiring, sequencer.clone());
        slot.fill(Guard::new(
            Routes::new(feed.into_server()),
            GuardSettings {
                service: name,
                trust: trust.clone(),
                marketplace: identity.marketplace(),
                clock,
                tasks: Tasks::new(),
            },
        ));
        Self {
            wiring,
            sequencer,
            peer: slot.peer(),
        }
    }

    /// The feed tells of something.
    pub(crate) async fn tell(&self, envelope: Envelope) {
        let envelope = &envelope;
        self.wiring
            .db
            .write(|tx| async move { stoa_feed::emit(&tx, [envelope.clone()]).await })
            .await
            .unwrap();
        self.sequencer.pass().await.unwrap();
    }
}

/// Plays the users service: logins, states, and a feed of its own.
#[derive(Clone)]
pub(crate) struct PlayedUsers {
    pub(crate) alice: UserId,
    state: Arc<Mutex<State>>,
    wiring: Wiring,
    sequencer: Sequencer,
    peer: Peer,
}

struct State {
    by_id: HashMap<UserId, users::UserAccess>,
    reachable: bool,
}

impl PlayedUsers {
    async fn new(
        folder: &tempfile::TempDir,
        identity: Identity,
        trust: &Trust,
        clock: Arc<ManualClock>,
    ) -> Self {
        let config = DbConfig::Sqlite {
            path: folder.path().join("users.sqlite"),
            synchronous: Synchronous::Normal,
        };
        let db = Db::open_migrated(&config, &stoa_feed::MIGRATIONS)
            .await
            .unwrap();
        let wiring = Wiring {
            db,
            identity: identity.clone(),
            clock: clock.clone(),
            entropy: Arc::new(OsEntropy),
            tasks: Tasks::new(),
        };
        let alice = UserId::random(&OsEntropy);
        let access = users::UserAccess {
            user_id: alice.to_string(),
            version: 1,
            state: "active".into(),
            epoch: 0,
            except_sid: None,
            permissions: None,
            erase_texts: false,
        };
        let slot = LocalSlot::new();
        let sequencer = Sequencer::new(&wiring);
        let played = Self {
            alice,
            state: Arc::new(Mutex::new(State {
                by_id: HashMap::from([(alice, access)]),
                reachable: true,
            })),
            wiring: wiring.clone(),
            sequencer: sequencer.clone(),
            peer: slot.peer(),
        };
        let feed = FeedService::new(&wiring, sequencer);
        let routes = Routes::new(UsersServer::new(played.clone())).add_service(feed.into_server());
        slot.fill(Guard::new(
            routes,
            GuardSettings {
                service: "users",
                trust: trust.clone(),
                marketplace: identity.marketplace(),
                clock,
                tasks: Tasks::new(),
            },
        ));
        played
    }

    /// Somebody else signed up, who is in good standing.
    pub(crate) fn join(&self, id: UserId) {
        let mut state = self.state.lock();
        let access = users::UserAccess {
            user_id: id.to_string(),
            ..state.by_id[&self.alice].clone()
        };
        state.by_id.insert(id, access);
    }

    /// Logins get no answer from now on.
    pub(crate) fn hang_up(&self) {
        self.state.lock().reachable = false;
    }

    /// The user's state changes without a word to auth yet.
    pub(crate) fn change(&self, change: impl FnOnce(&mut users::UserAccess)) -> users::UserAccess {
        let mut state = self.state.lock();
        let access = state.by_id.get_mut(&self.alice).unwrap();
        access.version += 1;
        change(access);
        access.clone()
    }

    /// The feed tells of a state.
    pub(crate) async fn tell(&self, kind: &str, access: &users::UserAccess) {
        let envelope = EnvelopeBuilder::new(kind, &access.user_id, access.version)
            .payload(Payload::User(access.clone()))
            .build(
                &Origin::new(&Actor::system("test"), None),
                self.wiring.clock.now(),
                &OsEntropy,
            );
        let envelope = &envelope;
        self.wiring
            .db
            .write(|tx| async move { stoa_feed::emit(&tx, [envelope.clone()]).await })
            .await
            .unwrap();
        self.sequencer.pass().await.unwrap();
    }

    /// The user's state changes and the feed tells of it.
    pub(crate) async fn say(&self, kind: &str, change: impl FnOnce(&mut users::UserAccess)) {
        let access = self.change(change);
        self.tell(kind, &access).await;
    }
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<Response<T>, Status>> + Send + 'a>>;

macro_rules! not_played {
    ($($name:ident($request:ident) -> $answer:ident;)*) => {$(
        // As the attribute on the trait writes it: it does not see through this macro.
        fn $name<'s, 'a>(&'s self, _: Request<users::$request>) -> Answer<'a, users::$answer>
        where
            's: 'a,
            Self: 'a,
        {
            Box::pin(std::future::ready(Err(Status::unimplemented("not played"))))
        }
    )*};
}

#[tonic::async_trait]
impl Users for PlayedUsers {
    async fn check_password(
        &self,
        request: Request<users::CheckPasswordRequest>,
    ) -> Result<Response<users::CheckPasswordResponse>, Status> {
        let request = request.into_inner();
        let state = self.state.lock();
        if !state.reachable {
            return Err(Status::unavailable("not there"));
        }
        let known = request.email.eq_ignore_ascii_case(EMAIL) && request.password == PASSWORD;
        let user = known.then(|| state.by_id[&self.alice].clone());
        Ok(Response::new(users::CheckPasswordResponse { user }))
    }

    async fn get_access(
        &self,
        request: Request<users::GetAccessRequest>,
    ) -> Result<Response<users::UserAccess>, Status> {
        let id = UserId::parse(&request.into_inner().user_id).unwrap();
        let found = self.state.lock().by_id.get(&id).cloned();
        found
            .map(Response::new)
            .ok_or_else(|| stoa_rpc::status::to_status(&stoa_types::Problem::not_found().into()))
    }

    not_played! {
        show(ShowUserRequest) -> User;
        query(QueryUsersRequest) -> QueryUsersResponse;
        update_profile(UpdateUserProfileRequest) -> User;
        ban(UserCommandRequest) -> User;
        unban(UserCommandRequest) -> User;
        delete(UserCommandRequest) -> User;
        show_current(ShowCurrentUserRequest) -> User;
        create_current(CreateCurrentUserRequest) -> User;
        update_current_profile(UpdateCurrentProfileRequest) -> User;
        change_password(ChangePasswordRequest) -> User;
        approve(UserCommandRequest) -> User;
        update_permissions(UpdateUserPermissionsRequest) -> User;
        revoke_sessions(UserCommandRequest) -> User;
        verify_email(VerifyUserEmailRequest) -> User;
        change_email(ChangeEmailRequest) -> User;
        verify_current_email(VerifyCurrentEmailRequest) -> User;
        send_verification_email(SendVerificationEmailRequest) -> User;
        request_password_reset(RequestPasswordResetRequest) -> PasswordReset;
        reset_password(ResetPasswordRequest) -> PasswordReset;
        delete_current(DeleteCurrentUserRequest) -> User;
        batch_get(BatchGetUsersRequest) -> BatchGetUsersResponse;
        get_protected_data(GetProtectedDataRequest) -> GetProtectedDataResponse;
    }
}
