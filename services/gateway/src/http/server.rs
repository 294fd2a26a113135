//! Accepting connections and ending them gracefully.

use super::pipeline;
use crate::service::Gateway;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// Longest wait for running requests at the end.
const DRAIN: Duration = Duration::from_secs(20);
/// How long the first connections wait for a gateway that has just started: they are served a
/// moment later instead of refused. One that is not ready by then says so itself (503).
const START: Duration = Duration::from_secs(3);

/// A listening socket and the gateway behind it.
pub struct Server {
    listener: TcpListener,
    gateway: Arc<Gateway>,
}

impl Server {
    /// Listens on the public address; port 0 takes a free one.
    ///
    /// # Errors
    /// Those of the operating system.
    pub async fn bind(address: SocketAddr, gateway: Arc<Gateway>) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Ok(Self { listener, gateway })
    }

    /// The address that is listened on.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until the process stops, then lets running requests finish. Connections are taken
    /// once the gateway is ready, or does not become so in a few seconds.
    pub async fn run(self) {
        let tasks = self.gateway.tasks.clone();
        tokio::select! {
            () = tasks.stopping() => return,
            _ = tokio::time::timeout(START, self.gateway.ready()) => {}
        }
        let graceful = GracefulShutdown::new();
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(Some(self.gateway.config.head_timeout))
            .max_headers(64)
            .max_buf_size(64 * 1024)
            .keep_alive(true);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(Some(200))
            .max_header_list_size(32 * 1024);
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
            self.serve(stream, peer, &builder, &graceful);
        }
        drop(self.listener);
        if tokio::time::timeout(DRAIN, graceful.shutdown())
            .await
            .is_err()
        {
            tracing::warn!("Some requests did not finish in time");
        }
    }

    fn serve(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        builder: &Builder<TokioExecutor>,
        graceful: &GracefulShutdown,
    ) {
        // Small answers must not wait for more to send.
        if stream.set_nodelay(true).is_err() {
            return;
        }
        let gateway = Arc::clone(&self.gateway);
        let service = service_fn(move |request: http::Request<Incoming>| {
            pipeline::serve(Arc::clone(&gateway), peer.ip(), request)
        });
        let connection = builder
            .serve_connection(TokioIo::new(stream), service)
            .into_owned();
        let watched = graceful.watch(connection);
        self.gateway.tasks.spawn(async move {
            // A client that breaks off is no event.
            let _ = watched.await;
        });
    }
}
