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
use figures::{Stage, ban, check, initiate, login, reads, tokens};
use process::Pins;
use reference::{BareHyper, Reference};
use std::path::PathBuf;
use stoa_types::{Clock as _, SystemClock};
use table::Row;
use world::World;

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
    /// These figures only.
    #[arg(value_enum)]
    only: Vec<Figure>,
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
    /// From a ban to the last accepted command.
    Ban,
}

impl Figure {
    fn needs_server(self) -> bool {
        !matches!(self, Self::Start | Self::Memory)
    }

    async fn measure(self, stage: &mut Stage<'_>) -> Result<Vec<Row>> {
        match self {
            Self::Start | Self::Memory => Ok(Vec::new()),
            Self::Query => reads::query(stage).await,
            Self::Show => reads::show(stage).await,
            Self::TokenCheck => check::check(stage).await,
            Self::AnonymousToken => tokens::anonymous(stage).await,
            Self::Refresh => tokens::refresh(stage).await,
            Self::Login => login::login(stage).await,
            Self::Initiate => initiate::initiate(stage).await,
            Self::Ban => ban::ban(stage).await,
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
    let folder = tempfile::tempdir_in(&run.folder)?;
    let mut rows = Vec::new();
    if figures.contains(&Figure::Start) {
        rows.extend(figures::process::start(&run.binary, folder.path(), &pins)?);
    }
    if figures.contains(&Figure::Memory) {
        rows.extend(figures::process::memory(&run.binary, folder.path(), &pins).await?);
    }
    if figures.iter().any(|figure| figure.needs_server()) {
        let count = if figures.contains(&Figure::Query) {
            LISTINGS
        } else {
            FEW
        };
        let data = folder.path().join("data");
        std::fs::create_dir(&data)?;
        println!("== making a world with {count} listings");
        let world = World::make(&run.binary, &data, &pins, count).await?;
        let mut stage = Stage {
            bare: BareHyper::start(&pins)?,
            world,
            pins: &pins,
            folder: folder.path(),
        };
        for figure in figures.into_iter().filter(|figure| figure.needs_server()) {
            println!("== {figure:?}");
            rows.extend(figure.measure(&mut stage).await?);
        }
        stage.world.server.stop()?;
    }
    println!(
        "\n{}",
        table::markdown(&rows, SystemClock.now(), pins.are_set())
    );
    Ok(())
}
