//! Login: what it takes beside the password hash.

use super::{Stage, millis};
use crate::connection::Connection;
use crate::load::{ROUNDS, quantile};
use crate::process;
use crate::reference;
use crate::table::Row;
use crate::world;
use anyhow::Result;
use tokio::time::Instant;

/// Logins of a round, one after the other.
const LOGINS: usize = 30;
/// Most microseconds beside the hash.
const AIM_US: u64 = 1000;

/// Median time of a login without that of a bare hash.
pub(crate) async fn login(stage: &mut Stage<'_>) -> Result<Vec<Row>> {
    let person = stage.world.person().await?;
    let server = &stage.world.server;
    let request = world::login(server, &person.email).bytes();
    let mut connection = Connection::open(server.address).await?;
    let (mut best, mut bare) = (u64::MAX, u64::MAX);
    let cpu = process::cpu(server.pid())?;
    for _ in 0..ROUNDS {
        bare = bare.min(reference::hash_time(stage.pins)?);
        let mut times = Vec::new();
        for _ in 0..LOGINS {
            let started = Instant::now();
            connection.ask(&request).await?;
            times.push(u64::try_from(started.elapsed().as_micros())?);
        }
        times.sort_unstable();
        best = best.min(quantile(&times, 0.5));
    }
    let cpu = process::cpu(server.pid())? - cpu;
    let rest = best.saturating_sub(bare);
    let mut row = Row::new(
        "Login without its argon2id hash",
        format!("{} ms", millis(rest)),
    )
    .aim("≤ 1 ms", rest <= AIM_US)
    .note(format!("login {} ms, one at a time; medians", millis(best)));
    row.reference = format!("bare hash {} ms", millis(bare));
    row.cpu_us = Some(cpu.as_secs_f64() * 1e6 / (LOGINS * ROUNDS) as f64);
    Ok(vec![row])
}
