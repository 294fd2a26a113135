//! The other end of a call: a service in the same process or in others.

use crate::transport::timing::timeout_of;
use crate::transport::{PeerCounts, Pool, RemoteConfig};
use crate::{Guard, measure};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;
use tonic::body::Body;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Service, ServiceExt as _};

type Inner = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, BoxError>;

/// Longest time an ordinary call may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// A service that can be called. Cheap to clone; generated clients take it as their transport.
#[derive(Clone)]
pub struct Peer {
    way: Way,
    deadline: Option<Duration>,
}

#[derive(Clone)]
enum Way {
    Local(Inner),
    Remote(Arc<Pool>),
}

/// The place of a service in the same process, filled once it is built: services that call each
/// other are built one after the other.
#[derive(Clone, Default)]
pub struct LocalSlot(Arc<OnceLock<Guard>>);

impl LocalSlot {
    /// An empty place: calls are refused as unavailable.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts the service in its place.
    ///
    /// # Panics
    /// When it is already there: a process builds each service once.
    pub fn fill(&self, guard: Guard) {
        assert!(self.0.set(guard).is_ok(), "a service is built once");
    }

    /// The service as a peer: direct calls, no socket.
    pub fn peer(&self) -> Peer {
        let slot = Arc::clone(&self.0);
        let call = tower::service_fn(move |request: http::Request<Body>| {
            let guard = slot.get().cloned();
            async move {
                match guard {
                    Some(guard) => guard.oneshot(request).await.map_err(BoxError::from),
                    None => Ok(tonic::Status::unavailable("not started").into_http()),
                }
            }
        });
        Peer {
            way: Way::Local(BoxCloneSyncService::new(call)),
            deadline: Some(DEADLINE),
        }
    }
}

impl Peer {
    /// A service in other processes, at any number of addresses. It begins to connect at once and
    /// needs none of them to be up; it must be made on a runtime.
    pub fn remote(config: RemoteConfig) -> Self {
        Self {
            way: Way::Remote(Pool::new(config)),
            deadline: Some(DEADLINE),
        }
    }

    /// Figures of the calls to other processes; none for a service in this one.
    pub fn counts(&self) -> Option<Arc<PeerCounts>> {
        match &self.way {
            Way::Local(_) => None,
            Way::Remote(pool) => Some(pool.counts()),
        }
    }

    /// The same peer for streams, which have no end.
    #[must_use]
    pub fn streaming(mut self) -> Self {
        self.deadline = None;
        self
    }
}

impl Service<http::Request<Body>> for Peer {
    type Response = http::Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match &mut self.way {
            Way::Local(inner) => inner.poll_ready(cx),
            Way::Remote(_) => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        let span = measure::outgoing(&mut request);
        let asked = timeout_of(request.headers());
        let limit = match (self.deadline, asked) {
            (Some(ours), Some(asked)) => Some(ours.min(asked)),
            (ours, asked) => ours.or(asked),
        };
        let call: Self::Future = match &mut self.way {
            Way::Local(inner) => inner.call(request),
            Way::Remote(pool) => {
                let pool = Arc::clone(pool);
                let deadline = limit.map(|limit| Instant::now() + limit);
                Box::pin(async move {
                    let answered = pool.call(request, deadline).await;
                    Ok(answered.unwrap_or_else(tonic::Status::into_http))
                })
            }
        };
        let call: Self::Future = match limit {
            None => call,
            Some(limit) => Box::pin(async move {
                tokio::time::timeout(limit, call).await.unwrap_or_else(|_| {
                    Ok(tonic::Status::deadline_exceeded("too slow").into_http())
                })
            }),
        };
        match span {
            None => call,
            Some(mut span) => Box::pin(async move {
                let answer = call.await?;
                measure::note_answer(&mut span, &answer);
                Ok(answer)
            }),
        }
    }
}
