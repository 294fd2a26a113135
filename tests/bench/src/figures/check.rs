//! The check of a token that was seen before.

use super::Stage;
use crate::connection::Request;
use crate::load::{self, ROUNDS, Rate};
use crate::table::Row;
use anyhow::Result;

/// Most microseconds of processor time.
const AIM_US: f64 = 50.0;

/// Processor time of a refusal after the check (a good token of another API) without that of a
/// refusal before it (no token): everything else is the same in both.
pub(crate) async fn check(stage: &Stage<'_>) -> Result<Vec<Row>> {
    let path = "/v1/operator_api/users/query";
    let with = load::shared(vec![Request::get(path).by(&stage.world.anonymous).bytes()]);
    let without = load::shared(vec![Request::get(path).bytes()]);
    let (mut checked, mut bare) = (Rate::default(), Rate::default());
    for _ in 0..ROUNDS {
        bare = bare.or_better(stage.round(without(), 401).await?);
        checked = checked.or_better(stage.round(with(), 403).await?);
    }
    let cost = (checked.cpu_us - bare.cpu_us).max(0.0);
    let mut row = Row::new("Cached token check", format!("{cost:.1} µs CPU"))
        .aim("≤ 50 µs", cost <= AIM_US)
        .note("403 for a good token of another API, minus 401 for no token");
    row.reference = format!("refusal without a token {:.1} µs CPU", bare.cpu_us);
    row.cpu_us = Some(checked.cpu_us);
    Ok(vec![row])
}
