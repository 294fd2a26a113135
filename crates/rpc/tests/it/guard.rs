use crate::process::{local, peer_at};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use stoa_policy::{Action, Actor, Level, Role};
use stoa_proto::Class;
use stoa_rpc::keys::SigningKey;
use stoa_rpc::{
    Credentials, Guard, GuardSettings, Identity, LocalSlot, Peer, RpcServer, ServerConfig, Tasks,
    Trust,
};
use stoa_types::id::{ClientId, MarketplaceId, OperatorId, RequestId, SessionId, UserId};
use stoa_types::{Clock, ManualClock, SeededEntropy, Timestamp};
use tonic::body::Body;
use tower::{Service, ServiceExt as _};

const BAN: &str = "/stoa.users.v1.Users/Ban";
const SHOW: &str = "/stoa.users.v1.Users/Show";
const CHECK_PASSWORD: &str = "/stoa.users.v1.Users/CheckPassword";
const PANICS: &str = "/stoa.users.v1.Users/Query";
const NEVER: &str = "/stoa.users.v1.Users/GetAccess";

/// A handler with a bug.
async fn bug() -> &'static str {
    panic!("a bug")
}

struct World {
    clock: Arc<ManualClock>,
    entropy: SeededEntropy,
    gateway: Identity,
    auth: Identity,
    stranger: Identity,
    peer: Peer,
    guard: Guard,
    calls: Arc<AtomicUsize>,
    tasks: Tasks,
}

impl World {
    fn new() -> Self {
        Self::with_trust(Trust::new())
    }

    /// The same behind a socket.
    async fn over_tcp() -> Self {
        let mut w = Self::new();
        let server = RpcServer::bind(ServerConfig::new(local(0), None))
            .await
            .unwrap();
        let address = server.local_addr();
        w.tasks.spawn(server.run(w.guard.clone(), w.tasks.clone()));
        w.peer = peer_at(&[address], None);
        w
    }

    /// In one process and behind a socket: both must behave alike.
    async fn both_ways() -> [Self; 2] {
        [Self::new(), Self::over_tcp().await]
    }

    fn with_trust(trust: Trust) -> Self {
        let clock = Arc::new(ManualClock::starting_at(Timestamp::from_ms(
            1_800_000_000_000,
        )));
        let entropy = SeededEntropy::new(3);
        let marketplace = MarketplaceId::random(&entropy);
        let dyn_clock: Arc<dyn Clock> = clock.clone();
        let identity =
            |name| Identity::ephemeral(name, marketplace, Arc::clone(&dyn_clock), &entropy);
        let (gateway, auth, stranger) =
            (identity("gateway"), identity("auth"), identity("gateway"));
        trust.add(&gateway);
        trust.add(&auth);
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        let ok = move || {
            counted.fetch_add(1, Ordering::SeqCst);
            async { tonic::Status::ok("").into_http::<axum::body::Body>() }
        };
        let router = axum::Router::new()
            .route(BAN, axum::routing::any(ok.clone()))
            .route(SHOW, axum::routing::any(ok.clone()))
            .route(CHECK_PASSWORD, axum::routing::any(ok))
            .route(PANICS, axum::routing::any(bug))
            .route(NEVER, axum::routing::any(std::future::pending::<&str>));
        let tasks = Tasks::new();
        let guard = Guard::new(
            tonic::service::Routes::from(router),
            GuardSettings {
                service: "users",
                trust,
                marketplace,
                clock: dyn_clock,
                tasks: tasks.clone(),
            },
        );
        let slot = LocalSlot::new();
        slot.fill(guard.clone());
        let peer = slot.peer();
        Self {
            clock,
            entropy,
            gateway,
            auth,
            stranger,
            peer,
            guard,
            calls,
            tasks,
        }
    }

    fn rid(&self) -> RequestId {
        RequestId::random(&self.entropy)
    }

    fn operator(&self) -> Actor {
        Actor::operator(OperatorId::random(&self.entropy), Role::Owner)
    }

    fn user(&self, level: Level) -> Actor {
        let entropy = &self.entropy;
        Actor::user(
            level,
            UserId::random(entropy),
            ClientId::random(entropy),
            SessionId::random(entropy),
        )
    }

    /// Makes the call and tells whether the handler was reached.
    async fn reaches(&self, path: &str, credentials: Option<&Credentials>) -> bool {
        let before = self.calls.load(Ordering::SeqCst);
        self.call(path, credentials).await;
        self.calls.load(Ordering::SeqCst) > before
    }

