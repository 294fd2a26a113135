//! The developer's commands: `cargo xtask test`.
//!
//! To add a command: a file with its `Args` and `run`, and a variant of [`Command`].
#![expect(
    clippy::print_stdout,
    reason = "these are commands; what they say goes to the terminal"
)]

mod install;
mod postgres;
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
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Test(args) => test::run(&args),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            println!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
