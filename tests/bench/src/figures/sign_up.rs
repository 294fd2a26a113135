//! Sign-up: how many there are of the hashes that the processor can make.

use super::{Stage, millis};
use crate::connection::Request;
use crate::load::{CONNECTIONS, ROUNDS, Rate, Script};
use crate::reference::BareHash;
use crate::table::Row;
use crate::world::PASSWORD;
use anyhow::Result;
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

/// How long bare hashes are counted before each round.
const HASHING: Duration = Duration::from_secs(1);

/// Sign-ups per second beside bare hashes per second on the same core.
pub(crate) async fn sign_up(stage: &mut Stage<'_>) -> Result<Vec<Row>> {
    let mut hash = BareHash::start(stage.pins)?;
    let (mut hashes, mut best) = (0.0_f64, Rate::default());
    for round in 0..ROUNDS {
        let (started, mut count) = (Instant::now(), 0_u32);
        while started.elapsed() < HASHING {
            hash.check()?;
            count += 1;
        }
        hashes = hashes.max(f64::from(count) / started.elapsed().as_secs_f64());
        let scripts = (0..CONNECTIONS)
            .map(|connection| newcomers(&stage.world.anonymous, round, connection))
            .collect();
        best = best.or_better(stage.round(scripts, 200).await?);
    }
    let mut row =
        Row::new("Sign-up, 32 at a time", format!("{:.0}/s", best.per_second)).note(format!(
            "p50 {} ms, p99 {} ms",
            millis(best.p50_us),
            millis(best.p99_us)
        ));
    row.reference = format!("bare hash {hashes:.0}/s");
    row.ratio = Some(best.per_second / hashes);
    row.cpu_us = Some(best.cpu_us);
    Ok(vec![row])
}

/// One new account after the other.
fn newcomers(anonymous: &str, round: usize, connection: usize) -> Script {
    let anonymous = anonymous.to_owned();
    let mut next = 0_u32;
    Box::new(move |_| {
        next += 1;
        let body = json!({
            "email": format!("newcomer-{round}-{connection}-{next}@example.com"),
            "password": PASSWORD, "firstName": "Ada", "lastName": "Lovelace",
        });
        let request = Request::json("/v1/api/current_user/create", &body);
        Ok(request.by(&anonymous).bytes())
    })
}