    async fn call(&self, path: &str, credentials: Option<&Credentials>) -> tonic::Code {
        let mut request = http::Request::builder()
            .uri(path)
            .body(Body::empty())
            .unwrap();
        if let Some(credentials) = credentials {
            let attached = credentials.request(());
            request
                .headers_mut()
                .extend(attached.metadata().clone().into_headers());
        }
        let mut peer = self.peer.clone();
        let answer = peer.ready().await.unwrap().call(request).await.unwrap();
        tonic::Status::from_header_map(answer.headers()).map_or(tonic::Code::Ok, |s| s.code())
    }
}

// contract: security S64
#[tokio::test]
async fn a_verified_token_of_the_right_class_level_and_caller_passes() {
    for w in World::both_ways().await {
        let command = w
            .gateway
            .credentials(&w.operator(), Class::Command, w.rid(), 1, None, None);
        assert!(w.reaches(BAN, Some(&command)).await);
        let read = w
            .gateway
            .credentials(&w.user(Level::User), Class::Read, w.rid(), 1, None, None);
        assert!(w.reaches(SHOW, Some(&read)).await);
        assert!(w.reaches(SHOW, Some(&read)).await);
        let system = w.auth.system("token.grant", Class::Read, w.rid());
        assert!(w.reaches(CHECK_PASSWORD, Some(&system)).await);
    }
}

// contract: security S64
#[tokio::test]
async fn without_a_token_nothing_is_open() {
    let [inside, outside] = World::both_ways().await;
    // A call that says nothing of itself comes from a program, where one can connect.
    for (w, code) in [
        (inside, tonic::Code::Unavailable),
        (outside, tonic::Code::Unauthenticated),
    ] {
        assert!(!w.reaches(BAN, None).await);
        assert_eq!(w.call(BAN, None).await, code);
    }
}

// contract: security S64
#[tokio::test]
async fn everything_else_is_refused() {
    for w in World::both_ways().await {
        let read = w
            .gateway
            .credentials(&w.operator(), Class::Read, w.rid(), 1, None, None);
        let user = w.gateway.credentials(
            &w.user(Level::TrustedUser),
            Class::Command,
            w.rid(),
            1,
            None,
            None,
        );
        let forged = w
            .auth
            .credentials(&w.operator(), Class::Command, w.rid(), 1, None, None);
        let stranger =
            w.stranger
                .credentials(&w.operator(), Class::Command, w.rid(), 1, None, None);
        let system =
            w.gateway
                .credentials(&Actor::system("x"), Class::Read, w.rid(), 1, None, None);
        let wrong_caller = w.gateway.own(Class::Read, w.rid());
        for (path, credentials, why) in [
            (BAN, Some(&read), "a read token on a command"),
            (BAN, Some(&user), "a level that the action does not name"),
            (
                BAN,
                Some(&forged),
                "a level that only the gateway may assert",
            ),
            (BAN, Some(&stranger), "a key that nobody trusts"),
            (
                CHECK_PASSWORD,
                Some(&system),
                "a gateway that plays the system",
            ),
            (
                CHECK_PASSWORD,
                Some(&wrong_caller),
                "a caller that is not on the list",
            ),
            (
                "/stoa.users.v1.Users/Nothing",
                Some(&read),
                "an unknown method",
            ),
        ] {
            assert!(!w.reaches(path, credentials).await, "{why}");
            assert_eq!(
                w.call(path, credentials).await,
                tonic::Code::Unavailable,
                "{why}"
            );
        }
    }
}

#[tokio::test]
async fn a_command_token_is_good_for_one_command() {
    for w in World::both_ways().await {
        let command = w
            .gateway
            .credentials(&w.operator(), Class::Command, w.rid(), 1, None, None);
        assert!(w.reaches(BAN, Some(&command)).await);
        assert!(!w.reaches(BAN, Some(&command)).await);
    }
}

#[tokio::test]
async fn tokens_end_with_their_time_cached_or_not() {
    for w in World::both_ways().await {
        let read = w
            .gateway
            .credentials(&w.user(Level::User), Class::Read, w.rid(), 1, None, None);
        assert!(w.reaches(SHOW, Some(&read)).await);
        w.clock.advance_ms(61_000);
        assert!(!w.reaches(SHOW, Some(&read)).await);
    }
}

