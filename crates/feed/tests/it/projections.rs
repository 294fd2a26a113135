use crate::world::{SET, World, access, emit_one};
use std::sync::{Arc, Mutex};
use stoa_db::{Db, Tx};
use stoa_feed::projections::{
    Actors, ActorsConsumer, Settings, SettingsConsumer, UserChange, UserReaction, actors,
};
use stoa_feed::{Consume as _, Consumer, Error, Standings};
use stoa_policy::{Action, Actor, Level, Resource, Role, UserState};
use stoa_proto::auth::{AccessControl, SearchSchema};
use stoa_proto::events::{Envelope, envelope::Payload};
use stoa_proto::users::{GetAccessRequest, UserAccess};
use stoa_proto::{Class, auth};
use stoa_rpc::{Caller, Peer};
use stoa_types::Problems;
use stoa_types::id::{ClientId, OperatorId, RequestId, SessionId, UserId};

/// The users service, as far as it tells states.
#[derive(Clone, Default)]
struct Users {
    answer: Arc<Mutex<Option<UserAccess>>>,
    silent: bool,
    calls: Arc<Mutex<u32>>,
}

impl tonic::server::UnaryService<GetAccessRequest> for Users {
    type Response = UserAccess;
    type Future = std::future::Ready<Result<tonic::Response<UserAccess>, tonic::Status>>;

    fn call(&mut self, _: tonic::Request<GetAccessRequest>) -> Self::Future {
        *self.calls.lock().unwrap() += 1;
        let not_found = stoa_rpc::status::to_status(&stoa_types::Problem::not_found().into());
        let answer = self.answer.lock().unwrap().clone().ok_or(not_found);
        std::future::ready(if self.silent {
            Err(tonic::Status::unavailable("down"))
        } else {
            answer.map(tonic::Response::new)
        })
    }
}

impl Users {
    fn peer(&self, world: &World) -> Peer {
        let users = self.clone();
        let answer = move |request: http::Request<axum::body::Body>| async move {
            let codec = tonic_prost::ProstCodec::<UserAccess, GetAccessRequest>::default();
            tonic::server::Grpc::new(codec).unary(users, request).await
        };
        let router =
            axum::Router::new().route("/stoa.users.v1.Users/GetAccess", axum::routing::any(answer));
        world.guard("users", tonic::service::Routes::from(router))
    }
}

/// Remembers what it was called for.
#[derive(Clone, Default)]
struct Reaction(Arc<Mutex<Vec<String>>>);

#[tonic::async_trait]
impl UserReaction for Reaction {
    async fn apply(&self, tx: &Tx, change: UserChange<'_>) -> Result<(), Error> {
        // State first.
        let row = actors::read_for_write(tx, change.user).await?;
        assert!(row.is_some());
        self.0.lock().unwrap().push(change.kind.to_owned());
        Ok(())
    }
}

fn settings_event(world: &World, version: u64, private: bool) -> Envelope {
    let mut envelope = world.envelope("settings.changed", "settings", version);
    envelope.payload = Some(Payload::Settings(auth::Settings {
        version,
        environment: "test".into(),
        access_control: Some(AccessControl {
            private,
            ..AccessControl::default()
        }),
        search_schemas: vec![SearchSchema {
            schema_for: "listing".into(),
            key: "size".into(),
            ..SearchSchema::default()
        }],
        ..auth::Settings::default()
    }));
    envelope
}

async fn consume(db: &Db, consumer: &Arc<ActorsConsumer>, event: &Envelope) {
    db.write(|tx| {
        let (consumer, event) = (consumer.clone(), event.clone());
        async move { consumer.apply(&tx, &event).await }
    })
    .await
    .unwrap();
}

fn caller(world: &World, user: UserId, settings_version: u64) -> Caller {
    let actor = Actor::user(
        Level::User,
        user,
        ClientId::random(&*world.entropy),
        SessionId::random(&*world.entropy),
    );
    let request = RequestId::random(&*world.entropy);
    let mut caller = Caller::for_test(actor, Class::Command, Some(request));
    caller.settings_version = settings_version;
    caller
}

/// Every order of the items.
fn orders<T: Clone>(items: &[T]) -> Vec<Vec<T>> {
    if items.is_empty() {
        return vec![Vec::new()];
    }
    (0..items.len())
        .flat_map(|i| {
            let mut rest = items.to_vec();
            let first = rest.remove(i);
            orders(&rest).into_iter().map(move |mut order| {
                order.insert(0, first.clone());
                order
            })
        })
        .collect()
}

