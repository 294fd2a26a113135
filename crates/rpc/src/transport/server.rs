//! The gRPC server of a process: connections, limits and the end.

use super::admission::Admission;
use super::begun;
use super::counts::ServerCounts;
use super::sender::Sender;
use super::tls::Tls;
use crate::{Guard, Tasks};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::body::Body;

/// Longest wait for running calls at the end.
const DRAIN: Duration = Duration::from_secs(20);
/// Connections without traffic are asked for a sign of life this often.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// Longest wait for that sign.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);
/// Calls and streams on one connection.
const STREAMS_PER_CONNECTION: u32 = 1024;

/// How a process serves its RPCs.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Where to listen; port 0 takes a free one.
    pub address: SocketAddr,
    /// Certificates; without, only a loopback address is accepted.
    pub tls: Option<Tls>,
    /// Calls that may run at once, without streams; more are turned away.
    pub max_concurrent: usize,
    /// Streams that may run at once.
    pub max_streams: usize,
    /// Connections that may be open at once.
    pub max_connections: usize,
    /// Longest time for TLS, and again for the first bytes of HTTP/2.
    pub handshake: Duration,
    /// Longest time for the message of a request to arrive.
    pub arrival: Duration,
    /// Whether the descriptors of the services are served (gRPC server reflection v1).
    pub reflection: bool,
}

impl ServerConfig {
    /// The usual limits, no reflection.
    pub const fn new(address: SocketAddr, tls: Option<Tls>) -> Self {
        Self {
            address,
            tls,
            max_concurrent: 1024,
            max_streams: 1024,
            max_connections: 1024,
            handshake: Duration::from_secs(5),
            arrival: Duration::from_secs(5),
            reflection: false,
        }
    }
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Plain text off the loopback.
    #[error("{0} can be reached from other machines: [tls] is needed there")]
    PlainText(SocketAddr),
    /// The operating system refuses.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

/// A listening socket, before the service behind it is built.
pub struct RpcServer {
    listener: TcpListener,
    address: SocketAddr,
    config: ServerConfig,
    counts: Arc<ServerCounts>,
}

impl RpcServer {
    /// Listens.
    ///
    /// # Errors
    /// [`ServerError::PlainText`] for an address off the loopback without TLS (security S65), else
    /// those of the operating system.
    pub async fn bind(config: ServerConfig) -> Result<Self, ServerError> {
        let address = config.address;
        if config.tls.is_none() && !address.ip().is_loopback() {
            return Err(ServerError::PlainText(address));
        }
        let refused = |source| ServerError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let counts = Arc::default();
        crate::measure::show_server(&counts);
        Ok(Self {
            listener,
            address,
            config,
            counts,
        })
    }

    /// The address that is listened on.
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Figures of this server.
    pub fn counts(&self) -> Arc<ServerCounts> {
        Arc::clone(&self.counts)
    }

    /// Serves until the process stops; then ends streams, lets running calls finish and returns.
    pub async fn run(self, guard: Guard, tasks: Tasks) {
        let admission = Arc::new(Admission::new(
            guard,
            &self.config,
            Arc::clone(&self.counts),
            tasks.clone(),
        ));
        let shared = Arc::new(Shared {
            admission,
            tls: self.config.tls.clone(),
            handshake: self.config.handshake,
            counts: Arc::clone(&self.counts),
            tasks: tasks.clone(),
        });
        let connections = Arc::new(Semaphore::new(self.config.max_connections));
        loop {
            let accepted = tokio::select! {
                () = tasks.stopping() => break,
                accepted = self.listener.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file handles, most likely: let some connections end first.
                    tracing::warn!(%error, "A connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let Ok(place) = Arc::clone(&connections).try_acquire_owned() else {
                self.counts.refused_connections.add();
                continue;
            };
            tasks.spawn(Arc::clone(&shared).connection(stream, peer, place));
        }
        drop(self.listener);
        let all = u32::try_from(self.config.max_connections).unwrap_or(u32::MAX);
        // Connections end by themselves once they know of the stop.
        let _ = tokio::time::timeout(DRAIN, connections.acquire_many(all)).await;
    }
}

struct Shared {
    admission: Arc<Admission>,
    tls: Option<Tls>,
    handshake: Duration,
    counts: Arc<ServerCounts>,
    tasks: Tasks,
}

impl Shared {
    async fn connection(
        self: Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        place: OwnedSemaphorePermit,
    ) {
        // Small answers must not wait for more to send.
        if stream.set_nodelay(true).is_err() {
            return;
        }
        match &self.tls {
            None if peer.ip().is_loopback() => self.serve(stream, Sender::Loopback).await,
            None => {}
            Some(tls) => match tokio::time::timeout(self.handshake, tls.accept(stream)).await {
                Ok(Ok((stream, sender))) => self.serve(stream, sender).await,
                Ok(Err(error)) => {
                    self.counts.failed_handshakes.add();
                    tracing::warn!(
                        %peer,
                        error = error.as_ref() as &dyn std::error::Error,
                        "A connection was refused"
                    );
                }
                Err(_) => self.counts.failed_handshakes.add(),
            },
        }
        drop(place);
    }

    async fn serve<S>(&self, stream: S, sender: Sender)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        self.counts.connections.up();
        let admission = Arc::clone(&self.admission);
        let service = service_fn(move |mut request: http::Request<Incoming>| {
            request.extensions_mut().insert(sender.clone());
            let admission = Arc::clone(&admission);
            async move { Ok::<http::Response<Body>, Infallible>(admission.answer(request).await) }
        });
        let (stream, spoke) = begun::watch(stream, begun::PREFACE);
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_PER_CONNECTION)
            .max_header_list_size(16 * 1024)
            .keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let silent = async {
            if tokio::time::timeout(self.handshake, spoke).await.is_ok() {
                std::future::pending::<()>().await;
            }
        };
        let over = tokio::select! {
            // A caller that breaks off is no event.
            _ = connection.as_mut() => true,
            () = silent => {
                self.counts.failed_handshakes.add();
                true
            }
            () = self.tasks.stopping() => false,
        };
        if !over {
            connection.as_mut().graceful_shutdown();
            if tokio::time::timeout(DRAIN, connection).await.is_err() {
                tracing::warn!("Some calls did not finish in time");
            }
        }
        self.counts.connections.down();
    }
}
