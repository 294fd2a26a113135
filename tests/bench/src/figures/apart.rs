//! A process per service: what each holds at rest, and how fast it is ready again.

use crate::process;
use crate::server::Server;
use crate::table::Row;
use anyhow::{Context as _, Result};
use std::time::Duration;
use tokio::time::Instant;

/// Rest before the memory is read.
const IDLE: Duration = Duration::from_secs(10);
/// Most memory of one process.
const AIM_MB: f64 = 60.0;
/// Longest start of one process.
const AIM_START: Duration = Duration::from_secs(1);

/// Memory of each process of an empty marketplace at rest; the row is the largest.
pub(crate) async fn memory(server: &Server) -> Result<Vec<Row>> {
    let cluster = server.cluster().context("one process")?;
    let cpu = process::cpu(&server.pids())?;
    tokio::time::sleep(IDLE).await;
    let cpu = process::cpu(&server.pids())? - cpu;
    let (mut most, mut each) = (0.0_f64, Vec::new());
    for part in cluster.parts() {
        let held = process::memory(part.pid().context("a process ended")?)?;
        let mb = held.rss as f64 * 1024.0 / 1e6;
        most = most.max(mb);
        each.push(format!("{} {mb:.0}", part.name()));
    }
    let row = Row::new(
        "Idle memory of the largest process",
        format!("{most:.0} MB resident"),
    )
    .aim("≤ 60 MB", most <= AIM_MB)
    .note(format!(
        "{}; CPU of all at rest {:.1} %",
        each.join(", "),
        cpu.as_secs_f64() / IDLE.as_secs_f64() * 100.0
    ));
    Ok(vec![row])
}

/// From the start of a process to its word that it is ready, one after the other while the others
/// run; the row is the slowest.
pub(crate) async fn start(server: &Server) -> Result<Vec<Row>> {
    let cluster = server.cluster().context("one process")?;
    let (mut most, mut each) = (Duration::ZERO, Vec::new());
    for part in cluster.parts() {
        part.terminate();
        part.ended().await;
        let started = Instant::now();
        part.start();
        part.ready().await;
        let took = started.elapsed();
        most = most.max(took);
        each.push(format!("{} {}", part.name(), took.as_millis()));
    }
    let row = Row::new(
        "Start of the slowest process to ready",
        format!("{} ms", most.as_millis()),
    )
    .aim("≤ 1 s", most <= AIM_START)
    .note(format!(
        "{}; all at once from nothing {} ms",
        each.join(", "),
        server.ready_after.as_millis()
    ));
    Ok(vec![row])
}