stoa_testkit::on_every_engine! { SET;
    // contract: security S45
    async fn states_end_the_same_in_every_order_and_twice(db: Db) {
        let world = World::new();
        let consumer = Arc::new(ActorsConsumer::new());
        for order in orders(&[
            ("user.banned", 2, "banned"),
            ("user.unbanned", 3, "active"),
            ("user.banned", 4, "banned"),
        ]) {
            let user = world.user();
            for (kind, version, state) in order.iter().chain(&order) {
                let event = world.user_event(kind, &access(user, *version, state));
                consume(&db, &consumer, &event).await;
            }
            let end = actors::read(&db, user).await.unwrap().unwrap();
            assert_eq!(end.state, UserState::Banned, "{order:?}");
        }
    }

    // contract: security S45
    async fn a_tombstone_stays_whatever_comes_later(db: Db) {
        let world = World::new();
        let consumer = Arc::new(ActorsConsumer::new());
        let user = world.user();
        for (kind, version, state) in [
            ("user.deleted", 5, "deleted"),
            ("user.banned", 4, "banned"),
            ("user.unbanned", 9, "active"),
        ] {
            let event = world.user_event(kind, &access(user, version, state));
            consume(&db, &consumer, &event).await;
        }
        let end = actors::read(&db, user).await.unwrap().unwrap();
        assert_eq!(end.state, UserState::Deleted);
    }

    async fn a_reaction_runs_once_per_event_in_the_order_of_versions(db: Db) {
        let world = World::new();
        let reaction = Reaction::default();
        let consumer = Arc::new(ActorsConsumer::new().with(reaction.clone()));
        let user = world.user();
        let banned = world.user_event("user.banned", &access(user, 2, "banned"));
        let unbanned = world.user_event("user.unbanned", &access(user, 3, "active"));
        for event in [&banned, &banned, &unbanned, &banned] {
            consume(&db, &consumer, event).await;
        }
        assert_eq!(*reaction.0.lock().unwrap(), ["user.banned", "user.unbanned"]);
    }

    async fn an_answer_that_overtook_the_ban_does_not_swallow_its_reaction(db: Db) {
        let world = World::new();
        let users = Users::default();
        let user = world.user();
        *users.answer.lock().unwrap() = Some(access(user, 3, "active"));
        let wiring = world.wiring("listings", &db);
        let asked = Actors::new(&wiring, users.peer(&world)).known(user).await.unwrap();
        assert_eq!(asked.unwrap().state, UserState::Active);
        let reaction = Reaction::default();
        let consumer = Arc::new(ActorsConsumer::new().with(reaction.clone()));
        let banned = world.user_event("user.banned", &access(user, 2, "banned"));
        consume(&db, &consumer, &banned).await;
        assert_eq!(*reaction.0.lock().unwrap(), ["user.banned"]);
        let kept = actors::read(&db, user).await.unwrap().unwrap();
        assert_eq!(kept.state, UserState::Active, "the newer state stays");
    }

    async fn every_part_of_a_row_comes_back(db: Db) {
        let world = World::new();
        let user = world.user();
        let session = SessionId::random(&*world.entropy);
        let mut message = access(user, 1, "pendingApproval");
        message.epoch = 7;
        message.except_sid = Some(session.to_string());
        message.permissions.as_mut().unwrap().initiate_transactions = false;
        let stored = message.clone();
        let newer = db
            .write(|tx| {
                let message = stored.clone();
                async move { actors::apply(&tx, &message).await }
            })
            .await
            .unwrap();
        assert!(newer);
        let read = actors::read(&db, user).await.unwrap().unwrap();
        assert_eq!(read, actors::decode(&message).unwrap().1);
        assert_eq!((read.epoch, read.except_session), (7, Some(session)));
        assert!(read.permissions.post_listings && !read.permissions.initiate_transactions);
        let other = world.user();
        for (one, two) in [(user, other), (other, user)] {
            let (first, second) = db
                .write(|tx| async move { actors::read_both_for_write(&tx, one, two).await })
                .await
                .unwrap();
            assert_eq!(first.is_some(), one == user);
            assert_eq!(second.is_some(), two == user);
        }
    }

    async fn an_unknown_user_is_asked_for_once_and_judged_in_the_write(db: Db) {
        let world = World::new();
        let users = Users::default();
        let user = world.user();
        *users.answer.lock().unwrap() = Some(access(user, 1, "active"));
        let wiring = world.wiring("listings", &db);
        let settings = Settings::new(&wiring);
        let actors = Actors::new(&wiring, users.peer(&world));
        let standings = Standings::new(settings.clone(), actors);
        let caller = caller(&world, user, 1);
        assert!(!settings.is_ready());
        let early: Problems = standings.prepare(&caller).await.unwrap_err().into();
        assert_eq!(early.status(), 503, "no settings yet");

        let event = settings_event(&world, 1, false);
        let Some(Payload::Settings(first)) = event.payload else { unreachable!() };
        db.write(|tx| {
            let first = first.clone();
            async move { stoa_feed::projections::settings::store(&tx, &first).await }
        })
        .await
        .unwrap();
        for _ in 0..3 {
            standings.prepare(&caller).await.unwrap();
        }
        assert_eq!(*users.calls.lock().unwrap(), 1);

        let may = |kind: &'static str, version, state: &'static str| {
            let consumer = Arc::new(ActorsConsumer::new());
            let event = world.user_event(kind, &access(user, version, state));
            let (db, standings, caller) = (db.clone(), standings.clone(), caller.clone());
            async move {
                consume(&db, &consumer, &event).await;
                db.write(|tx| {
                    let (standings, caller) = (standings.clone(), caller.clone());
                    async move {
                        let standing = standings.for_write(&tx, &caller).await?;
                        let decision = stoa_policy::require(
                            &caller.actor,
                            Action::CreateOwnListing,
                            &standing.as_standing(),
                            &Resource::None,
                        );
                        Ok::<_, Error>(decision.is_ok())
                    }
                })
                .await
                .unwrap()
            }
        };
        assert!(may("user.updated", 2, "active").await);
        assert!(!may("user.banned", 3, "banned").await);
        assert!(may("user.unbanned", 4, "active").await);
        assert!(!may("user.deleted", 5, "deleted").await);
    }

    async fn a_user_who_cannot_be_asked_for_is_503_and_one_who_does_not_exist_may_nothing(db: Db) {
        let world = World::new();
        let user = world.user();
        let wiring = world.wiring("listings", &db);
        let silent = Users { silent: true, ..Users::default() };
        let refused = Actors::new(&wiring, silent.peer(&world)).known(user).await;
        let problems: Problems = refused.unwrap_err().into();
        assert_eq!(problems.status(), 503);
        let nobody = Actors::new(&wiring, Users::default().peer(&world)).known(user).await;
        assert_eq!(nobody.unwrap(), None);
    }

    async fn an_operators_standing_is_the_role_in_the_token(db: Db) {
        let world = World::new();
        let wiring = world.wiring("listings", &db);
        let actors = Actors::new(&wiring, Users::default().peer(&world));
        let standings = Standings::new(Settings::new(&wiring), actors);
        let system = Caller::for_test(Actor::system("x"), Class::Read, None);
        assert!(standings.for_read(&system).await.is_ok(), "the system needs no settings");
        let operator = Actor::operator(OperatorId::random(&*world.entropy), Role::Staff);
        let operator = Caller::for_test(operator, Class::Read, None);
        let Some(Payload::Settings(first)) = settings_event(&world, 1, true).payload else {
            unreachable!()
        };
        db.write(|tx| {
            let first = first.clone();
            async move { stoa_feed::projections::settings::store(&tx, &first).await }
        })
        .await
        .unwrap();
        let standing = standings.for_read(&operator).await.unwrap();
        assert_eq!((standing.role, standing.user.clone()), (Some(Role::Staff), None));
        assert!(standing.settings.private);
    }

    async fn settings_arrive_by_the_feed_and_only_newer_ones_count(db: Db) {
        let world = World::new();
        let owner = world.owner("auth", &db);
        let wiring = world.wiring("users", &db);
        let settings = Settings::new(&wiring);
        assert!(settings.access().is_err() && settings.environment().is_err());
        let consumer = Consumer::new(&wiring, owner.peer, SettingsConsumer::new(&settings));
        for (version, private) in [(2, true), (1, false)] {
            emit_one(&db, settings_event(&world, version, private)).await;
        }
        consumer.catch_up().await.unwrap();
        assert!(settings.access().unwrap().private);
        assert_eq!(settings.environment().unwrap(), stoa_policy::Environment::Test);
        assert_eq!(settings.search_schemas("listing").unwrap().len(), 1);
        assert!(settings.search_schemas("transaction").unwrap().is_empty());

        // A caller who was admitted with newer settings waits for them.
        let waiting = world.tasks.spawn({
            let settings = settings.clone();
            async move { settings.at_least(3).await }
        });
        emit_one(&db, settings_event(&world, 3, false)).await;
        consumer.catch_up().await.unwrap();
        assert_eq!(waiting.await.unwrap().unwrap().version, 3);

        // What was not said is as ever.
        assert_eq!(settings.shortest_password().unwrap(), 8);
        assert_eq!((settings.marketplace_url().unwrap(), settings.mail_from().unwrap()), (None, None));
        assert!(!settings.is_reset_strict().unwrap() && !settings.blanks_texts().unwrap());
        assert_eq!(settings.builtin_email("user-joined").unwrap(), None);
        let mail = auth::BuiltinEmail {
            name: "user-joined".into(),
            subject: Some("Hi".into()),
            ..auth::BuiltinEmail::default()
        };
        let mut said = settings_event(&world, 4, false);
        if let Some(Payload::Settings(settings)) = &mut said.payload {
            settings.marketplace_url = "https://market.example".into();
            settings.mail_from = "hello@market.example".into();
            settings.password_min_length = 100;
            settings.password_reset_strict = true;
            settings.erasure_texts = "blank".into();
            settings.builtin_emails = vec![mail.clone()];
        }
        emit_one(&db, said).await;
        consumer.catch_up().await.unwrap();
        assert_eq!(settings.shortest_password().unwrap(), 64);
        assert_eq!(settings.marketplace_url().unwrap().unwrap(), "https://market.example");
        assert_eq!(settings.mail_from().unwrap().unwrap(), "hello@market.example");
        assert!(settings.is_reset_strict().unwrap() && settings.blanks_texts().unwrap());
        assert_eq!(settings.builtin_email("user-joined").unwrap(), Some(mail));

        // Another replica reads what this one stored.
        let replica = Settings::new(&wiring);
        assert_eq!(replica.at_least(4).await.unwrap().version, 4);
    }
}
