//! All connections to one peer service: which one a call takes, and when it is made again.

use super::budget::Budget;
use super::connection::{Connection, Dial, Lost, RequestBody, Running};
use super::counts::PeerCounts;
use super::resolve::{Places, Resolver, system_resolver};
use super::timing::{TIMEOUT, Timing, timeout_value};
use super::tls::Tls;
use super::{SHED, lookup};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use parking_lot::{Mutex, RwLock};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use stoa_proto::Class;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::Status;
use tonic::body::Body;

/// Repeats of one call.
const REPEATS: u32 = 2;
/// Look-ups never follow each other closer than this.
const RESOLVE_PAUSE: Duration = Duration::from_millis(250);

/// Where a peer is and how it is called.
pub struct RemoteConfig {
    /// Name of the service, which its certificate has to carry: `users`, `event-log`, ...
    pub service: &'static str,
    /// Its addresses, each `host:port`; a name counts for all addresses behind it.
    pub addresses: Vec<String>,
    /// Certificates; without, calls travel in plain text, which suits the loopback only.
    pub tls: Option<Tls>,
    /// Waiting times.
    pub timing: Timing,
    /// How names are looked up.
    pub resolver: Resolver,
}

impl RemoteConfig {
    /// The usual waiting times and the names of the operating system.
    pub fn new(service: &'static str, addresses: Vec<String>, tls: Option<Tls>) -> Self {
        Self {
            service,
            addresses,
            tls,
            timing: Timing::default(),
            resolver: system_resolver(),
        }
    }
}

/// The connections to one peer. They end with the last clone of the peer.
pub(crate) struct Pool {
    shared: Arc<Shared>,
    budget: Budget,
    scheme: &'static str,
    _end: DropGuard,
}

struct Shared {
    dial: Arc<Dial>,
    connections: RwLock<Arc<[Arc<Connection>]>>,
    /// Since when no connection is live.
    down_since: Mutex<Option<Instant>>,
    turn: AtomicU64,
}

impl Pool {
    /// Begins to connect. Must be called on a runtime.
    pub(crate) fn new(config: RemoteConfig) -> Arc<Self> {
        let scheme = if config.tls.is_some() {
            "https"
        } else {
            "http"
        };
        let counts = Arc::default();
        crate::measure::show_peer(config.service, &counts);
        let dial = Arc::new(Dial {
            service: config.service,
            tls: config.tls,
            timing: config.timing,
            counts,
            changed: watch::Sender::new(()),
        });
        let shared = Arc::new(Shared {
            dial,
            connections: RwLock::new(Arc::new([])),
            down_since: Mutex::new(Some(Instant::now())),
            turn: AtomicU64::new(0),
        });
        let end = CancellationToken::new();
        let places = Places::new(config.addresses, config.resolver);
        // Not among the tasks that a stop waits for: running calls need their peers to the end.
        spawn(follow_places(Arc::clone(&shared), places, end.clone()));
        Arc::new(Self {
            shared,
            budget: Budget::new(),
            scheme,
            _end: end.drop_guard(),
        })
    }

    pub(crate) fn counts(&self) -> Arc<PeerCounts> {
        Arc::clone(&self.shared.dial.counts)
    }

    /// Makes a call: once, or again as far as its class allows, until `deadline`.
    pub(crate) async fn call(
        &self,
        request: http::Request<Body>,
        deadline: Option<Instant>,
    ) -> Result<http::Response<Body>, Status> {
        let (mut head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let path = head.uri.path().to_owned();
        let authority = self.shared.dial.service;
        head.uri = http::Uri::builder()
            .scheme(self.scheme)
            .authority(authority)
            .path_and_query(path.as_str())
            .build()
            .map_err(|_| Status::internal("a path that is none"))?;
        let method = lookup(&path);
        let streaming = method.is_some_and(|m| m.streaming);
        let repeatable = !streaming && method.is_some_and(|m| m.class == Class::Read);
        let counts = &self.shared.dial.counts;
        counts.calls.add();
        self.budget.earn();

        let mut left = if streaming { 0 } else { REPEATS };
        let mut avoid = None;
        loop {
            let Some(connection) = self.shared.live(avoid).await else {
                counts.failures.add();
                return Err(Status::unavailable("no connection"));
            };
            if let Some(deadline) = deadline {
                let time = deadline.saturating_duration_since(Instant::now());
                head.headers.insert(TIMEOUT, timeout_value(time));
            }
            let request = http::Request::from_parts(head.clone(), Full::new(body.clone()));
            let lost = match self.attempt(&connection, request, streaming).await {
                Ok(answer) if answer.headers().contains_key(SHED) => {
                    counts.shed.add();
                    // It was turned away before anything looked at it.
                    if left == 0 || !self.budget.spend() {
                        return Ok(answer);
                    }
                    None
                }
                Ok(answer) => return Ok(answer),
                Err(lost) => Some(lost),
            };
            if let Some(lost) = lost {
                let again =
                    left > 0 && (lost.never_processed || (repeatable && self.budget.spend()));
                if !again {
                    counts.failures.add();
                    tracing::warn!(
                        peer = authority,
                        address = %connection.address,
                        rpc = path,
                        error = lost.cause.as_ref() as &dyn std::error::Error,
                        "A call got no answer"
                    );
                    return Err(Status::unavailable("connection lost"));
                }
            }
            left -= 1;
            counts.retries.add();
            avoid = Some(connection.address);
        }
    }

    async fn attempt(
        &self,
        connection: &Arc<Connection>,
        request: http::Request<RequestBody>,
        streaming: bool,
    ) -> Result<http::Response<Body>, Lost> {
        let running = connection.begin(&self.shared.dial.counts);
        let (head, body) = connection.send(request).await?.into_parts();
        let body = if streaming {
            Body::new(StreamBody {
                body,
                _running: running,
            })
        } else {
            Body::new(body.collect().await.map_err(Lost::half_way)?)
        };
        Ok(http::Response::from_parts(head, body))
    }
}

impl Shared {
    /// A live connection, waiting a little for one when the last has only just gone.
    async fn live(&self, avoid: Option<SocketAddr>) -> Option<Arc<Connection>> {
        if let Some(connection) = self.choose(avoid) {
            return Some(connection);
        }
        let mut changes = self.dial.changed.subscribe();
        loop {
            if let Some(connection) = self.choose(avoid) {
                return Some(connection);
            }
            let since = *self.down_since.lock().get_or_insert_with(Instant::now);
            let end = since + self.dial.timing.patience;
            tokio::time::timeout_at(end, changes.changed())
                .await
                .ok()?
                .ok()?;
        }
    }

