//! The load generator: connections that always have one request under way.

use crate::connection::{Answer, Connection};
use crate::process;
use anyhow::{Result, bail};
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Connections of a load.
pub(crate) const CONNECTIONS: usize = 32;
/// Length of a round.
pub(crate) const ROUND: Duration = Duration::from_secs(2);
/// Rounds of a figure.
pub(crate) const ROUNDS: usize = 3;
/// What is run before a round and not counted.
const WARM_UP: Duration = Duration::from_millis(300);

/// The requests of one connection: the next one, made of the answer to the last.
pub(crate) type Script = Box<dyn FnMut(Option<&Answer<'_>>) -> Result<Bytes> + Send>;

/// The requests one after the other, for ever, beginning at `first`.
pub(crate) fn in_turn(requests: Arc<[Bytes]>, first: usize) -> Script {
    let mut next = first;
    Box::new(move |_| {
        next += 1;
        Ok(requests[next % requests.len()].clone())
    })
}

/// A script for each connection, all with the same requests.
pub(crate) fn shared(requests: Vec<Bytes>) -> impl Fn() -> Vec<Script> {
    let requests: Arc<[Bytes]> = requests.into();
    move || {
        (0..CONNECTIONS)
            .map(|i| in_turn(Arc::clone(&requests), i * 7))
            .collect()
    }
}

/// What a round came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rate {
    /// Answers in a second.
    pub(crate) per_second: f64,
    /// Processor time of the server per answer, in microseconds.
    pub(crate) cpu_us: f64,
    /// Median time of an answer, in microseconds.
    pub(crate) p50_us: u64,
    /// Time that 99 of 100 answers keep, in microseconds.
    pub(crate) p99_us: u64,
}

impl Rate {
    /// The faster one.
    pub(crate) fn or_better(self, other: Self) -> Self {
        if other.per_second > self.per_second {
            other
        } else {
            self
        }
    }
}

/// Runs the scripts for one round, spread over these servers; every answer must have this status.
/// `pids` are the processes whose time is counted.
pub(crate) async fn round(
    servers: &[SocketAddr],
    pids: &[u32],
    scripts: Vec<Script>,
    status: u16,
) -> Result<Rate> {
    let load = Load::start(servers, scripts, status).await?;
    tokio::time::sleep(WARM_UP).await;
    load.count();
    let (started, cpu) = (Instant::now(), process::cpu(pids)?);
    tokio::time::sleep(ROUND).await;
    load.counts.store(false, Ordering::Relaxed);
    let (took, cpu) = (started.elapsed(), process::cpu(pids)? - cpu);
    let mut times = load.stop().await?;
    if times.is_empty() {
        bail!("no answer in a whole round");
    }
    times.sort_unstable();
    let answers = times.len() as f64;
    Ok(Rate {
        per_second: answers / took.as_secs_f64(),
        cpu_us: cpu.as_secs_f64() * 1e6 / answers,
        p50_us: quantile(&times, 0.50),
        p99_us: quantile(&times, 0.99),
    })
}

/// The value that this part of the sorted values does not exceed.
pub(crate) fn quantile<T: Copy + Default>(sorted: &[T], part: f64) -> T {
    let at = (sorted.len() as f64 * part).ceil() as usize;
    sorted
        .get(at.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

/// A load that runs until it is stopped.
pub(crate) struct Load {
    /// Whether answers are counted.
    counts: Arc<AtomicBool>,
    stops: Arc<AtomicBool>,
    connections: JoinSet<Result<Vec<u64>>>,
}

impl Load {
    /// Starts it, spread over these servers; answers are not counted yet.
    pub(crate) async fn start(
        servers: &[SocketAddr],
        scripts: Vec<Script>,
        status: u16,
    ) -> Result<Self> {
        let (counts, stops) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicBool::new(false)),
        );
        let mut connections = JoinSet::new();
        for (i, script) in scripts.into_iter().enumerate() {
            let connection = Connection::open(servers[i % servers.len()]).await?;
            let (counts, stops) = (Arc::clone(&counts), Arc::clone(&stops));
            connections.spawn(drive(connection, script, status, counts, stops));
        }
        Ok(Self {
            counts,
            stops,
            connections,
        })
    }

    /// From now on answers are counted.
    pub(crate) fn count(&self) {
        self.counts.store(true, Ordering::Relaxed);
    }

    /// Ends it and gives the time of each counted answer, in microseconds.
    pub(crate) async fn stop(mut self) -> Result<Vec<u64>> {
        self.stops.store(true, Ordering::Relaxed);
        let mut times = Vec::new();
        while let Some(ended) = self.connections.join_next().await {
            times.extend(ended??);
        }
        Ok(times)
    }
}

async fn drive(
    mut connection: Connection,
    mut script: Script,
    status: u16,
    counts: Arc<AtomicBool>,
    stops: Arc<AtomicBool>,
) -> Result<Vec<u64>> {
    let mut times = Vec::new();
    let mut request = script(None)?;
    while !stops.load(Ordering::Relaxed) {
        let started = Instant::now();
        let answer = connection.send(&request).await?;
        if answer.status != status {
            bail!(
                "{} to {}\n{}",
                answer.status,
                String::from_utf8_lossy(&request),
                answer.text()
            );
        }
        if counts.load(Ordering::Relaxed) {
            times.push(u64::try_from(started.elapsed().as_micros())?);
        }
        request = script(Some(&answer))?;
    }
    Ok(times)
}
