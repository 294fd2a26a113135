//! Login: what it takes beside the password hash.

use super::{Stage, millis};
use crate::connection::Connection;
use crate::load::quantile;
use crate::process;
use crate::reference::BareHash;
use crate::table::Row;
use crate::world;
use anyhow::Result;
use tokio::time::Instant;

/// Logins, one after the other.
const LOGINS: usize = 150;
/// Most microseconds beside the hash.
const AIM_US: u64 = 1000;

/// Median time of a login without that of a bare hash. The two take turns: the speed of memory,
/// which is what a hash needs, changes within seconds on a shared machine.
pub(crate) async fn login(stage: &mut Stage<'_>) -> Result<Vec<Row>> {
    let person = stage.world.person().await?;
    let server = &stage.world.server;
    let request = world::login(server, &person.email).bytes();
    let mut connection = Connection::open(server.address).await?;
    let mut hash = BareHash::start(stage.pins)?;
    let (mut logins, mut hashes) = (Vec::new(), Vec::new());
    let cpu = process::cpu(&server.pids())?;
    for _ in 0..LOGINS {
        hashes.push(hash.check()?);
        let started = Instant::now();
        connection.ask(&request).await?;
        logins.push(u64::try_from(started.elapsed().as_micros())?);
    }
    let cpu = process::cpu(&server.pids())? - cpu;
    logins.sort_unstable();
    hashes.sort_unstable();
    let (best, bare) = (quantile(&logins, 0.5), quantile(&hashes, 0.5));
    let rest = best.saturating_sub(bare);
    let mut row = Row::new(
        "Login without its argon2id hash",
        format!("{} ms", millis(rest)),
    )
    .aim("≤ 1 ms", rest <= AIM_US)
    .note(format!("login {} ms, one at a time; medians", millis(best)));
    row.reference = format!("bare hash {} ms", millis(bare));
    row.cpu_us = Some(cpu.as_secs_f64() * 1e6 / LOGINS as f64);
    Ok(vec![row])
}
