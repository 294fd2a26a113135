//! A process with an RPC server that can be killed, and calls to it over real sockets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use stoa_policy::{Actor, Role};
use stoa_proto::Class;
use stoa_rpc::transport::Timing;
use stoa_rpc::{
    Credentials, Guard, GuardSettings, Identity, Peer, RemoteConfig, RpcServer, ServerConfig,
    ServerCounts, Tasks, Tls, Trust,
};
use stoa_types::id::{MarketplaceId, OperatorId, RequestId};
use stoa_types::{Clock, ManualClock, SeededEntropy, Timestamp};
use tokio::sync::watch;
use tonic::Code;
use tonic::body::Body;
use tower::{Service as _, ServiceExt as _};

/// A read.
pub(crate) const SHOW: &str = "/stoa.users.v1.Users/Show";
/// A command.
pub(crate) const BAN: &str = "/stoa.users.v1.Users/Ban";
/// A command that is open to programs of the owner.
pub(crate) const UPDATE: &str = "/stoa.users.v1.Users/UpdateProfile";
/// A stream.
pub(crate) const FOLLOW: &str = "/stoa.feed.v1.Feed/Follow";

/// What all processes of a test share.
pub(crate) struct Deployment {
    pub(crate) entropy: SeededEntropy,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) marketplace: MarketplaceId,
    pub(crate) trust: Trust,
    pub(crate) gateway: Identity,
}

impl Deployment {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(ManualClock::starting_at(Timestamp::from_ms(
            1_800_000_000_000,
        )));
        let entropy = SeededEntropy::new(11);
        let marketplace = MarketplaceId::random(&entropy);
        let shared: Arc<dyn Clock> = clock.clone();
        let gateway = Identity::ephemeral("gateway", marketplace, shared, &entropy);
        let trust = Trust::new();
        trust.add(&gateway);
        Self {
            entropy,
            clock,
            marketplace,
            trust,
            gateway,
        }
    }

    /// A service `users` on a free port of the loopback.
    pub(crate) fn process(&self, name: &'static str) -> Process {
        self.process_with(name, ServerConfig::new(local(0), None))
    }

    pub(crate) fn process_with(&self, name: &'static str, config: ServerConfig) -> Process {
        let state = Arc::new(State {
            name,
            arrived: watch::Sender::new(0),
            released: watch::Sender::new(false),
            dropped: AtomicUsize::new(0),
        });
        let tasks = Tasks::new();
        let guard = Guard::new(
            tonic::service::Routes::from(router(&state)),
            GuardSettings {
                service: "users",
                trust: self.trust.clone(),
                marketplace: self.marketplace,
                clock: self.clock.clone(),
                tasks: tasks.clone(),
            },
        );
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (ready, bound) = std::sync::mpsc::channel();
        let ours = tasks.clone();
        runtime.spawn(async move {
            // The port of a process that was killed is free again a moment later.
            let server = loop {
                match RpcServer::bind(config.clone()).await {
                    Ok(server) => break server,
                    Err(_) => tokio::task::yield_now().await,
                }
            };
            ready.send((server.local_addr(), server.counts())).unwrap();
            ours.spawn(server.run(guard, ours.clone()));
        });
        let (address, counts) = bound.recv().unwrap();
        Process {
            address,
            counts,
            state,
            tasks,
            runtime: Some(runtime),
        }
    }

    pub(crate) fn read(&self) -> Credentials {
        self.credentials(Class::Read)
    }

    pub(crate) fn command(&self) -> Credentials {
        self.credentials(Class::Command)
    }

    fn credentials(&self, class: Class) -> Credentials {
        let operator = Actor::operator(OperatorId::random(&self.entropy), Role::Owner);
        let request = RequestId::random(&self.entropy);
        self.gateway
            .credentials(&operator, class, request, 1, None, None)
    }

    pub(crate) fn own(&self) -> Credentials {
        self.gateway
            .own(Class::Read, RequestId::random(&self.entropy))
    }
}

