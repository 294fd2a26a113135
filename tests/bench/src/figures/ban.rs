//! From a ban to the last command that is still accepted, under load.

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

/// Users who are banned, one after the other.
const BANS: usize = 200;
/// Other users whose commands run all the time, two connections each.
const OTHERS: usize = 8;
/// Refusals in a row after which nothing more is accepted.
const REFUSALS: usize = 20;
/// Commands that are accepted before the ban.
const BEFORE: u32 = 3;
/// Longest run of a banned user's commands.
const LIMIT: Duration = Duration::from_secs(10);
const AIM_US: u64 = 100_000;
/// Over two gateways in processes of their own.
const AIM_APART_US: u64 = 200_000;
const MOST_APART_US: u64 = 1_000_000;

/// The time, once from the answer to the ban and once from its request.
pub(crate) async fn ban(stage: &mut Stage<'_>) -> Result<Vec<Row>> {
    let listings = stage.world.listings.clone();
    let mut others = Vec::new();
    for _ in 0..OTHERS {
        let person = stage.world.person().await?;
        for command in commands(&person, &listings[0]) {
            others.push(in_turn([command].into(), 0));
        }
    }
    let mut victims = Vec::new();
    for _ in 0..BANS {
        victims.push(stage.world.person().await?);
    }
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
        let request = Request::json("/v1/operator_api/users/ban", &json!({"id": person.id}))
            .by(&stage.world.operator)
            .bytes();
        let banning = async {
            while accepted.iter().any(|count| count.get() < BEFORE) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let sent = Instant::now();
            operator.ask(&request).await?;
            anyhow::Ok((sent, Instant::now()))
        };
        let (banned, draft, inquiry) = tokio::try_join!(
            banning,
            until_refused(first, draft, &accepted[0]),
            until_refused(second, inquiry, &accepted[1]),
        )?;
        let (sent, answered) = banned;
        let last = draft.max(inquiry);
        let since = |begin: Instant| last.saturating_duration_since(begin).as_micros();
        from_answer.push(u64::try_from(since(answered))?);
        from_request.push(u64::try_from(since(sent))?);
    }
    load.stop().await?;
    let gateways = stage.world.server.gateways.len();
    let row = |figure: &str, mut times: Vec<u64>| {
        times.sort_unstable();
        let (p99, most) = (quantile(&times, 0.99), quantile(&times, 1.0));
        let row = Row::new(figure, format!("p99 {} ms", millis(p99)));
        let row = if gateways == 1 {
            row.aim("p99 ≤ 100 ms", p99 <= AIM_US)
        } else {
            let kept = p99 <= AIM_APART_US && most <= MOST_APART_US;
            row.aim("p99 ≤ 200 ms, most ≤ 1 s", kept)
        };
        row.note(format!(
            "p50 {} ms, most {} ms; {BANS} bans, 18 connections with commands",
            millis(quantile(&times, 0.5)),
            millis(most)
        ))
    };
    Ok(vec![
        row("Answer to a ban to the last accepted command", from_answer),
        row(
            "Request of a ban to the last accepted command (its time included)",
            from_request,
        ),
    ])
}

/// Commands in services other than the one that bans.
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
            status => bail!("{status} to a banned user: {}", answer.text()),
        }
        if started.elapsed() > LIMIT {
            bail!("a banned user's commands are accepted on and on");
        }
    }
    Ok(last)
}
