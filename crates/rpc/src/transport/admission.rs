//! What stands between a connection and the guard: how much may run, how long a request may take
//! to arrive, and the end of streams when the process stops.

use super::counts::{Gauge, ServerCounts};
use super::server::ServerConfig;
use super::timing::{TIMEOUT, timeout_of, timeout_value};
use super::{SHED, lookup};
use crate::{Guard, Tasks};
use bytes::Bytes;
use http_body::Frame;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;
use tonic::body::Body;
use tonic::service::Routes;
use tower::ServiceExt as _;

/// Largest request, with its frame.
const LARGEST: usize = 4 * 1024 * 1024 + 5;
/// Longest time that a call may take, whatever its caller allows.
const LONGEST: Duration = Duration::from_secs(30);
/// Where reflection is served.
const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/";

/// The place of a running call; the guard keeps it as long as the call runs, also when the caller
/// has gone.
#[derive(Clone)]
pub(crate) struct Place {
    _place: Arc<Held>,
}

/// A place and the gauge that counts it.
struct Held {
    counts: Arc<ServerCounts>,
    gauge: fn(&ServerCounts) -> &Gauge,
    _permit: OwnedSemaphorePermit,
}

impl Held {
    fn new(
        places: &Arc<Semaphore>,
        counts: &Arc<ServerCounts>,
        gauge: fn(&ServerCounts) -> &Gauge,
    ) -> Option<Self> {
        let permit = Arc::clone(places).try_acquire_owned().ok()?;
        gauge(counts).up();
        Some(Self {
            counts: Arc::clone(counts),
            gauge,
            _permit: permit,
        })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        (self.gauge)(&self.counts).down();
    }
}

/// Lets calls in.
pub(super) struct Admission {
    guard: Guard,
    calls: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    counts: Arc<ServerCounts>,
    tasks: Tasks,
    arrival: Duration,
    reflection: Option<Routes>,
}

impl Admission {
    pub(super) fn new(
        guard: Guard,
        config: &ServerConfig,
        counts: Arc<ServerCounts>,
        tasks: Tasks,
    ) -> Self {
        Self {
            guard,
            calls: Arc::new(Semaphore::new(config.max_concurrent)),
            streams: Arc::new(Semaphore::new(config.max_streams)),
            counts,
            tasks,
            arrival: config.arrival,
            reflection: config.reflection.then(reflection),
        }
    }

    /// Answers one request.
    pub(super) async fn answer(&self, request: http::Request<Incoming>) -> http::Response<Body> {
        let path = request.uri().path();
        if path.starts_with(REFLECTION)
            && let Some(reflection) = &self.reflection
        {
            return self.reflect(reflection.clone(), request).await;
        }
        let streaming = lookup(path).is_some_and(|method| method.streaming);
        let answered = if streaming {
            self.stream(request).await
        } else {
            self.call(request).await
        };
        answered.unwrap_or_else(Status::into_http)
    }

    async fn call(&self, request: http::Request<Incoming>) -> Result<http::Response<Body>, Status> {
        let held = Held::new(&self.calls, &self.counts, |c| &c.running);
        let place = Arc::new(held.ok_or_else(|| self.shed())?);
        self.counts.calls.add();
        let mut request = whole(request, self.arrival).await?;
        let allowed = timeout_of(request.headers()).map_or(LONGEST, |own| own.min(LONGEST));
        request
            .headers_mut()
            .insert(TIMEOUT, timeout_value(allowed));
        request.extensions_mut().insert(Place { _place: place });
        self.pass_on(request).await
    }

    async fn stream(
        &self,
        request: http::Request<Incoming>,
    ) -> Result<http::Response<Body>, Status> {
        let held = Held::new(&self.streams, &self.counts, |c| &c.streams);
        let held = held.ok_or_else(|| self.shed())?;
        let answer = self.pass_on(whole(request, self.arrival).await?).await?;
        Ok(answer.map(|body| Body::new(Stream::new(body, held, self.tasks.clone()))))
    }

    async fn reflect(
        &self,
        reflection: Routes,
        request: http::Request<Incoming>,
    ) -> http::Response<Body> {
        let Some(held) = Held::new(&self.streams, &self.counts, |c| &c.streams) else {
            return self.shed().into_http();
        };
        let Ok(answer) = reflection.oneshot(request.map(Body::new)).await;
        answer.map(|body| Body::new(Stream::new(body, held, self.tasks.clone())))
    }

    async fn pass_on(&self, request: http::Request<Body>) -> Result<http::Response<Body>, Status> {
        let Ok(answer) = self.guard.clone().oneshot(request).await;
        Ok(answer)
    }

    /// Too much is running: nothing was done, another replica may have room.
    fn shed(&self) -> Status {
        self.counts.shed.add();
        let mut status = Status::unavailable("too much to do");
        let yes = tonic::metadata::MetadataValue::from_static("1");
        status.metadata_mut().insert(SHED, yes);
        status
    }
}

/// The request with its message, which has to arrive soon: what runs behind never waits for the
/// network.
async fn whole(
    request: http::Request<Incoming>,
    arrival: Duration,
) -> Result<http::Request<Body>, Status> {
    let (head, body) = request.into_parts();
    let arriving = Limited::new(body, LARGEST).collect();
    let message = tokio::time::timeout(arrival, arriving)
        .await
        .map_err(|_| Status::deadline_exceeded("the message did not arrive"))?
        .map_err(|_| Status::out_of_range("the message broke off or is too large"))?;
    let body = Body::new(Full::new(message.to_bytes()));
    Ok(http::Request::from_parts(head, body))
}

/// Server reflection over the descriptors of all services.
fn reflection() -> Routes {
    let service = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(stoa_proto::DESCRIPTORS)
        .build_v1()
        .expect("our own descriptors are a valid set");
    Routes::new(service).prepare()
}

/// A stream that ends when the process stops.
struct Stream {
    body: Body,
    stopping: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    _held: Held,
}

impl Stream {
    fn new(body: Body, held: Held, tasks: Tasks) -> Self {
        Self {
            body,
            stopping: Some(Box::pin(async move { tasks.stopping().await })),
            _held: held,
        }
    }
}

impl http_body::Body for Stream {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(stopping) = &mut self.stopping else {
            return Poll::Ready(None);
        };
        if stopping.as_mut().poll(cx).is_ready() {
            self.stopping = None;
            let end = Status::unavailable("stopping").into_http::<Body>();
            return Poll::Ready(Some(Ok(Frame::trailers(end.headers().clone()))));
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.stopping.is_none() || self.body.is_end_stream()
    }
}