/// An address of the loopback.
pub(crate) fn local(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

/// A remote peer `users` at these addresses, with short waits.
pub(crate) fn peer_at(addresses: &[SocketAddr], tls: Option<Tls>) -> Peer {
    let addresses = addresses.iter().map(ToString::to_string).collect();
    let mut config = RemoteConfig::new("users", addresses, tls);
    config.timing = quick();
    Peer::remote(config)
}

pub(crate) fn quick() -> Timing {
    Timing {
        resolve_every: Duration::from_millis(300),
        longest_pause: Duration::from_millis(100),
        patience: Duration::from_secs(5),
        ..Timing::default()
    }
}

/// A process of the service `users`.
pub(crate) struct Process {
    pub(crate) address: SocketAddr,
    pub(crate) counts: Arc<ServerCounts>,
    state: Arc<State>,
    pub(crate) tasks: Tasks,
    runtime: Option<tokio::runtime::Runtime>,
}

struct State {
    name: &'static str,
    /// Calls that reached a handler.
    arrived: watch::Sender<usize>,
    released: watch::Sender<bool>,
    /// Handlers that were dropped before their end.
    dropped: AtomicUsize,
}

impl Process {
    /// Ends it without a word: its sockets close.
    pub(crate) fn kill(mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    /// Calls that reached a handler.
    pub(crate) fn calls(&self) -> usize {
        *self.state.arrived.borrow()
    }

    /// Waits until so many calls reached a handler.
    pub(crate) async fn reached(&self, calls: usize) {
        let mut arrived = self.state.arrived.subscribe();
        arrived.wait_for(|n| *n >= calls).await.unwrap();
    }

    /// Waits until so many connections are up.
    pub(crate) async fn counts_connections(&self, n: i64) {
        until(|| self.counts.connections.get() == n).await;
    }

    /// Lets handlers that hold their answer go on.
    pub(crate) fn release(&self) {
        self.state.released.send_replace(true);
    }

    pub(crate) fn dropped(&self) -> usize {
        self.state.dropped.load(Ordering::SeqCst)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

struct Unfinished(Arc<State>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

fn router(state: &Arc<State>) -> axum::Router {
    let answer = {
        let state = Arc::clone(state);
        move |request: axum::extract::Request| {
            let state = Arc::clone(&state);
            async move {
                state.arrived.send_modify(|n| *n += 1);
                if request.headers().contains_key("x-hold") {
                    let unfinished = Unfinished(Arc::clone(&state));
                    let mut released = state.released.subscribe();
                    released.wait_for(|released| *released).await.unwrap();
                    std::mem::forget(unfinished);
                }
                let mut answer = tonic::Status::ok("").into_http::<axum::body::Body>();
                answer
                    .headers_mut()
                    .insert("x-process", state.name.parse().unwrap());
                let trace = stoa_telemetry::trace::traceparent();
                answer
                    .headers_mut()
                    .insert("x-trace", trace.parse().unwrap());
                answer
            }
        }
    };
    let stream = {
        let state = Arc::clone(state);
        move || {
            state.arrived.send_modify(|n| *n += 1);
            let first = bytes::Bytes::from_static(b"\0\0\0\0\0");
            let frames = futures::stream::once(async move { Ok::<_, std::io::Error>(first) });
            let silent = futures::stream::pending();
            let body = axum::body::Body::from_stream(futures::StreamExt::chain(frames, silent));
            let answer = http::Response::builder()
                .header("content-type", "application/grpc")
                .body(body)
                .unwrap();
            async move { answer }
        }
    };
    axum::Router::new()
        .route(SHOW, axum::routing::any(answer.clone()))
        .route(BAN, axum::routing::any(answer.clone()))
        .route(UPDATE, axum::routing::any(answer))
        .route(FOLLOW, axum::routing::any(stream))
}

/// What came of a call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) code: Code,
    /// The process that answered.
    pub(crate) by: Option<String>,
    /// The trace that the handler ran in.
    pub(crate) trace: Option<String>,
}

impl Outcome {
    pub(crate) fn is_ok(&self) -> bool {
        self.code == Code::Ok
    }
}

pub(crate) fn request(path: &str, credentials: &Credentials) -> http::Request<Body> {
    let mut request = http::Request::builder()
        .method("POST")
        .uri(path)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Body::empty())
        .unwrap();
    let attached = credentials.request(());
    request
        .headers_mut()
        .extend(attached.metadata().clone().into_headers());
    request
}

/// Waits for something that other tasks bring about.
pub(crate) async fn until(what: impl Fn() -> bool) {
    while !what() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Makes a call.
pub(crate) async fn call(peer: &Peer, path: &str, credentials: &Credentials) -> Outcome {
    send(peer, request(path, credentials)).await
}

/// Makes a call whose handler waits until it is released.
pub(crate) fn call_held(
    peer: &Peer,
    path: &'static str,
    credentials: Credentials,
) -> tokio_util::task::AbortOnDropHandle<Outcome> {
    let mut request = request(path, &credentials);
    request.headers_mut().insert("x-hold", "1".parse().unwrap());
    let peer = peer.clone();
    tokio_util::task::AbortOnDropHandle::new(
        Tasks::new().spawn(async move { send(&peer, request).await }),
    )
}

pub(crate) async fn send(peer: &Peer, request: http::Request<Body>) -> Outcome {
    let mut peer = peer.clone();
    let answer = peer.ready().await.unwrap().call(request).await.unwrap();
    let status = tonic::Status::from_header_map(answer.headers());
    let header = |name| {
        let value = answer.headers().get(name)?;
        Some(value.to_str().unwrap().to_owned())
    };
    Outcome {
        code: status.map_or(Code::Ok, |status| status.code()),
        by: header("x-process"),
        trace: header("x-trace"),
    }
}
