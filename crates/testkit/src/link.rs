//! Connections that tests may cut, hold and slow down.
//!
//! A link is a proxy on loopback. What a hole swallows is held and delivered when it is gone, as
//! TCP would send it again; only a cut ends connections.

use crate::ports;
use sqlx::postgres::PgConnectOptions;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// Bytes that one read takes.
const CHUNK: usize = 16 * 1024;
/// Chunks under way in one direction.
const UNDER_WAY: usize = 64;

/// What a connection goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// Everything arrives.
    Fair,
    /// Connections end, new ones end at once.
    Cut,
    /// Nothing arrives, nobody is told.
    Hole,
    /// What the caller sends does not arrive; answers do.
    Deaf,
    /// What the caller sends arrives; answers do not.
    Mute,
    /// Everything arrives, so much later, in each direction half of it.
    Slow(Duration),
}

impl Weather {
    fn holds(self, there: bool) -> bool {
        match self {
            Self::Hole => true,
            Self::Deaf => there,
            Self::Mute => !there,
            Self::Fair | Self::Cut | Self::Slow(_) => false,
        }
    }

    fn delay(self) -> Duration {
        match self {
            Self::Slow(delay) => delay / 2,
            _ => Duration::ZERO,
        }
    }
}

/// Where a link leads.
#[derive(Clone, Debug)]
pub enum Target {
    /// An address.
    Tcp(SocketAddr),
    /// A socket of this machine.
    Unix(PathBuf),
}

impl Target {
    /// Where a PostgreSQL server listens.
    pub(crate) fn of(server: &PgConnectOptions) -> Self {
        let (host, port) = (server.get_host(), server.get_port());
        match server.get_socket() {
            Some(folder) => Self::Unix(folder.join(format!(".s.PGSQL.{port}"))),
            None => {
                let host = if host == "localhost" {
                    "127.0.0.1"
                } else {
                    host
                };
                Self::Tcp(format!("{host}:{port}").parse().expect("an address"))
            }
        }
    }
}

/// A way from one service to another.
#[derive(Clone)]
pub struct Link {
    weather: Arc<watch::Sender<Weather>>,
}

impl Link {
    /// Changes what the connections of this link go through, also those that are open.
    pub fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }
}

/// All links of a test. They have threads of their own, so that a busy test does not slow them.
#[derive(Default)]
pub struct Network {
    runtime: Option<Runtime>,
    links: Vec<(String, String, Link)>,
}

impl Network {
    /// No links yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens a link; gives the address to call instead of the target.
    pub fn open(&mut self, from: &str, to: &str, target: Target) -> SocketAddr {
        let runtime = self.runtime.get_or_insert_with(|| {
            tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .thread_name("links")
                .enable_all()
                .build()
                .expect("threads can be started")
        });
        let listener = loop {
            if let Ok(listener) = std::net::TcpListener::bind(ports::free()) {
                break listener;
            }
        };
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("a socket");
        let link = Link {
            weather: Arc::new(watch::Sender::new(Weather::Fair)),
        };
        let weather = link.weather.subscribe();
        runtime.spawn(listen(listener, target, weather));
        self.links.push((from.to_owned(), to.to_owned(), link));
        address
    }

    /// Opens a link from `from` to the PostgreSQL of a URL; gives the URL that leads through it.
    ///
    /// # Panics
    /// When the URL is none, or its server is neither on a socket nor at an address.
    pub fn to_postgres(&mut self, from: &str, url: &str) -> (String, Link) {
        let server: PgConnectOptions = url.parse().expect("a PostgreSQL URL");
        let port = self.open(from, "postgres", Target::of(&server)).port();
        let user = server.get_username();
        let name = server.get_database().unwrap_or(user);
        let link = self.between(from, "postgres").pop().expect("just opened");
        let url = format!("postgres://{user}@127.0.0.1:{port}/{name}?sslmode=disable");
        (url, link)
    }

