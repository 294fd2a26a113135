//! One file per group of figures. A figure takes the stage and gives rows.

pub(crate) mod apart;
pub(crate) mod ban;
pub(crate) mod check;
pub(crate) mod erasure;
pub(crate) mod initiate;
pub(crate) mod login;
pub(crate) mod process;
pub(crate) mod reads;
pub(crate) mod sign_up;
pub(crate) mod tokens;
pub(crate) mod users;

use crate::load::{self, ROUNDS, Rate, Script};
use crate::process::Pins;
use crate::reference::{BareHyper, Commits};
use crate::table::Row;
use crate::world::World;
use anyhow::Result;
use std::net::SocketAddr;

/// A server with its world, and the references.
pub(crate) struct Stage<'s> {
    pub(crate) world: World,
    pub(crate) bare: BareHyper,
    pub(crate) pins: &'s Pins,
    /// Where durable commits are made for comparison.
    pub(crate) commits: Commits<'s>,
}

impl Stage<'_> {
    /// One round of these scripts against the server.
    async fn round(&self, scripts: Vec<Script>, status: u16) -> Result<Rate> {
        let server = &self.world.server;
        load::round(&[server.address], &server.pids(), scripts, status).await
    }

    /// A row: the best of three rounds beside that of the bare server.
    async fn beside_hyper(
        &self,
        figure: &str,
        scripts: impl Fn() -> Vec<Script>,
        aim: Option<f64>,
    ) -> Result<Row> {
        let one = [self.world.server.address];
        self.over_beside_hyper(&one, figure, scripts, aim).await
    }

    /// The same, with the connections spread over these gateways.
    async fn over_beside_hyper(
        &self,
        gateways: &[SocketAddr],
        figure: &str,
        scripts: impl Fn() -> Vec<Script>,
        aim: Option<f64>,
    ) -> Result<Row> {
        let bare_scripts = load::shared(vec![crate::connection::Request::get("/").bytes()]);
        let (mut bare, mut best) = (Rate::default(), Rate::default());
        let pids = self.world.server.pids();
        let (bare_at, bare_is) = ([self.bare.address], [self.bare.pid()]);
        for _ in 0..ROUNDS {
            let hyper = load::round(&bare_at, &bare_is, bare_scripts(), 200).await?;
            bare = bare.or_better(hyper);
            best = best.or_better(load::round(gateways, &pids, scripts(), 200).await?);
        }
        let reference = format!("bare hyper {:.0}/s", bare.per_second);
        Ok(rated(figure, best, &reference, bare.per_second, aim))
    }

    /// A row: the best of three rounds beside the durable commits of as many clients.
    async fn beside_commits(
        &self,
        figure: &str,
        mut scripts: impl FnMut() -> Vec<Script>,
        aim: f64,
    ) -> Result<Row> {
        let (mut alone, mut together, mut best) = (0.0_f64, 0.0_f64, Rate::default());
        for _ in 0..ROUNDS {
            alone = alone.max(self.commits.rate(self.pins, true)?);
            together = together.max(self.commits.rate(self.pins, false)?);
            best = best.or_better(self.round(scripts(), 200).await?);
        }
        let reference =
            format!("bare commits {together:.0}/s from 32 clients ({alone:.0}/s from one)");
        let mut row = rated(figure, best, &reference, together, Some(aim));
        let to_one = best.per_second / alone;
        row.note = format!("{to_one:.2} of the commits of one client; {}", row.note);
        Ok(row)
    }
}

fn rated(figure: &str, best: Rate, reference: &str, against: f64, aim: Option<f64>) -> Row {
    let ratio = best.per_second / against;
    let mut row = Row::new(figure, format!("{:.0}/s", best.per_second)).note(format!(
        "p50 {} ms, p99 {} ms",
        millis(best.p50_us),
        millis(best.p99_us)
    ));
    row.reference = reference.to_owned();
    row.ratio = Some(ratio);
    row.cpu_us = Some(best.cpu_us);
    match aim {
        Some(aim) => row.aim(format!("≥ {aim}"), ratio >= aim),
        None => row,
    }
}

/// Microseconds as milliseconds.
fn millis(us: u64) -> String {
    format!("{:.1}", us as f64 / 1000.0)
}
