//! One address of a peer: the connection to it, its running calls, its back-off.

use super::begun;
use super::counts::PeerCounts;
use super::timing::Timing;
use super::tls::Tls;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use parking_lot::Mutex;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::BoxError;

/// The body of a request: small and kept, so that it can be sent again.
pub(super) type RequestBody = Full<Bytes>;
type Sender = http2::SendRequest<RequestBody>;
type Driver = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

/// Space for one answer before the reader has to take some.
const STREAM_WINDOW: u32 = 1024 * 1024;
/// Space for all answers on a connection.
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
/// A connection that lived this long was a good one: the back-off begins anew.
const LIVED: Duration = Duration::from_secs(5);

/// Why a request has no answer.
#[derive(Debug)]
pub(super) struct Lost {
    /// True when the peer certainly did not begin to work on it.
    pub(super) never_processed: bool,
    /// The cause, for the log.
    pub(super) cause: BoxError,
}

impl Lost {
    fn new(cause: hyper::Error, returned: bool) -> Self {
        Self {
            never_processed: returned || refused_by_peer(&cause),
            cause: cause.into(),
        }
    }

    /// The request was sent and its answer broke off.
    pub(super) fn half_way(cause: hyper::Error) -> Self {
        Self {
            never_processed: false,
            cause: cause.into(),
        }
    }
}

/// True when the peer said itself that it did not process the stream (RFC 9113 sections 6.8, 8.7).
fn refused_by_peer(error: &hyper::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(h2) = cause.downcast_ref::<h2::Error>() {
            let refused = h2.is_reset() && h2.reason() == Some(h2::Reason::REFUSED_STREAM);
            // Only streams above the announced last one end this way when the peer goes in peace.
            let gone = h2.is_go_away() && h2.reason() == Some(h2::Reason::NO_ERROR);
            return h2.is_remote() && (refused || gone);
        }
        source = cause.source();
    }
    false
}

/// What all connections to one peer share.
pub(super) struct Dial {
    /// Name of the service: its server name, and the peer in the log.
    pub(super) service: &'static str,
    pub(super) tls: Option<Tls>,
    pub(super) timing: Timing,
    pub(super) counts: Arc<PeerCounts>,
    /// Told whenever a connection comes or goes.
    pub(super) changed: watch::Sender<()>,
}

impl Dial {
    async fn connect(&self, address: SocketAddr) -> Result<(Sender, Driver), BoxError> {
        if self.tls.is_none() && !address.ip().is_loopback() {
            return Err("plain text leaves this machine: [tls] is needed".into());
        }
        let stream = TcpStream::connect(address).await?;
        // A small request must not wait for more to send.
        stream.set_nodelay(true)?;
        match &self.tls {
            None => self.handshake(stream).await,
            Some(tls) => {
                self.handshake(tls.connect(self.service, stream).await?)
                    .await
            }
        }
    }

    async fn handshake<S>(&self, stream: S) -> Result<(Sender, Driver), BoxError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (stream, spoke) = begun::watch(stream, begun::SETTINGS);
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(32 * 1024)
            .keep_alive_interval(self.timing.keep_alive)
            .keep_alive_timeout(self.timing.keep_alive_timeout)
            .keep_alive_while_idle(true)
            .handshake(TokioIo::new(stream))
            .await?;
        let mut driver: Driver = Box::pin(connection);
        // The system accepts connections for a process that hangs or does not serve yet: it is up
        // when it has said something.
        tokio::select! {
            ended = &mut driver => Err(ended.err().map_or("closed at once".into(), BoxError::from)),
            _ = spoke => Ok((sender, driver)),
        }
    }
}

/// One address of a peer.
pub(super) struct Connection {
    pub(super) address: SocketAddr,
    sender: Mutex<Option<Sender>>,
    running: AtomicUsize,
    retired: CancellationToken,
}

impl Connection {
    /// An address that nobody connects to yet; it is given up when `retired` is cancelled.
    pub(super) fn new(address: SocketAddr, retired: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            address,
            sender: Mutex::new(None),
            running: AtomicUsize::new(0),
            retired,
        })
    }

    /// True when calls may be sent.
    pub(super) fn is_live(&self) -> bool {
        self.sender.lock().as_ref().is_some_and(|s| !s.is_closed())
    }

    /// Calls running here.
    pub(super) fn running(&self) -> usize {
        self.running.load(Ordering::Relaxed)
    }

    /// Counts a call until the returned value is dropped.
    pub(super) fn begin(self: &Arc<Self>, counts: &Arc<PeerCounts>) -> Running {
        self.running.fetch_add(1, Ordering::Relaxed);
        counts.running.up();
        Running(Arc::clone(self), Arc::clone(counts))
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn send(
        &self,
        request: http::Request<RequestBody>,
    ) -> Result<http::Response<Incoming>, Lost> {
        let sender = self.sender.lock().clone();
        let Some(mut sender) = sender else {
            // It was live when the caller chose it.
            return Err(Lost {
                never_processed: true,
                cause: "the connection has gone".into(),
            });
        };
        sender.try_send_request(request).await.map_err(|mut error| {
            let returned = error.take_message().is_some();
            Lost::new(error.into_error(), returned)
        })
    }

    /// Takes the address out of use; running calls finish.
    pub(super) fn retire(&self) {
        self.retired.cancel();
    }

    /// Keeps a connection to the address until it is retired.
    pub(super) async fn keep(self: Arc<Self>, dial: Arc<Dial>) {
        let mut pause = dial.timing.first_pause;
        loop {
            let connect = tokio::time::timeout(dial.timing.connect, dial.connect(self.address));
            let connected = tokio::select! {
                () = self.retired.cancelled() => return,
                connected = connect => connected,
            };
            match connected {
                Ok(Ok((sender, driver))) => {
                    let since = Instant::now();
                    if self.serve(&dial, sender, driver).await {
                        return;
                    }
                    if since.elapsed() >= LIVED {
                        pause = dial.timing.first_pause;
                    }
                }
                Ok(Err(error)) => self.report(&dial, error.as_ref()),
                Err(too_slow) => self.report(&dial, &too_slow),
            }
            tokio::select! {
                () = self.retired.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(dial.timing.longest_pause);
        }
    }

    /// Lets calls use the connection until it ends (false) or the address is retired (true).
    async fn serve(&self, dial: &Dial, sender: Sender, mut driver: Driver) -> bool {
        *self.sender.lock() = Some(sender);
        dial.counts.connections.up();
        dial.changed.send_replace(());
        let ended = tokio::select! {
            () = self.retired.cancelled() => None,
            ended = &mut driver => Some(ended),
        };
        *self.sender.lock() = None;
        dial.counts.connections.down();
        dial.changed.send_replace(());
        let Some(ended) = ended else {
            // Without a sender the connection ends with its last call.
            let _ = driver.await;
            return true;
        };
        if let Err(error) = ended {
            tracing::warn!(
                peer = dial.service,
                address = %self.address,
                %error,
                "A connection to a peer was lost"
            );
        }
        false
    }

    fn report(&self, dial: &Dial, error: &dyn std::error::Error) {
        dial.counts.connect_failures.add();
        dial.changed.send_replace(());
        tracing::debug!(
            peer = dial.service,
            address = %self.address,
            %error,
            "A peer cannot be reached"
        );
    }
}

/// A running call.
pub(super) struct Running(Arc<Connection>, Arc<PeerCounts>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
        self.1.running.down();
    }
}
