//! Starting a transaction.

use super::Stage;
use crate::commits::{self, DATABASES};
use crate::connection::{Connection, Request};
use crate::load::{CONNECTIONS, in_turn};
use crate::table::Row;
use anyhow::{Result, bail};
use bytes::Bytes;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Calls whose commits are counted, one after the other.
const COUNTED: usize = 20;
/// A server that wrote nothing for so long has nothing left to do.
const QUIET: Duration = Duration::from_millis(500);

/// `initiate` of `free-request`, each connection as another customer.
pub(crate) async fn initiate(stage: &mut Stage<'_>) -> Result<Vec<Row>> {
    let mut customers: Vec<Arc<[Bytes]>> = Vec::new();
    for _ in 0..CONNECTIONS {
        let person = stage.world.person().await?;
        let token = stage.world.trusted(&person).await?;
        let listings = stage.world.listings.iter().take(100);
        customers.push(
            listings
                .map(|listing| free_request(listing).by(&token).bytes())
                .collect(),
        );
    }
    let scripts = || {
        let customers = customers.iter().enumerate();
        customers
            .map(|(i, requests)| in_turn(Arc::clone(requests), i * 3))
            .collect()
    };
    let mut row = stage
        .beside_commits("`initiate` of `free-request`, 32 customers", scripts, 0.15)
        .await?;
    if let Some(data) = stage.world.server.data() {
        let counted = count(stage, data, &customers[0]).await?;
        row.note = format!("{}; commits per call: {counted}", row.note);
    }
    Ok(vec![row])
}

fn free_request(listing: &str) -> Request {
    let line = json!({
        "code": "line-item/request",
        "unitPrice": {"amount": 5000, "currency": "EUR"},
        "quantity": 1,
    });
    let body = json!({
        "processAlias": "free-request/release-1",
        "transition": "transition/request",
        "params": {"listingId": listing, "lineItems": [line]},
    });
    Request::json("/v1/api/transactions/initiate", &body)
}

/// Commits of all services that come of one call, those of consumers of its event too.
async fn count(stage: &Stage<'_>, data: &Path, requests: &[Bytes]) -> Result<String> {
    let server = &stage.world.server;
    // A log that is begun anew while it is counted is counted once more.
    for _ in 0..5 {
        let before = quiet(data).await?;
        let mut connection = Connection::open(server.address).await?;
        for request in &requests[..COUNTED] {
            connection.ask(request).await?;
        }
        let after = quiet(data).await?;
        let pairs = DATABASES.iter().zip(after.iter().zip(&before));
        let counted: Option<Vec<_>> = pairs
            .map(|(name, (after, before))| Some((name, after.since(*before)?)))
            .collect();
        if let Some(counted) = counted {
            let parts: Vec<_> = counted
                .iter()
                .filter(|(_, commits)| *commits > 0)
                .map(|(name, commits)| format!("{name} {:.1}", *commits as f64 / COUNTED as f64))
                .collect();
            return Ok(parts.join(", "));
        }
    }
    bail!("the logs change too fast to be counted");
}

/// The logs, once nothing is written any more.
async fn quiet(data: &Path) -> Result<[commits::Log; 5]> {
    let mut last = commits::read(data)?;
    for _ in 0..60 {
        tokio::time::sleep(QUIET).await;
        let now = commits::read(data)?;
        if now == last {
            return Ok(now);
        }
        last = now;
    }
    bail!("the server writes on and on");
}