// contract: security S67 (an old key is out at once)
#[tokio::test]
async fn a_key_that_goes_takes_its_verified_tokens_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let entropy = SeededEntropy::new(9);
    let (old, new) = (
        SigningKey::generate(&entropy),
        SigningKey::generate(&entropy),
    );
    let private = file("gateway.key");
    let write_private = |key: &SigningKey| {
        std::fs::write(&private, key.to_pem().as_bytes()).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(&private, mode).unwrap();
        }
    };
    write_private(&old);
    std::fs::write(file("gateway.old.pub"), old.public_pem()).unwrap();
    let trust = Trust::from_folder(folder.path()).unwrap();
    let w = World::with_trust(trust.clone());
    let clock: Arc<dyn Clock> = w.clock.clone();
    let marketplace = w.gateway.marketplace();
    let gateway = Identity::from_file("gateway", &private, marketplace, clock).unwrap();
    let read = |gateway: &Identity| {
        gateway.credentials(&w.operator(), Class::Read, w.rid(), 1, None, None)
    };

    let first = read(&gateway);
    assert!(w.reaches(SHOW, Some(&first)).await);
    // The new key is known everywhere before anybody signs with it: no call fails on the way.
    std::fs::write(file("gateway.new.pub"), new.public_pem()).unwrap();
    assert!(trust.reload().unwrap());
    assert!(w.reaches(SHOW, Some(&read(&gateway))).await);
    write_private(&new);
    assert!(gateway.reload().unwrap());
    let second = read(&gateway);
    assert!(w.reaches(SHOW, Some(&second)).await);
    assert!(w.reaches(SHOW, Some(&first)).await);
    std::fs::remove_file(file("gateway.old.pub")).unwrap();
    assert!(trust.reload().unwrap());
    assert!(!w.reaches(SHOW, Some(&first)).await);
    assert!(w.reaches(SHOW, Some(&second)).await);
}

// contract: security S64 (level `Service`: only where the edge, the action and the rule say so)
#[tokio::test]
async fn a_service_token_opens_nothing_that_does_not_name_programs() {
    let w = World::new();
    let client = ClientId::random(&w.entropy);
    let actions: Vec<Action> = ["users.show", "users.ban", "users.check_password"]
        .into_iter()
        .filter_map(Action::from_name)
        .collect();
    let (token, _) = w.auth.service_token(client, &actions);
    let (forged, _) = w.gateway.service_token(client, &actions);
    for (token, path, caller, code, why) in [
        (
            &token,
            CHECK_PASSWORD,
            "client",
            tonic::Code::PermissionDenied,
            "an edge between services",
        ),
        (
            &token,
            CHECK_PASSWORD,
            "auth",
            tonic::Code::Unavailable,
            "passed on where the rule is not open to programs",
        ),
        (
            &forged,
            SHOW,
            "client",
            tonic::Code::Unauthenticated,
            "a token that auth did not issue",
        ),
        (
            &token,
            "/stoa.users.v1.Users/Nothing",
            "client",
            tonic::Code::Unimplemented,
            "an unknown method",
        ),
    ] {
        let before = w.calls.load(Ordering::SeqCst);
        let request = http::Request::builder()
            .uri(path)
            .header("authorization", format!("Bearer {token}"))
            .header("stoa-caller", caller)
            .body(Body::empty())
            .unwrap();
        let answer = w.peer.clone().oneshot(request).await.unwrap();
        let status = tonic::Status::from_header_map(answer.headers()).unwrap();
        assert_eq!(status.code(), code, "{why}");
        assert_eq!(w.calls.load(Ordering::SeqCst), before, "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_guard_ends_calls_at_their_deadline_in_one_process_too() {
    let w = World::new();
    let read = w
        .gateway
        .credentials(&w.operator(), Class::Read, w.rid(), 1, None, None);
    let attached = read.request(());
    let mut request = http::Request::builder()
        .uri(NEVER)
        .header("grpc-timeout", "3S")
        .body(Body::empty())
        .unwrap();
    request
        .headers_mut()
        .extend(attached.metadata().clone().into_headers());
    let since = tokio::time::Instant::now();
    let answer = w.guard.clone().oneshot(request).await.unwrap();
    let status = tonic::Status::from_header_map(answer.headers()).unwrap();
    assert_eq!(status.code(), tonic::Code::DeadlineExceeded);
    assert_eq!(since.elapsed(), std::time::Duration::from_secs(3));
}

#[tokio::test]
async fn a_panic_is_an_internal_error_and_nothing_more() {
    for w in World::both_ways().await {
        let read = w
            .gateway
            .credentials(&w.operator(), Class::Read, w.rid(), 1, None, None);
        assert_eq!(w.call(PANICS, Some(&read)).await, tonic::Code::Internal);
        assert_eq!(w.call(SHOW, Some(&read)).await, tonic::Code::Ok);
        w.tasks.shut_down().await;
    }
}

#[tokio::test]
async fn a_service_that_is_not_built_yet_is_unavailable() {
    let w = World {
        peer: LocalSlot::new().peer(),
        ..World::new()
    };
    assert_eq!(w.call(SHOW, None).await, tonic::Code::Unavailable);
}