    /// Of two live connections the one with fewer running calls; `avoid` only if there is no other.
    fn choose(&self, avoid: Option<SocketAddr>) -> Option<Arc<Connection>> {
        let all = Arc::clone(&self.connections.read());
        let mut live: Vec<&Arc<Connection>> = all.iter().filter(|c| c.is_live()).collect();
        if live.len() > 1 {
            live.retain(|c| Some(c.address) != avoid);
        }
        let chosen = match live.as_slice() {
            [] => return None,
            [only] => only,
            several => {
                let n = several.len() as u64;
                let random = mixed(self.turn.fetch_add(1, Ordering::Relaxed));
                let first = random % n;
                let second = (first + 1 + (random >> 32) % (n - 1)) % n;
                let (a, b) = (several[first as usize], several[second as usize]);
                if b.running() < a.running() { b } else { a }
            }
        };
        self.down_since.lock().take();
        Some(Arc::clone(chosen))
    }

    /// Takes new addresses in and those that are gone out.
    fn update(&self, addresses: &[SocketAddr], end: &CancellationToken) {
        let before = Arc::clone(&self.connections.read());
        let after: Arc<[Arc<Connection>]> = addresses
            .iter()
            .map(|address| {
                let known = before.iter().find(|c| c.address == *address);
                known.map_or_else(
                    || {
                        let connection = Connection::new(*address, end.child_token());
                        self.dial.counts.addresses.up();
                        spawn(Arc::clone(&connection).keep(Arc::clone(&self.dial)));
                        connection
                    },
                    Arc::clone,
                )
            })
            .collect();
        *self.connections.write() = after;
        for gone in before.iter().filter(|c| !addresses.contains(&c.address)) {
            gone.retire();
            self.dial.counts.addresses.down();
        }
    }

    fn is_up(&self) -> bool {
        self.connections.read().iter().any(|c| c.is_live())
    }
}

/// Keeps the addresses of a peer up to date: every few seconds, and at once when none is left.
async fn follow_places(shared: Arc<Shared>, mut places: Places, end: CancellationToken) {
    let mut changes = shared.dial.changed.subscribe();
    loop {
        let looked_up = tokio::select! {
            () = end.cancelled() => return,
            looked_up = places.look_up() => looked_up,
        };
        shared.update(&looked_up, &end);
        if places.are_fixed() {
            end.cancelled().await;
            return;
        }
        // A name without any address is asked for again soon: its processes are just starting.
        let every = if looked_up.is_empty() {
            RESOLVE_PAUSE
        } else {
            shared.dial.timing.resolve_every
        };
        let next = Instant::now() + every;
        let wait = async {
            tokio::time::sleep(RESOLVE_PAUSE).await;
            loop {
                match tokio::time::timeout_at(next, changes.changed()).await {
                    Ok(Ok(())) if shared.is_up() => {}
                    _ => return,
                }
            }
        };
        tokio::select! {
            () = end.cancelled() => return,
            () = wait => {}
        }
    }
}

/// Spreads consecutive numbers evenly (SplitMix64).
const fn mixed(n: u64) -> u64 {
    let mut z = n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[expect(
    clippy::disallowed_methods,
    reason = "connections serve the calls of a stopping process to the end; they end with the pool"
)]
fn spawn(work: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(work);
}

/// The answer of a stream: counted while it runs; a lost connection is `UNAVAILABLE`.
struct StreamBody {
    body: Incoming,
    _running: Running,
}

impl http_body::Body for StreamBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Pin::new(&mut self.body)
            .poll_frame(cx)
            .map_err(|error| Status::unavailable(format!("connection lost: {error}")))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
