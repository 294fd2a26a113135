//! `cargo xtask gen`: writes the generated files that are checked in. Each is printed by a test of
//! its own package, which compares when this command does not ask it to write.
//!
//! To add a file: let its test write when [`UPDATE`] is set, and add a row to [`PRINTED`].

use anyhow::{Result, bail};
use std::process::{Command, ExitCode};

/// Asks the tests to write.
const UPDATE: &str = "STOA_UPDATE_PRINTED";

/// A file that a test prints.
struct Printed {
    file: &'static str,
    package: &'static str,
    /// Binary of the test and the part of its name that selects it.
    test: [&'static str; 2],
}

const PRINTED: &[Printed] = &[
    Printed {
        file: "crates/policy/RULES.md",
        package: "stoa-policy",
        test: ["it", "printed::the_printed_rules_are_the_rules"],
    },
    Printed {
        file: "proto/descriptors",
        package: "stoa-proto",
        test: ["it", "descriptors::the_set_of_this_release_is_written_down"],
    },
];

/// Writes every file; `git diff` shows what changed.
pub(crate) fn run() -> Result<ExitCode> {
    for Printed {
        file,
        package,
        test: [binary, name],
    } in PRINTED
    {
        println!("== {file}");
        let status = Command::new("cargo")
            .args(["test", "--quiet", "--package", package, "--test", binary])
            .args(["--", "--exact", name])
            .env(UPDATE, "1")
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
            .status()?;
        if !status.success() {
            bail!("{file} was not written");
        }
    }
    Ok(ExitCode::SUCCESS)
}
