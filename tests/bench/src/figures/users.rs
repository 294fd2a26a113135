//! The search of users by extended data, among few and among very many.

use super::millis;
use crate::connection::{Connection, Request};
use crate::load::quantile;
use crate::process::Pins;
use crate::server::{Cores, Server};
use crate::table::Row;
use crate::world::{integration_grant, operator_grant, text};
use anyhow::{Result, bail};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use stoa_db::{Db, DbConfig, Synchronous, sql};
use tokio::time::Instant;

const FEW: i64 = 1_000;
const MANY: i64 = 1_000_000;
/// Users that one statement adds.
const BATCH: i64 = 50_000;
/// Queries of each kind, one after the other.
const QUERIES: usize = 300;
/// Longest wait until the values of all users are collected.
const COLLECTING: Duration = Duration::from_secs(900);

/// Users who have signed up long ago, from `$1` on and below `$2`. Their scores and cities do not
/// follow the order in which they came.
const FILL: &str = "
    WITH RECURSIVE n(i) AS (SELECT $1 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $2)
    INSERT INTO users (id, version, created_at, state, security_epoch, post_listings,
                       initiate_transactions, read, email, email_verified, password_hash,
                       first_name, last_name, public_data, protected_data, private_data, metadata)
    SELECT printf('%08x-0000-4000-8000-%012x', (i * 2654435761) % 4294967296, i), 1,
           1700000000000 + i * 1000, 'active', 0, TRUE, TRUE, TRUE,
           printf('user-%d@example.com', i), TRUE, '', 'Ada', 'Lovelace',
           printf('{\"city\":\"city-%d\"}', (i * 7919) % 100), '{}', '{}',
           printf('{\"score\":%d}', (i * 104729) % 1000000)
      FROM n";

/// Median times with two filters among a thousand and among a million users, in one process.
pub(crate) async fn users(binary: &Path, folder: &Path, pins: &Pins) -> Result<Vec<Row>> {
    let data = folder.join("users");
    std::fs::create_dir(&data)?;
    declare(binary, &data, pins).await?;
    fill(&data, 0, FEW).await?;
    let few = times(binary, &data, pins, FEW).await?;
    fill(&data, FEW, MANY).await?;
    let many = times(binary, &data, pins, MANY).await?;
    let rows = few.into_iter().zip(many);
    Ok(rows
        .map(|((name, few), (_, many))| {
            let (before, after) = (quantile(&few, 0.5), quantile(&many, 0.5));
            let mut row = Row::new(
                &format!("`users/query`, 1,000,000 users, {name}"),
                format!("p50 {} ms", millis(after)),
            )
            .aim("≤ 2", after <= 2 * before)
            .note(format!("p99 {} ms", millis(quantile(&many, 0.99))));
            row.reference = format!("1,000 users p50 {} ms", millis(before));
            row.ratio = Some(after as f64 / before as f64);
            row
        })
        .collect())
}

/// Two search schemas; then the server ends.
async fn declare(binary: &Path, data: &Path, pins: &Pins) -> Result<()> {
    let server = Server::start(binary, data, pins, Cores::One)?;
    let mut connection = Connection::open(server.address).await?;
    let operator = connection.ask(&operator_grant(&server).bytes()).await?;
    let operator = text(&operator, "access_token")?;
    for (key, scope, kind) in [("city", "public", "enum"), ("score", "metadata", "long")] {
        let body =
            json!({"key": key, "scope": scope, "schemaType": kind, "schemaFor": "userProfile"});
        let request = Request::json("/v1/operator_api/search_schemas/set", &body);
        connection.ask(&request.by(&operator).bytes()).await?;
    }
    drop(connection);
    server.stop().await
}

async fn open(data: &Path) -> Result<Db> {
    let config = DbConfig::Sqlite {
        path: data.join("users.sqlite"),
        synchronous: Synchronous::Normal,
    };
    Ok(Db::open(&config, &stoa_users::migrations()).await?)
}

async fn fill(data: &Path, from: i64, to: i64) -> Result<()> {
    println!("== users {from} to {to}");
    let db = open(data).await?;
    let mut next = from;
    while next < to {
        let end = (next + BATCH).min(to);
        db.write(|tx| async move { tx.execute(sql(FILL).bind(next).bind(end)).await })
            .await?;
        next = end;
    }
    db.close().await;
    Ok(())
}

/// The times of both kinds of query, sorted.
async fn times(
    binary: &Path,
    data: &Path,
    pins: &Pins,
    users: i64,
) -> Result<Vec<(&'static str, Vec<u64>)>> {
    let server = Server::start(binary, data, pins, Cores::One)?;
    collected(data).await?;
    let mut connection = Connection::open(server.address).await?;
    let tokens = connection.ask(&integration_grant(&server).bytes()).await?;
    let token = text(&tokens, "access_token")?;
    let mut kinds = Vec::new();
    for (name, width) in [
        ("of which few have the score", 500),
        ("of which most have the score", 900_000),
    ] {
        let mut times = Vec::with_capacity(QUERIES);
        for i in 0..QUERIES {
            let from = i * 331 % 100_000;
            let (city, to) = (i % 100, from + width);
            let request = Request::get(&format!(
                "/v1/integration_api/users/query?pub_city=city-{city}&meta_score={from},{to}\
                 &perPage=24"
            ));
            let request = request.by(&token).bytes();
            let started = Instant::now();
            let page = connection.ask(&request).await?;
            times.push(u64::try_from(started.elapsed().as_micros())?);
            check(&page, users, city, width)?;
        }
        times.sort_unstable();
        kinds.push((name, times));
    }
    drop(connection);
    server.stop().await?;
    Ok(kinds)
}

/// What is measured finds whom it should.
fn check(page: &Value, users: i64, city: usize, width: usize) -> Result<()> {
    let city = format!("city-{city}");
    let found = page["data"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let all_fit = found
        .iter()
        .all(|user| user["attributes"]["profile"]["publicData"]["city"] == *city);
    let is_full = found.len() == 24;
    if !all_fit || (users == MANY && width > 1_000 && !is_full) {
        bail!("a wrong page: {page}");
    }
    Ok(())
}

/// Waits until the server has collected the values of every user.
async fn collected(data: &Path) -> Result<()> {
    let started = Instant::now();
    let db = open(data).await?;
    while started.elapsed() < COLLECTING {
        let left: Option<(i64,)> = db
            .opt_as("SELECT 1 FROM users WHERE collected_version <> version LIMIT 1")
            .await?;
        if left.is_none() {
            println!(
                "== collected after {:.1} s",
                started.elapsed().as_secs_f64()
            );
            db.close().await;
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    bail!("the values of users are not collected");
}
