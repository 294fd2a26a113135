//! The developer's commands: `cargo xtask test`, `cargo xtask bench`, `cargo xtask gen`.
//!
//! To add a command: a file with its `Args` and `run`, and a variant of [`Command`].
#![expect(
    clippy::print_stdout,
    reason = "these are commands; what they say goes to the terminal"
)]

mod bench;
mod generate;
mod previous;
mod suites;
mod tally;
mod test;

use clap::Parser;
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The developer's commands")]
enum Command {
    /// Run every test; starts its own PostgreSQL.
    Test(test::Args),
    /// Measure the release build; prints a table.
    Bench(bench::Args),
    /// Write the generated files that are checked in.
    Gen,
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Test(args) => test::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Gen => generate::run(),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            println!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
