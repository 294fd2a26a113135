//! The process itself: how fast it is ready, and what it holds when nobody asks.

use crate::load::ROUNDS;
use crate::process::{self, Pins};
use crate::server::{Cores, Server};
use crate::table::Row;
use anyhow::Result;
use std::path::Path;
use std::time::Duration;

/// Rest before the memory is read.
const IDLE: Duration = Duration::from_secs(10);
/// What a server gets after its start to come to rest.
const SETTLING: Duration = Duration::from_millis(300);
/// Most memory.
const AIM_MB: f64 = 60.0;
/// Longest start.
const AIM_START: Duration = Duration::from_secs(1);

/// From the start of the process to its word that it is ready.
pub(crate) async fn start(binary: &Path, folder: &Path, pins: &Pins) -> Result<Vec<Row>> {
    let (mut first, mut again) = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        let data = tempfile::tempdir_in(folder)?;
        for best in [&mut first, &mut again] {
            let server = Server::start(binary, data.path(), pins, Cores::All)?;
            *best = server.ready_after.min(*best);
            // So that it listens to signals and the next start finds an orderly end.
            std::thread::sleep(SETTLING);
            server.stop().await?;
        }
    }
    let row = |figure: &str, took: Duration| {
        Row::new(figure, format!("{} ms", took.as_millis())).aim("≤ 1 s", took <= AIM_START)
    };
    Ok(vec![
        row("Start to ready, new folder", first),
        row("Start to ready, known folder", again),
    ])
}

/// Memory of an empty marketplace at rest.
pub(crate) async fn memory(binary: &Path, folder: &Path, pins: &Pins) -> Result<Vec<Row>> {
    let data = tempfile::tempdir_in(folder)?;
    let server = Server::start(binary, data.path(), pins, Cores::All)?;
    let cpu = process::cpu(&server.pids())?;
    tokio::time::sleep(IDLE).await;
    let memory = process::memory(server.pids()[0])?;
    let cpu = process::cpu(&server.pids())? - cpu;
    server.stop().await?;
    let mb = |kib: u64| kib as f64 * 1024.0 / 1e6;
    let row = Row::new("Idle memory", format!("{:.0} MB resident", mb(memory.rss)))
        .aim("≤ 60 MB", mb(memory.rss) <= AIM_MB)
        .note(format!(
            "proportional {:.0} MB; CPU at rest {:.1} %",
            mb(memory.pss),
            cpu.as_secs_f64() / IDLE.as_secs_f64() * 100.0
        ));
    Ok(vec![row])
}
