//! The whole service behind its guard, beside a stand-in for auth that has a feed and nothing else.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use futures::StreamExt as _;
use std::sync::Arc;
use stoa_credentials::{Cost, PasswordHasher};
use stoa_db::{Db, DbConfig, Synchronous};
use stoa_feed::{EnvelopeBuilder, FeedService, Origin, Sequencer, Wiring};
use stoa_mail::transport::Transport;
use stoa_mail::{Correspondent, Outlet};
use stoa_policy::{Actor, Role};
use stoa_proto::auth::{AccessControl, Settings};
use stoa_proto::events::{Envelope, envelope::Payload};
use stoa_proto::feed::{FollowRequest, feed_client::FeedClient, feed_item::Item};
use stoa_proto::users::users_client::UsersClient;
use stoa_proto::{Class, users as pb};
use stoa_rpc::{
    Credentials, Guard, GuardSettings, Identity, LocalSlot, Peer, Tasks, Trust, status,
};
use stoa_testkit::engine::Place;
use stoa_types::id::{MarketplaceId, OperatorId, RequestId};
use stoa_types::{Clock as _, ManualClock, SeededEntropy, Timestamp};
use stoa_users::{Deps, Service};
use tonic::Code;
use tonic::service::Routes;

struct World {
    clock: Arc<ManualClock>,
    entropy: Arc<SeededEntropy>,
    gateway: Identity,
    auth: Identity,
    auth_db: Db,
    service: Service,
    users: Peer,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new(place: &Place) -> Self {
        let clock = Arc::new(ManualClock::starting_at(Timestamp::from_ms(
            1_800_000_000_000,
        )));
        let entropy = Arc::new(SeededEntropy::new(3));
        let marketplace = MarketplaceId::random(&*entropy);
        let identity = |name| Identity::ephemeral(name, marketplace, clock.clone(), &*entropy);
        let (gateway, auth, users) = (identity("gateway"), identity("auth"), identity("users"));
        let trust = Trust::new();
        for identity in [&gateway, &auth, &users] {
            trust.add(identity);
        }
        let tasks = Tasks::new();

        let folder = tempfile::tempdir().unwrap();
        let config = DbConfig::Sqlite {
            path: folder.path().join("auth.sqlite"),
            synchronous: Synchronous::Normal,
        };
        let auth_db = Db::open_migrated(&config, &stoa_feed::MIGRATIONS)
            .await
            .unwrap();
        let wiring = Wiring {
            db: auth_db.clone(),
            identity: auth.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            tasks: tasks.clone(),
        };
        let feed = FeedService::new(&wiring, Sequencer::new(&wiring));
        let slot = LocalSlot::new();
        slot.fill(Guard::new(
            Routes::new(feed.into_server()),
            GuardSettings {
                service: "auth",
                trust: trust.clone(),
                marketplace,
                clock: clock.clone(),
                tasks: tasks.clone(),
            },
        ));

        let service = stoa_users::build(Deps {
            db: place.open().await,
            clock: clock.clone(),
            real_clock: clock.clone(),
            entropy: entropy.clone(),
            identity: users,
            trust,
            tasks,
            auth: slot.peer(),
            passwords: PasswordHasher::new(Cost::Test, 2, entropy.clone()),
            mail: Some(Outlet {
                transport: Transport::Discard,
                from: Correspondent::parse("market@example.com", "").unwrap(),
            }),
        })
        .await
        .unwrap();
        let slot = LocalSlot::new();
        slot.fill(service.guard());
        Self {
            clock,
            entropy,
            gateway,
            auth,
            auth_db,
            service,
            users: slot.peer(),
            _folder: folder,
        }
    }

    /// auth tells everyone that new users wait for approval.
    async fn ask_for_approval(&self, version: u64) {
        let settings = Settings {
            version,
            environment: "dev".into(),
            access_control: Some(AccessControl {
                require_approval_to_join: true,
                ..AccessControl::default()
            }),
            ..Settings::default()
        };
        let envelope = EnvelopeBuilder::new("settings.changed", "settings", version)
            .payload(Payload::Settings(settings))
            .build(
                &Origin::new(&Actor::system("start"), None),
                self.clock.now(),
                &*self.entropy,
            );
        let envelope = &envelope;
        self.auth_db
            .write(|tx| async move { stoa_feed::emit(&tx, [envelope.clone()]).await })
            .await
            .unwrap();
    }

