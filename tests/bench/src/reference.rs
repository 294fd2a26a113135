//! What the figures are held against. Each reference is a process of its own on the server's core:
//! this program again, with the name of a reference.

use crate::load::CONNECTIONS;
use crate::process::Pins;
use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::Arc;
use std::time::Duration;
use stoa_credentials::{Cost, PasswordHasher};
use stoa_db::{Db, DbConfig, DbError, MigrationSet, Synchronous, migrations, sql};
use stoa_types::OsEntropy;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Instant;

const MIGRATIONS: MigrationSet = migrations!("0001_rows");
/// Size of the answer of the bare server.
const BODY: usize = 2048;
/// How long commits are counted.
const COMMITTING: Duration = Duration::from_secs(2);
const PASSWORD: &str = "correct horse battery";

/// A reference, run as a process.
#[derive(clap::Subcommand)]
pub(crate) enum Reference {
    /// A hyper server with one answer of 2 KB; prints its address.
    Hyper,
    /// Durable commits of three rows each; prints commits per second.
    Commits {
        /// Folder for a SQLite file, or URL of a PostgreSQL server.
        place: String,
        /// How many commit at the same time.
        clients: usize,
    },
    /// Checks a password for each line of standard input; prints its microseconds.
    Hash,
}

impl Reference {
    /// Runs it.
    pub(crate) async fn run(self) -> Result<()> {
        let said = match self {
            Self::Hyper => return serve().await,
            Self::Commits { place, clients } => commits(&place, clients).await?.to_string(),
            Self::Hash => return hash().await,
        };
        Ok(writeln!(std::io::stdout(), "{said}")?)
    }
}

async fn serve() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
    let body = Bytes::from(format!("{{\"data\":\"{}\"}}", "x".repeat(BODY - 11)));
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let body = body.clone();
        let service = service_fn(move |_| {
            let mut answer = hyper::Response::new(Full::new(body.clone()));
            let kind = hyper::header::HeaderValue::from_static("application/json");
            answer
                .headers_mut()
                .insert(hyper::header::CONTENT_TYPE, kind);
            async move { Ok::<_, Infallible>(answer) }
        });
        let serving = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service);
        connections.spawn(serving);
        while connections.try_join_next().is_some() {}
    }
}

async fn commits(place: &str, clients: usize) -> Result<f64> {
    let config = if place.starts_with("postgres:") {
        DbConfig::Postgres {
            url: place.to_owned(),
            schema: format!("bare_{}", std::process::id()),
            max_connections: 8,
        }
    } else {
        DbConfig::Sqlite {
            path: Path::new(place).join("bare.sqlite"),
            synchronous: Synchronous::Full,
        }
    };
    let db = Db::open_migrated(&config, &MIGRATIONS).await?;
    let started = Instant::now();
    let mut writers = JoinSet::new();
    for client in 0..clients {
        let db = db.clone();
        writers.spawn(async move {
            let mut next = i64::try_from(client).unwrap_or_default() << 32;
            let mut done = 0_u32;
            while started.elapsed() < COMMITTING {
                let first = next;
                next += 3;
                db.write(|tx| async move {
                    for id in first..first + 3 {
                        let row = sql("INSERT INTO rows (id, body) VALUES ($1, $2)")
                            .bind(id)
                            .bind("a row of about the size of a small event, which is not much");
                        tx.execute_expecting(1, row).await?;
                    }
                    Ok::<_, DbError>(())
                })
                .await?;
                done += 1;
            }
            Ok::<_, DbError>(done)
        });
    }
    let mut total = 0;
    while let Some(done) = writers.join_next().await {
        total += done??;
    }
    Ok(f64::from(total) / started.elapsed().as_secs_f64())
}

async fn hash() -> Result<()> {
    let hasher = PasswordHasher::new(Cost::Production, 1, Arc::new(OsEntropy));
    let stored = hasher.hash(PASSWORD.to_owned()).await?;
    for line in std::io::stdin().lines() {
        line?;
        let started = Instant::now();
        let verified = hasher
            .verify(PASSWORD.to_owned(), Some(stored.clone()))
            .await?;
        let took = started.elapsed().as_micros();
        if !verified.ok {
            bail!("the password does not match its own hash");
        }
        writeln!(std::io::stdout(), "{took}")?;
    }
    Ok(())
}

/// The bare server as a process; ends when this value is dropped.
pub(crate) struct BareHyper {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl BareHyper {
    /// Starts it.
    pub(crate) fn start(pins: &Pins) -> Result<Self> {
        let mut child = pins
            .on_server_core(&std::env::current_exe()?)
            .args(["reference", "hyper"])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no standard output")?).read_line(&mut line)?;
        let address = line.trim().parse().context("the bare server is silent")?;
        Ok(Self { child, address })
    }

    /// Id of the process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for BareHyper {
    fn drop(&mut self) {
        // Nothing to do about a process that is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where bare durable commits are made.
#[derive(Clone, Copy)]
pub(crate) enum Commits<'s> {
    /// In a SQLite file on the file system of the server's data, which is what makes them slow.
    Beside(&'s Path),
    /// On the PostgreSQL server that the processes use, over eight connections as each of them.
    On(&'s str),
}

impl Commits<'_> {
    /// Commits per second, from one client or from as many as a load has.
    pub(crate) fn rate(self, pins: &Pins, alone: bool) -> Result<f64> {
        let clients = if alone { 1 } else { CONNECTIONS };
        let folder;
        let place = match self {
            Self::On(url) => url,
            Self::Beside(beside) => {
                folder = tempfile::tempdir_in(beside)?;
                folder.path().to_str().context("a folder without text")?
            }
        };
        measure(pins, &["commits", place, &clients.to_string()])?
            .parse()
            .context("no commits per second")
    }
}

fn measure(pins: &Pins, arguments: &[&str]) -> Result<String> {
    let out = pins
        .on_server_core(&std::env::current_exe()?)
        .arg("reference")
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()?;
    if !out.status.success() {
        bail!("the reference {arguments:?} failed");
    }
    Ok(String::from_utf8(out.stdout)?.trim().to_owned())
}

/// A process that checks passwords when it is told to; ends when this value is dropped.
pub(crate) struct BareHash {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl BareHash {
    /// Starts it.
    pub(crate) fn start(pins: &Pins) -> Result<Self> {
        let mut child = pins
            .on_server_core(&std::env::current_exe()?)
            .args(["reference", "hash"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().context("no standard output")?);
        Ok(Self {
            child,
            input,
            output,
        })
    }

    /// Time of one check in microseconds.
    pub(crate) fn check(&mut self) -> Result<u64> {
        let input = self.input.as_mut().context("no standard input")?;
        input.write_all(b"\n")?;
        input.flush()?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        line.trim().parse().context("no microseconds")
    }
}

impl Drop for BareHash {
    fn drop(&mut self) {
        // The end of its input tells it; nothing to do about a process that is gone already.
        drop(self.input.take());
        let _ = self.child.wait();
    }
}
