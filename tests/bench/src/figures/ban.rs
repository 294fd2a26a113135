//! From a ban, a deletion or a permission taken away to the last command that is still accepted,
//! under load.

use super::{Stage, millis};
use crate::connection::{Connection, Request};
use crate::load::{Load, in_turn, quantile};
use crate::table::Row;
use crate::world::Person;
use anyhow::{Result, bail};
use bytes::Bytes;
use serde_json::json;
use std::cell::Cell;
use std::time::Duration;
use tokio::time::Instant;

/// Users whom it happens to, one after the other.
const VICTIMS: usize = 200;
/// Other users whose commands run all the time, two connections each.
const OTHERS: usize = 8;
/// Refusals in a row after which nothing more is accepted.
const REFUSALS: usize = 20;
/// Commands that are accepted before.
const BEFORE: u32 = 3;
/// Longest run of a user's commands.
const LIMIT: Duration = Duration::from_secs(10);
const AIM_US: u64 = 100_000;
/// Over two gateways in processes of their own.
const AIM_APART_US: u64 = 200_000;
const MOST_APART_US: u64 = 1_000_000;

/// Why commands are refused from some moment on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cause {
    /// An operator bans the user.
    Ban,
    /// An operator deletes the user.
    Deletion,
    /// An operator takes the permission to post listings and to start transactions away.
    Permissions,
}

impl Cause {
    const fn name(self) -> &'static str {
        match self {
            Self::Ban => "ban",
            Self::Deletion => "deletion",
            Self::Permissions => "change of permissions",
        }
    }

    fn command(self, user: &str) -> Request {
        let (verb, body) = match self {
            Self::Ban => ("ban", json!({"id": user})),
            Self::Deletion => ("delete", json!({"id": user})),
            Self::Permissions => (
                "update_permissions",
                json!({
                    "id": user,
                    "postListings": "permission/deny",
                    "initiateTransactions": "permission/deny",
                }),
            ),
        };
        Request::json(&format!("/v1/operator_api/users/{verb}"), &body)
    }
}

/// The time for each cause, once from the answer to it and once from its request.
pub(crate) async fn ban(stage: &mut Stage<'_>) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for cause in [Cause::Ban, Cause::Deletion, Cause::Permissions] {
        rows.extend(after(stage, cause).await?);
    }
    ask_for_permissions(stage, false).await?;
    Ok(rows)
}

/// Whether users need permissions to post listings and to start transactions.
async fn ask_for_permissions(stage: &Stage<'_>, asks: bool) -> Result<()> {
    let users = json!({
        "requirePermissionToPostListings": asks,
        "requirePermissionToInitiateTransactions": asks,
    });
    let request = Request::json(
        "/v1/operator_api/settings/update",
        &json!({"accessControl": {"users": users}}),
    );
    let mut operator = Connection::open(stage.world.server.address).await?;
    let request = request.by(&stage.world.operator).bytes();
    operator.ask(&request).await.map(drop)
}

async fn after(stage: &mut Stage<'_>, cause: Cause) -> Result<Vec<Row>> {
    let listings = stage.world.listings.clone();
    let mut others = Vec::new();
    for _ in 0..OTHERS {
        let person = stage.world.person().await?;
        for command in commands(&person, &listings[0]) {
            others.push(in_turn([command].into(), 0));
        }
    }
    let mut victims = Vec::new();
    for _ in 0..VICTIMS {
        victims.push(stage.world.person().await?);
    }
    // Those who are there keep the permissions that they were made with.
    ask_for_permissions(stage, matches!(cause, Cause::Permissions)).await?;
    let server = &stage.world.server;
    let mut operator = Connection::open(server.address).await?;
    let load = Load::start(&server.gateways, others, 200).await?;
    let (mut from_answer, mut from_request) = (Vec::new(), Vec::new());
    for (i, person) in victims.iter().enumerate() {
        let [draft, inquiry] = commands(person, &listings[1 + i % 50]);
        let (first, second) = (
            Connection::open(server.gateways[0]).await?,
            Connection::open(server.gateways[server.gateways.len() - 1]).await?,
        );
        let accepted = [Cell::new(0), Cell::new(0)];
        let request = cause.command(&person.id).by(&stage.world.operator).bytes();
        let happening = async {
            while accepted.iter().any(|count| count.get() < BEFORE) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let sent = Instant::now();
            operator.ask(&request).await?;
            anyhow::Ok((sent, Instant::now()))
        };
        let (happened, draft, inquiry) = tokio::try_join!(
            happening,
            until_refused(first, draft, &accepted[0]),
            until_refused(second, inquiry, &accepted[1]),
        )?;
        let (sent, answered) = happened;
        let last = draft.max(inquiry);
        let since = |begin: Instant| last.saturating_duration_since(begin).as_micros();
        from_answer.push(u64::try_from(since(answered))?);
        from_request.push(u64::try_from(since(sent))?);
    }
    load.stop().await?;
    let gateways = stage.world.server.gateways.len();
    let row = |figure: String, mut times: Vec<u64>| {
        times.sort_unstable();
        let (p99, most) = (quantile(&times, 0.99), quantile(&times, 1.0));
        let row = Row::new(&figure, format!("p99 {} ms", millis(p99)));
        let row = if gateways == 1 {
            row.aim("p99 ≤ 100 ms", p99 <= AIM_US)
        } else {
            let kept = p99 <= AIM_APART_US && most <= MOST_APART_US;
            row.aim("p99 ≤ 200 ms, most ≤ 1 s", kept)
        };
        row.note(format!(
            "p50 {} ms, most {} ms; {VICTIMS} users, 18 connections with commands",
            millis(quantile(&times, 0.5)),
            millis(most)
        ))
    };
    Ok(vec![
        row(
            format!("Answer to a {} to the last accepted command", cause.name()),
            from_answer,
        ),
        row(
            format!(
                "Request of a {} to the last accepted command (its time included)",
                cause.name()
            ),
            from_request,
        ),
    ])
}

/// Commands in services other than the one where it happens.
fn commands(person: &Person, listing: &str) -> [Bytes; 2] {
    let draft = json!({"title": "A draft"});
    let inquiry = json!({
        "processAlias": "default-inquiry/release-1",
        "transition": "transition/inquire-without-payment",
        "params": {"listingId": listing},
    });
    [
        ("/v1/api/own_listings/create_draft", draft),
        ("/v1/api/transactions/initiate", inquiry),
    ]
    .map(|(path, body)| Request::json(path, &body).by(&person.token).bytes())
}

/// Sends the command again and again until it is refused for good; gives the moment of the last
/// answer that accepted it.
async fn until_refused(
    mut connection: Connection,
    command: Bytes,
    accepted: &Cell<u32>,
) -> Result<Instant> {
    let started = Instant::now();
    let (mut last, mut refused) = (started, 0);
    while refused < REFUSALS {
        let answer = connection.send(&command).await?;
        match answer.status {
            200 => {
                last = Instant::now();
                refused = 0;
                accepted.set(accepted.get() + 1);
            }
            401 | 403 => refused += 1,
            status => bail!("{status}: {}", answer.text()),
        }
        if started.elapsed() > LIMIT {
            bail!("commands are accepted on and on");
        }
    }
    Ok(last)
}
