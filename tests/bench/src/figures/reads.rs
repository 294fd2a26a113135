//! Anonymous reads: search pages and one listing.

use super::Stage;
use crate::connection::Request;
use crate::load;
use crate::table::Row;
use anyhow::Result;
use bytes::Bytes;

/// Pages that are asked for in turn.
const PAGES: usize = 40;

/// A page of a search.
pub(crate) async fn query(stage: &Stage<'_>) -> Result<Vec<Row>> {
    let pages = |more: &dyn Fn(usize) -> String, headers: &[(&str, &str)]| -> Vec<Bytes> {
        (0..PAGES)
            .map(|i| {
                let path = format!("/v1/api/listings/query?perPage=24{}", more(i));
                let request = Request::get(&path).by(&stage.world.anonymous);
                headers
                    .iter()
                    .fold(request, |request, (name, value)| request.with(name, value))
                    .bytes()
            })
            .collect()
    };
    let plain = |i: usize| format!("&page={}", i % 10 + 1);
    let searched = |i: usize| {
        let south = 60.0 + (i % 8) as f64 * 0.1;
        format!(
            "&pub_category=sauna,cabin,boat&pub_amenities=has_any:wifi,pier&price=1000,{}\
             &bounds={},25.0,{south},24.0&sort=-createdAt&include=author",
            9000 + i * 100,
            south + 0.4
        )
    };
    let json = ("accept", "application/json");
    let transit = ("accept", "application/transit+json");
    let gzip = ("accept-encoding", "gzip");
    let size = stage.world.listings.len();
    let mut rows = Vec::new();
    for (name, requests, aim) in [
        ("JSON", pages(&plain, &[json]), Some(0.04)),
        ("Transit", pages(&plain, &[transit]), Some(0.025)),
        ("Transit, gzip", pages(&plain, &[transit, gzip]), None),
        (
            "JSON, three filters and bounds, with authors",
            pages(&searched, &[json]),
            None,
        ),
    ] {
        let figure = format!("`listings/query`, 24 of {size}, {name}");
        rows.push(
            stage
                .beside_hyper(&figure, load::shared(requests), aim)
                .await?,
        );
    }
    Ok(rows)
}

/// One listing with its author, and what any request costs at least.
pub(crate) async fn show(stage: &Stage<'_>) -> Result<Vec<Row>> {
    let token = &stage.world.anonymous;
    let listings = stage.world.listings.iter().take(1000);
    let listings: Vec<_> = listings
        .map(|id| {
            Request::get(&format!("/v1/api/listings/show?id={id}&include=author"))
                .by(token)
                .bytes()
        })
        .collect();
    let marketplace = vec![Request::get("/v1/api/marketplace/show").by(token).bytes()];
    let health = vec![Request::get("/healthz").bytes()];
    let mut rows = Vec::new();
    for (figure, requests, aim) in [
        ("`listings/show` with author, JSON", listings, Some(0.04)),
        ("`marketplace/show`, JSON", marketplace, None),
        ("`/healthz`", health, None),
    ] {
        rows.push(
            stage
                .beside_hyper(figure, load::shared(requests), aim)
                .await?,
        );
    }
    Ok(rows)
}

/// The plain search page, its connections spread over two gateways.
pub(crate) async fn over_two_gateways(stage: &mut Stage<'_>) -> Result<Vec<Row>> {
    let requests = (0..PAGES)
        .map(|i| {
            let path = format!("/v1/api/listings/query?perPage=24&page={}", i % 10 + 1);
            Request::get(&path)
                .by(&stage.world.anonymous)
                .with("accept", "application/json")
                .bytes()
        })
        .collect();
    let figure = "`listings/query`, JSON, over two gateways";
    let gateways = stage.world.server.gateways.clone();
    let row = stage
        .over_beside_hyper(&gateways, figure, load::shared(requests), None)
        .await?;
    Ok(vec![row])
}