    fn by(&self, actor: &Actor, class: Class) -> Credentials {
        let request = RequestId::random(&*self.entropy);
        self.gateway
            .credentials(actor, class, request, 0, None, None)
    }

    fn client(&self) -> UsersClient<Peer> {
        UsersClient::new(self.users.clone())
    }

    async fn sign_up(&self, email: &str) -> pb::User {
        let request = pb::CreateCurrentUserRequest {
            email: email.to_owned(),
            password: "correct horse".into(),
            first_name: "Olli".into(),
            last_name: "Foobar".into(),
            ..pb::CreateCurrentUserRequest::default()
        };
        let credentials = self.by(&Actor::anonymous(None), Class::Command);
        let mut client = self.client();
        let answer = client.create_current(credentials.request(request)).await;
        answer.unwrap().into_inner()
    }

    async fn delete(&self, id: &str) {
        let operator = Actor::operator(OperatorId::random(&*self.entropy), Role::Staff);
        let credentials = self.by(&operator, Class::Command);
        let request = pb::UserCommandRequest {
            id: id.to_owned(),
            reason: None,
        };
        self.client()
            .delete(credentials.request(request))
            .await
            .unwrap();
    }

    /// The envelopes that a consumer gets from the feed.
    async fn feed(&self) -> Vec<Envelope> {
        let request = RequestId::random(&*self.entropy);
        let credentials = self.auth.own(Class::Read, request);
        let mut client = FeedClient::new(self.users.clone().streaming());
        let follow = client.follow(credentials.request(FollowRequest {
            after: 0,
            states: false,
        }));
        let mut stream = follow.await.unwrap().into_inner();
        let (mut envelopes, mut head) = (Vec::new(), None);
        while head.is_none_or(|head| (envelopes.len() as u64) < head) {
            match stream.next().await.unwrap().unwrap().item.unwrap() {
                Item::Envelope(envelope) => envelopes.push(envelope),
                Item::Heartbeat(beat) => head = head.or(Some(beat.head)),
                Item::State(_) | Item::StatesEnd(_) => panic!("nobody asked for states"),
            }
        }
        envelopes
    }
}

stoa_testkit::on_every_engine! { stoa_users::migrations();
    async fn settings_come_in_and_events_go_out(place: Place) {
        let world = World::new(&place).await;
        assert!(!world.service.is_ready());
        world.ask_for_approval(1).await;
        assert!(world.service.drain().await.unwrap());
        assert!(world.service.is_ready());

        let user = world.sign_up("olli@x.io").await;
        assert_eq!(user.state.as_deref(), Some("pendingApproval"));
        assert!(world.service.drain().await.unwrap());
        assert!(!world.service.drain().await.unwrap());
        world.delete(&user.id).await;
        assert!(world.service.drain().await.unwrap());
        let envelopes = world.feed().await;
        let kinds: Vec<&str> = envelopes.iter().map(|e| e.r#type.as_str()).collect();
        assert_eq!(kinds, ["user.created", "user.deleted"]);
        // The drain ran the job that cleans what was said before the deletion.
        assert!(!format!("{envelopes:?}").contains("olli"));
    }

    // contract: security 2.4
    async fn only_auth_checks_passwords(place: Place) {
        let world = World::new(&place).await;
        world.ask_for_approval(1).await;
        world.service.drain().await.unwrap();
        let user = world.sign_up("olli@x.io").await;
        let check = || pb::CheckPasswordRequest {
            email: "olli@x.io".into(),
            password: "correct horse".into(),
        };
        let request = RequestId::random(&*world.entropy);
        let auth = world.auth.own(Class::Read, request);
        let answer = world
            .client()
            .check_password(auth.request(check()))
            .await
            .unwrap();
        assert_eq!(answer.into_inner().user.unwrap().user_id, user.id);
        let gateway = world.gateway.own(Class::Read, request);
        let refused = world
            .client()
            .check_password(gateway.request(check()))
            .await
            .unwrap_err();
        assert_eq!(
            (refused.code(), status::from_status(&refused).status()),
            (Code::Unavailable, 503)
        );
    }

    async fn settings_are_known_again_after_a_restart(place: Place) {
        let world = World::new(&place).await;
        world.ask_for_approval(4).await;
        world.service.drain().await.unwrap();
        let restarted = World::new(&place).await;
        let user = restarted.sign_up("olli@x.io").await;
        assert_eq!(user.state.as_deref(), Some("pendingApproval"));
        // Ready is another matter: auth may have newer ones.
        assert!(!restarted.service.is_ready());
    }
}
