//! The management pages of a process: `/healthz`, `/readyz`, `/metrics`.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Longest time to the end of a request's head, and for which a resting connection is kept.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// Probes and scrapers keep a handful of connections; a stray client must not take all handles.
const MAX_CONNECTIONS: usize = 64;
/// Longest wait for running requests at the end.
const DRAIN: Duration = Duration::from_secs(5);

type IsReady = Arc<dyn Fn() -> bool + Send + Sync>;

/// A listening socket that shows the management pages. They answer one word, or the metrics of
/// the whole process.
pub struct Management {
    listener: TcpListener,
    is_ready: IsReady,
}

impl Management {
    /// Listens; port 0 takes a free one. `/readyz` answers 503 while `is_ready` says no.
    ///
    /// # Errors
    /// Those of the operating system.
    pub async fn bind(
        address: SocketAddr,
        is_ready: impl Fn() -> bool + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind(address).await?,
            is_ready: Arc::new(is_ready),
        })
    }

    /// The address that is listened on.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` resolves, then lets running requests finish.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        let graceful = GracefulShutdown::new();
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(Some(HEAD_TIMEOUT))
            .max_headers(64)
            .max_buf_size(64 * 1024);
        let mut connections = JoinSet::new();
        tokio::pin!(stop);
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                Some(_) = connections.join_next() => continue,
                accepted = self.listener.accept(), if connections.len() < MAX_CONNECTIONS => {
                    accepted
                }
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of file handles, most likely: let some connections end first.
                    tracing::warn!(%error, "A management connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let is_ready = Arc::clone(&self.is_ready);
            let service = service_fn(move |request: Request<Incoming>| {
                let answer = page(request.method(), request.uri().path(), &is_ready);
                std::future::ready(Ok::<_, Infallible>(answer))
            });
            let connection = builder.serve_connection(TokioIo::new(stream), service);
            let watched = graceful.watch(connection);
            connections.spawn(async move {
                // A client that breaks off is no event.
                let _ = watched.await;
            });
        }
        drop(self.listener);
        // Resting connections end at once; those still running after this are cut with the set.
        let _ = tokio::time::timeout(DRAIN, graceful.shutdown()).await;
    }
}

fn page(method: &Method, path: &str, is_ready: &IsReady) -> Response<Full<Bytes>> {
    const PLAIN: &str = "text/plain; charset=utf-8";
    const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let (status, kind, text) = match path {
        "/healthz" | "/readyz" | "/metrics" if method != Method::GET => {
            (StatusCode::METHOD_NOT_ALLOWED, PLAIN, "GET only\n".into())
        }
        "/healthz" => (StatusCode::OK, PLAIN, "ok\n".into()),
        "/readyz" if is_ready() => (StatusCode::OK, PLAIN, "ready\n".into()),
        "/readyz" => (StatusCode::SERVICE_UNAVAILABLE, PLAIN, "starting\n".into()),
        "/metrics" => (StatusCode::OK, METRICS, crate::metrics_text()),
        _ => (StatusCode::NOT_FOUND, PLAIN, "not found\n".into()),
    };
    let mut answer = Response::new(Full::new(Bytes::from(text)));
    *answer.status_mut() = status;
    let kind = header::HeaderValue::from_static(kind);
    answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tokio::sync::oneshot;

    async fn get(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    // contract: security S70
    #[tokio::test]
    async fn pages_say_one_word_and_readiness_follows_the_process() {
        let ready = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&ready);
        let local = SocketAddr::from(([127, 0, 0, 1], 0));
        let pages = Management::bind(local, move || seen.load(Ordering::Relaxed))
            .await
            .unwrap();
        let address = pages.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let mut running = JoinSet::new();
        running.spawn(pages.run(async {
            let _ = stopped.await;
        }));
        assert!(get(address, "/healthz").await.ends_with("\r\n\r\nok\n"));
        let starting = get(address, "/readyz").await;
        assert!(starting.starts_with("HTTP/1.1 503"), "{starting}");
        assert!(starting.ends_with("\r\n\r\nstarting\n"), "{starting}");
        ready.store(true, Ordering::Relaxed);
        let answer = get(address, "/readyz").await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ready\n"));
        assert!(get(address, "/metrics").await.ends_with("# EOF\n"));
        assert!(get(address, "/else").await.starts_with("HTTP/1.1 404"));

        // A resting connection does not hold up the end.
        let _resting = TcpStream::connect(address).await.unwrap();
        stop.send(()).unwrap();
        running.join_next().await.unwrap().unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }
}
