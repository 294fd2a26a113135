//! `cargo xtask bench`: figures of the release build, each beside a bare reference of the same
//! minute; `tests/bench` holds the program that measures.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use xtask::install;

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Figures to measure; all when none is named.
    #[arg(value_parser = FIGURES)]
    names: Vec<String>,
    /// One way to run only: one process, or a process per service.
    #[arg(long, value_parser = ["together", "apart"])]
    mode: Option<String>,
}

/// The names that the measuring program takes; known here so that a wrong one is told before the
/// long build.
const FIGURES: [&str; 13] = [
    "start",
    "memory",
    "query",
    "show",
    "token-check",
    "anonymous-token",
    "refresh",
    "login",
    "initiate",
    "ban",
    "sign-up",
    "erasure",
    "users",
];

/// Builds what is needed, and measures.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let programs = build()?;
    let folder = programs.join("bench");
    std::fs::create_dir_all(&folder)?;
    if install::find("taskset").is_none() {
        println!("== there is no taskset (util-linux): nothing is pinned to a core");
    }
    let status = Command::new(programs.join("stoa-bench"))
        .arg("run")
        .arg("--binary")
        .arg(programs.join("stoa"))
        .arg("--folder")
        .arg(&folder)
        .args(args.mode.iter().flat_map(|mode| ["--mode", mode]))
        .args(&args.names)
        // For the harness that starts the processes.
        .env("STOA_BIN", programs.join("stoa"))
        .status()
        .context("starting the measurement")?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Builds the release form of the binary and of the measuring program; gives their folder.
fn build() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let status = Command::new("cargo")
        .args(["build", "--release", "-p", "stoa", "-p", "stoa-bench"])
        .current_dir(&root)
        .status()?;
    if !status.success() {
        bail!("the release build failed");
    }
    let metadata = Command::new("cargo")
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(&root)
        .output()?;
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout)?;
    let target = metadata["target_directory"]
        .as_str()
        .context("cargo metadata names no target folder")?;
    Ok(Path::new(target).join("release"))
}