    /// The links from one to the other, in the order in which they were opened.
    pub fn between(&self, from: &str, to: &str) -> Vec<Link> {
        self.links
            .iter()
            .filter(|(f, t, _)| f == from && t == to)
            .map(|(_, _, link)| link.clone())
            .collect()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn listen(
    listener: std::net::TcpListener,
    target: Target,
    weather: watch::Receiver<Weather>,
) {
    let listener = TcpListener::from_std(listener).expect("a socket");
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((caller, _)) = accepted {
                    connections.spawn(connect(caller, target.clone(), weather.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connect(caller: TcpStream, target: Target, weather: watch::Receiver<Weather>) {
    let _ = caller.set_nodelay(true);
    let through = async {
        match target {
            Target::Tcp(address) => {
                let Ok(stream) = TcpStream::connect(address).await else {
                    return;
                };
                let _ = stream.set_nodelay(true);
                carry(caller, stream, &weather).await;
            }
            Target::Unix(path) => {
                let Ok(stream) = UnixStream::connect(path).await else {
                    return;
                };
                carry(caller, stream, &weather).await;
            }
        }
    };
    let mut cut = weather.clone();
    tokio::select! {
        biased;
        _ = cut.wait_for(|now| *now == Weather::Cut) => {}
        () = through => {}
    }
}

async fn carry(
    caller: TcpStream,
    target: impl AsyncRead + AsyncWrite,
    weather: &watch::Receiver<Weather>,
) {
    let (from_caller, to_caller) = tokio::io::split(caller);
    let (from_target, to_target) = tokio::io::split(target);
    // A side that has ended may still be told something by the other one.
    tokio::join!(
        pump(from_caller, to_target, weather.clone(), true),
        pump(from_target, to_caller, weather.clone(), false),
    );
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut weather: watch::Receiver<Weather>,
    there: bool,
) {
    let (sender, mut receiver) = mpsc::channel::<(Instant, Vec<u8>)>(UNDER_WAY);
    let reading = async move {
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = match from.read(&mut chunk).await {
                Ok(0) | Err(_) => break,
                Ok(read) => read,
            };
            let Ok(now) = weather.wait_for(|now| !now.holds(there)).await.map(|w| *w) else {
                break;
            };
            let due = Instant::now() + now.delay();
            if sender.send((due, chunk[..read].to_vec())).await.is_err() {
                break;
            }
        }
        // The end of a connection is not heard through a hole either.
        let _ = weather.wait_for(|now| !now.holds(there)).await;
    };
    let writing = async move {
        while let Some((due, chunk)) = receiver.recv().await {
            tokio::time::sleep_until(due).await;
            if to.write_all(&chunk).await.is_err() {
                return;
            }
        }
        let _ = to.shutdown().await;
    };
    tokio::join!(reading, writing);
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    /// A server that sends back what it hears, behind a link.
    async fn echo(network: &mut Network) -> (SocketAddr, Link) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap();
        let address = network.open("a", "b", Target::Tcp(target));
        let link = network.between("a", "b").remove(0);
        let serve = async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            }
        };
        network.runtime.as_ref().unwrap().spawn(serve);
        (address, link)
    }

    async fn hears(stream: &mut TcpStream, expected: &[u8]) -> bool {
        let mut heard = vec![0; expected.len()];
        let read = stream.read_exact(&mut heard);
        matches!(tokio::time::timeout(Duration::from_millis(300), read).await,
            Ok(Ok(_)) if heard == expected)
    }

    #[tokio::test]
    async fn what_a_hole_holds_arrives_when_it_is_gone() {
        let mut network = Network::new();
        let (address, link) = echo(&mut network).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"one").await.unwrap();
        assert!(hears(&mut stream, b"one").await);
        for weather in [Weather::Hole, Weather::Deaf, Weather::Mute] {
            link.set(weather);
            stream.write_all(b"two").await.unwrap();
            assert!(!hears(&mut stream, b"two").await, "{weather:?}");
            link.set(Weather::Fair);
            assert!(hears(&mut stream, b"two").await, "{weather:?}");
        }
    }

    #[tokio::test]
    async fn a_cut_ends_what_is_open_and_what_comes() {
        let mut network = Network::new();
        let (address, link) = echo(&mut network).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"one").await.unwrap();
        assert!(hears(&mut stream, b"one").await);
        link.set(Weather::Cut);
        assert!(matches!(stream.read(&mut [0; 8]).await, Ok(0) | Err(_)));
        let mut late = TcpStream::connect(address).await.unwrap();
        let _ = late.write_all(b"one").await;
        assert!(!hears(&mut late, b"one").await);
        link.set(Weather::Fair);
        let mut fresh = TcpStream::connect(address).await.unwrap();
        fresh.write_all(b"one").await.unwrap();
        assert!(hears(&mut fresh, b"one").await);
    }

    #[tokio::test]
    async fn a_slow_link_delays_and_loses_nothing() {
        let mut network = Network::new();
        let (address, link) = echo(&mut network).await;
        link.set(Weather::Slow(Duration::from_millis(200)));
        let mut stream = TcpStream::connect(address).await.unwrap();
        let asked = Instant::now();
        stream.write_all(b"one").await.unwrap();
        assert!(hears(&mut stream, b"one").await);
        assert!(asked.elapsed() >= Duration::from_millis(200));
    }
}
