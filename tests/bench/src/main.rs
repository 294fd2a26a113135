//! The figures of the program, each beside a bare reference of the same minute.
#![expect(
    clippy::print_stdout,
    reason = "this is a command; what it says goes to the terminal"
)]

mod commits;
mod connection;
mod figures;
mod load;
mod process;
mod reference;
mod server;
mod table;
mod world;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use figures::{Stage, ban, check, erasure, initiate, login, reads, sign_up, tokens};
use process::Pins;
use reference::{BareHyper, Commits, Reference};
use server::{Cores, Server};
use std::path::{Path, PathBuf};
use stoa_types::{Clock as _, SystemClock};
use table::Row;
use world::World;
use xtask::postgres::{Postgres, Purpose};

/// As in the binary, so that a bare hash is the same work.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Listings that are searched.
const LISTINGS: usize = 10_000;
/// Listings where nothing is searched.
const FEW: usize = 200;

#[derive(Parser)]
enum Command {
    /// Measure.
    Run(Run),
    /// What the figures are held against.
    #[command(subcommand)]
    Reference(Reference),
}

#[derive(clap::Args)]
struct Run {
    /// The server.
    #[arg(long)]
    binary: PathBuf,
    /// Folder below which data is kept while it runs; its file system makes commits slow or fast.
    #[arg(long)]
    folder: PathBuf,
    /// One process, or a process per service on PostgreSQL; both when nothing is said.
    #[arg(long, value_enum)]
    mode: Option<Mode>,
    /// These figures only.
    #[arg(value_enum)]
    only: Vec<Figure>,
}

/// How the server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// All services in one process, over SQLite.
    Together,
    /// A process per service and two gateways, on PostgreSQL.
    Apart,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Figure {
    /// From the start of the process until it is ready.
    Start,
    /// Memory at rest.
    Memory,
    /// Search pages.
    Query,
    /// One listing, one marketplace, health.
    Show,
    /// The check of a token that is known.
    TokenCheck,
    /// The anonymous grant.
    AnonymousToken,
    /// Sessions that are prolonged.
    Refresh,
    /// Login.
    Login,
    /// Starting a transaction.
    Initiate,
    /// From a ban, a deletion, a permission taken away to the last accepted command.
    Ban,
    /// Sign-up.
    SignUp,
    /// The erasure of a user who left much.
    Erasure,
    /// The search of users.
    Users,
}

impl Figure {
    fn needs_server(self) -> bool {
        !matches!(self, Self::Start | Self::Memory | Self::Users)
    }

    async fn measure(self, stage: &mut Stage<'_>, binary: &Path) -> Result<Vec<Row>> {
        match self {
            Self::Start | Self::Memory | Self::Users => Ok(Vec::new()),
            Self::Query => reads::query(stage).await,
            Self::Show => reads::show(stage).await,
            Self::TokenCheck => check::check(stage).await,
            Self::AnonymousToken => tokens::anonymous(stage).await,
            Self::Refresh => tokens::refresh(stage).await,
            Self::Login => login::login(stage).await,
            Self::Initiate => initiate::initiate(stage).await,
            Self::Ban => ban::ban(stage).await,
            Self::SignUp => sign_up::sign_up(stage).await,
            Self::Erasure => erasure::erasure(stage, binary).await,
        }
    }
}

fn main() -> Result<()> {
    let command = Command::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    match command {
        Command::Run(run) => runtime.block_on(measure(run)),
        Command::Reference(reference) => runtime.block_on(reference.run()),
    }
}

async fn measure(run: Run) -> Result<()> {
    let pins = Pins::take()?;
    let chosen = |figure: &Figure| run.only.is_empty() || run.only.contains(figure);
    let figures: Vec<_> = Figure::value_variants()
        .iter()
        .copied()
        .filter(chosen)
        .collect();
    let runs = |mode| run.mode.is_none_or(|only| only == mode);
    let mut text = String::new();
    if runs(Mode::Together) {
        let rows = together(&run, &figures, &pins).await?;
        text += &table::markdown("one process", &rows, SystemClock.now(), pins.are_set());
    }
    if runs(Mode::Apart) {
        let rows = apart(&run, &figures, &pins).await?;
        text += &table::markdown(
            "a process per service",
            &rows,
            SystemClock.now(),
            pins.are_set(),
        );
    }
    println!("\n{text}");
    Ok(())
}

/// Listings that the chosen figures need.
fn listings(figures: &[Figure]) -> usize {
    if figures.contains(&Figure::Query) {
        LISTINGS
    } else {
        FEW
    }
}

async fn together(run: &Run, figures: &[Figure], pins: &Pins) -> Result<Vec<Row>> {
    let folder = tempfile::tempdir_in(&run.folder)?;
    let mut rows = Vec::new();
    if figures.contains(&Figure::Start) {
        rows.extend(figures::process::start(&run.binary, folder.path(), pins).await?);
    }
    if figures.contains(&Figure::Memory) {
        rows.extend(figures::process::memory(&run.binary, folder.path(), pins).await?);
    }
    if figures.contains(&Figure::Users) {
        rows.extend(figures::users::users(&run.binary, folder.path(), pins).await?);
    }
    if figures.iter().any(|figure| figure.needs_server()) {
        let count = listings(figures);
        let data = folder.path().join("data");
        std::fs::create_dir(&data)?;
        println!("== making a world with {count} listings");
        let server = Server::start(&run.binary, &data, pins, Cores::One)?;
        let mut stage = Stage {
            bare: BareHyper::start(pins)?,
            world: World::make(server, count).await?,
            pins,
            commits: Commits::Beside(folder.path()),
        };
        for figure in figures.iter().filter(|figure| figure.needs_server()) {
            println!("== {figure:?}");
            rows.extend(figure.measure(&mut stage, &run.binary).await?);
        }
        stage.world.server.stop().await?;
    }
    Ok(rows)
}

async fn apart(run: &Run, figures: &[Figure], pins: &Pins) -> Result<Vec<Row>> {
    pins.move_to_server_core()?;
    let postgres = Postgres::start_for(&Purpose {
        durable: true,
        within: Some(run.folder.clone()),
        ..Purpose::default()
    })?;
    pins.move_back()?;
    let mut rows = Vec::new();
    let server = Server::start_apart(&postgres.url, pins).await?;
    if figures.contains(&Figure::Memory) {
        rows.extend(figures::apart::memory(&server).await?);
    }
    if figures.contains(&Figure::Start) {
        rows.extend(figures::apart::start(&server).await?);
    }
    if !figures.iter().any(|figure| figure.needs_server()) {
        server.stop().await?;
        return Ok(rows);
    }
    let count = listings(figures);
    println!("== making a world with {count} listings over processes");
    let mut stage = Stage {
        bare: BareHyper::start(pins)?,
        world: World::make(server, count).await?,
        pins,
        commits: Commits::On(&postgres.url),
    };
    for figure in figures.iter().filter(|figure| figure.needs_server()) {
        println!("== {figure:?} over processes");
        rows.extend(figure.measure(&mut stage, &run.binary).await?);
    }
    if figures.contains(&Figure::Query) {
        rows.extend(reads::over_two_gateways(&mut stage).await?);
    }
    stage.world.server.stop().await?;
    Ok(rows)
}
