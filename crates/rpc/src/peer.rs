//! The other end of a call: a service in the same process or behind a channel.

use crate::Guard;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;
use tonic::body::Body;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Service, ServiceExt as _};

type Inner = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, BoxError>;

/// Longest time an ordinary call may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// A service that can be called. Cheap to clone; generated clients take it as their transport.
#[derive(Clone)]
pub struct Peer {
    inner: Inner,
    deadline: Option<Duration>,
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
            inner: BoxCloneSyncService::new(call),
            deadline: Some(DEADLINE),
        }
    }
}

impl Peer {
    /// A service behind a channel.
    pub fn channel(channel: tonic::transport::Channel) -> Self {
        let inner = BoxCloneSyncService::new(channel.map_err(BoxError::from));
        Self {
            inner,
            deadline: Some(DEADLINE),
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
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let call = self.inner.call(request);
        match self.deadline {
            None => call,
            Some(deadline) => Box::pin(async move {
                tokio::time::timeout(deadline, call)
                    .await
                    .unwrap_or_else(
                        |_| Ok(tonic::Status::deadline_exceeded("too slow").into_http()),
                    )
            }),
        }
    }
}
