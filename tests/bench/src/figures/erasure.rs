//! The deletion of a user who has left much: how long it takes, and what others feel of it.

use super::{Stage, millis};
use crate::connection::{Connection, Request};
use crate::load::{Load, ROUND, in_turn, quantile};
use crate::table::Row;
use crate::world::Person;
use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

const LISTINGS: usize = 1_000;
const MESSAGES: usize = 10_000;
/// Connections that fill the account.
const WRITERS: usize = 16;
/// Other users whose requests run all the time.
const OTHERS: usize = 8;
/// The deletion must be over by then.
const LIMIT: Duration = Duration::from_secs(60);
/// Services that erase: users, listings, transactions and the public log.
const SERVICES: [&str; 4] = ["users", "listings", "transactions", "event-log"];

/// Time of the erasure, and the others' p99 before and during it. In one process, whose files the
/// report of the erasure is read from.
pub(crate) async fn erasure(stage: &mut Stage<'_>, binary: &Path) -> Result<Vec<Row>> {
    if stage.world.server.data().is_none() {
        return Ok(Vec::new());
    }
    let person = stage.world.person().await?;
    fill(stage, &person).await?;
    let quiet = others(stage, async {
        tokio::time::sleep(ROUND * 2).await;
        Ok(())
    });
    let (normal, ()) = quiet.await?;
    let request = Request::json("/v1/operator_api/users/delete", &json!({"id": person.id}));
    let request = request.by(&stage.world.operator).bytes();
    let mut operator = Connection::open(stage.world.server.address).await?;
    let data = stage.world.server.data().context("a folder")?.to_owned();
    let deletion = async {
        let started = Instant::now();
        operator.ask(&request).await?;
        until_erased(binary, &data, &person.id).await?;
        anyhow::Ok(started.elapsed())
    };
    let (during, took) = others(stage, deletion).await?;
    let (normal, during) = (quantile(&normal, 0.99), quantile(&during, 0.99));
    let figure = format!("Erasure of {LISTINGS} listings and {MESSAGES} messages");
    let time = Row::new(&figure, format!("{:.1} s", took.as_secs_f64()))
        .aim("≤ 60 s", took <= LIMIT)
        .note("from the request to the last noted erasure, of all services");
    let mut felt = Row::new(
        "What others feel of it (8 connections, reads and commands)",
        format!("p99 {} ms", millis(during)),
    )
    .aim("≤ 2", during <= 2 * normal);
    felt.reference = format!("p99 before {} ms", millis(normal));
    felt.ratio = Some(during as f64 / normal as f64);
    Ok(vec![time, felt])
}

/// Listings of the person, and a transaction with many of the person's messages.
async fn fill(stage: &Stage<'_>, person: &Person) -> Result<()> {
    let server = &stage.world.server;
    let begin = Request::json(
        "/v1/api/transactions/initiate",
        &json!({
            "processAlias": "default-inquiry/release-1",
            "transition": "transition/inquire-without-payment",
            "params": {"listingId": stage.world.listings[0]},
        }),
    );
    let mut connection = Connection::open(server.address).await?;
    let begun = connection.ask(&begin.by(&person.token).bytes()).await?;
    let deal = begun["data"]["id"].as_str().context("no id")?.to_owned();
    let listing = Request::json(
        "/v1/api/own_listings/create",
        &json!({
            "title": "A cabin that will be gone",
            "publicData": {"address": {"street": "Rantatie 1"}},
        }),
    );
    let message = Request::json(
        "/v1/api/messages/send",
        &json!({"transactionId": deal, "content": "Is the cabin free next week?"}),
    );
    let requests = [
        (listing.by(&person.token).bytes(), LISTINGS),
        (message.by(&person.token).bytes(), MESSAGES),
    ];
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let (mut connection, requests) =
            (Connection::open(server.address).await?, requests.clone());
        writers.spawn(async move {
            for (request, count) in requests {
                for _ in 0..count / WRITERS + 1 {
                    connection.ask(&request).await?;
                }
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended??;
    }
    Ok(())
}

/// Does `work` while others use the marketplace; gives the times of their answers, sorted.
async fn others<T>(
    stage: &mut Stage<'_>,
    work: impl Future<Output = Result<T>>,
) -> Result<(Vec<u64>, T)> {
    let listing = stage.world.listings[1].clone();
    let mut scripts = Vec::new();
    for _ in 0..OTHERS {
        let person = stage.world.person().await?;
        let show = Request::get(&format!("/v1/api/listings/show?id={listing}"));
        let draft = Request::json(
            "/v1/api/own_listings/create_draft",
            &json!({"title": "A draft"}),
        );
        let requests = [
            show,
            Request::get("/v1/api/listings/query?perPage=24"),
            draft,
        ];
        let requests = requests.map(|request| request.by(&person.token).bytes());
        scripts.push(in_turn(Arc::new(requests), 0));
    }
    let load = Load::start(&stage.world.server.gateways, scripts, 200).await?;
    load.count();
    let done = work.await;
    let mut times = load.stop().await?;
    times.sort_unstable();
    Ok((times, done?))
}

/// Waits until the report says of every service that nothing is left on its disk.
async fn until_erased(binary: &Path, data: &Path, user: &str) -> Result<()> {
    let started = Instant::now();
    while started.elapsed() < LIMIT * 2 {
        let report = Command::new(binary)
            .args(["users", "erase-report", user, "--json", "--data"])
            .arg(data)
            .output()?;
        let lines: Vec<Value> = serde_json::from_slice(&report.stdout).unwrap_or_default();
        let is_clean = |service: &str| {
            let mut lines = lines.iter();
            lines.any(|line| line["service"] == service && line["place"] == "disk")
        };
        if SERVICES.into_iter().all(is_clean) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    bail!("the erasure does not end");
}
