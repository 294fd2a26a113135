//! `cargo xtask test`: every test, with what the tests need.

use crate::previous;
use crate::suites::{DEFAULT, DEPLOY, FEATURE, MAIL, Plan, Suite};
use crate::tally::Tally;
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use xtask::install;
use xtask::postgres::Postgres;

/// What to run.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run these suites only.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Suite>,
}

/// What the suites are given.
struct Surroundings {
    root: PathBuf,
    binary: PathBuf,
    /// Starts a process per service for tests that are not written in Rust.
    cluster: PathBuf,
    /// The example of a program that calls the services.
    internal_client: PathBuf,
    previous: Option<PathBuf>,
    postgres: Option<Postgres>,
}

/// Runs the suites; the last line printed is the total.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let (root, target) = folders()?;
    let mut suites = Vec::new();
    for suite in if args.only.is_empty() {
        DEFAULT
    } else {
        &args.only
    } {
        match suite.folder().filter(|folder| !root.join(folder).exists()) {
            None => suites.push(*suite),
            Some(folder) if args.only.is_empty() => {
                println!("== {}: there is no {folder} in this tree", suite.name());
            }
            Some(folder) => bail!("{}: there is no {folder} in this tree", suite.name()),
        }
    }
    let has_faults = Suite::Faults
        .folder()
        .is_some_and(|folder| root.join(folder).exists());
    for suite in &suites {
        match suite.plan(has_faults) {
            Plan::Nextest(_) => install::nextest()?,
            Plan::Node(_) => install::node()?,
        }
        if suite.reads_manifests() {
            install::kubectl()?;
            install::kubernetes_validate(&target)?;
        }
        if suite.needs_mail_server() {
            install::aiosmtpd(&target)?;
        }
        if let Some(folder) = suite.needs_packages() {
            install::node()?;
            packages(*suite, &root.join(folder))?;
        }
        if suite.needs_postgres() {
            // Asked before the long build; the server is started after it.
            install::postgres()?;
        }
        if suite.needs_clocks() {
            install::faketime()?;
        }
    }
    let mut total = Tally::default();
    let previous = suites
        .iter()
        .any(|s| s.needs_previous())
        .then(|| previous::build(&root, &target))
        .transpose()?;
    if suites.iter().any(|s| s.needs_binary()) && !build(&root)? {
        total += Tally::after(None, false);
        return Ok(finish(total));
    }
    let surroundings = Surroundings {
        postgres: suites
            .iter()
            .any(|s| s.needs_postgres())
            .then(Postgres::start)
            .transpose()?,
        binary: target.join("debug/stoa"),
        cluster: target.join("debug/stoa-cluster"),
        internal_client: target.join("debug/stoa-internal-client"),
        previous,
        root,
    };
    for suite in suites {
        let tally = match suite.plan(has_faults) {
            Plan::Nextest(arguments) => surroundings.nextest(suite, &arguments)?,
            Plan::Node(folder) => surroundings.node(suite, folder)?,
        };
        println!("== {}: {tally}, {} skipped", suite.name(), tally.skipped);
        total += tally;
    }
    drop(surroundings);
    Ok(finish(total))
}

fn finish(total: Tally) -> ExitCode {
    println!("{total}");
    if total.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The folder of the workspace and the one that cargo builds into.
fn folders() -> Result<(PathBuf, PathBuf)> {
    let text = install::output("cargo", &["metadata", "--no-deps", "--format-version", "1"])
        .context("cargo metadata failed; is this inside the workspace?")?;
    let metadata: serde_json::Value = serde_json::from_str(&text)?;
    let folder = |key: &str| {
        let text = metadata[key].as_str();
        text.map(PathBuf::from)
            .with_context(|| format!("cargo metadata has no {key}"))
    };
    Ok((folder("workspace_root")?, folder("target_directory")?))
}

/// Builds the binary together with the tests. In a build of its own its dependencies would get
/// other features than they have for the tests, and all of them would be built twice.
fn build(root: &Path) -> Result<bool> {
    let arguments = [
        "build",
        "--workspace",
        "--bins",
        "--tests",
        "--features",
        FEATURE,
        "--features",
        DEPLOY,
        "--features",
        MAIL,
    ];
    println!("== build: cargo {}", arguments.join(" "));
    let status = Command::new("cargo")
        .args(arguments)
        .current_dir(root)
        .status()?;
    Ok(status.success())
}

/// Installs the npm packages of a folder when they are missing or older than its lock.
fn packages(suite: Suite, folder: &Path) -> Result<()> {
    if is_older(
        &folder.join("node_modules/.package-lock.json"),
        &folder.join("package-lock.json"),
    ) {
        println!("== {}: npm ci", suite.name());
        let status = Command::new("npm").arg("ci").current_dir(folder).status()?;
        if !status.success() {
            bail!("npm ci failed in {}", folder.display());
        }
    }
    Ok(())
}

impl Surroundings {
    fn nextest(&self, suite: Suite, arguments: &[&str]) -> Result<Tally> {
        println!(
            "== {}: cargo nextest run {}",
            suite.name(),
            arguments.join(" ")
        );
        let colour = if std::io::stdout().is_terminal() {
            "always"
        } else {
            "never"
        };
        let mut command = Command::new("cargo");
        command
            .args(["nextest", "run", "--color", colour])
            .args(arguments)
            // Many rounds of the faults take longer than a test may; their rows are shown.
            .args(if std::env::var_os("STOA_FAULT_ROUNDS").is_some() {
                &["--profile", "long", "--success-output", "immediate"][..]
            } else {
                &[]
            })
            .current_dir(&self.root);
        let (succeeded, said) = self.listen(&mut command)?;
        Ok(Tally::after(Tally::of_nextest(&said), succeeded))
    }

    fn node(&self, suite: Suite, folder: &str) -> Result<Tally> {
        let folder = self.root.join(folder);
        if packages(suite, &folder).is_err() {
            return Ok(Tally::after(None, false));
        }
        let mut total = Tally::default();
        for mode in ["embedded", "distributed"] {
            println!("== {}: npm test, {mode}", suite.name());
            let mut command = Command::new("npm");
            command.arg("test").env("STOA_MODE", mode);
            let (succeeded, said) = self.listen(command.current_dir(&folder))?;
            let counted = Tally::of_node(&said);
            // A script that counts nothing has tested nothing.
            total += Tally::after(counted, succeeded && counted.is_some());
        }
        Ok(total)
    }

    /// Runs a command, passes on what it says, and keeps it.
    fn listen(&self, command: &mut Command) -> Result<(bool, String)> {
        if let Some(postgres) = &self.postgres {
            command.env("STOA_TEST_POSTGRES_URL", &postgres.url);
        }
        if let Some(previous) = &self.previous {
            command.env("STOA_PREVIOUS_BIN", previous);
        }
        // One pipe for both, so that the lines stay in their order.
        let (reader, writer) = std::io::pipe()?;
        command
            .env("STOA_BIN", &self.binary)
            .env("STOA_CLUSTER_BIN", &self.cluster)
            .env("STOA_INTERNAL_CLIENT_BIN", &self.internal_client)
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer);
        let mut child = command.spawn()?;
        // The command keeps its ends of the pipe, which would never end then.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut said = String::new();
        let mut lines = BufReader::new(reader);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line)? > 0 {
            std::io::stdout().write_all(&line)?;
            said.push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
        Ok((child.wait()?.success(), said))
    }
}

/// Whether `made` is missing or older than what it is made from.
fn is_older(made: &Path, source: &Path) -> bool {
    let changed = |path: &Path| path.metadata().and_then(|m| m.modified()).ok();
    match (changed(made), changed(source)) {
        (Some(made), Some(source)) => made < source,
        (made, _) => made.is_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_modules_are_installed_when_missing_or_older_than_the_lock_file() {
        let folder = tempfile::tempdir().unwrap();
        let (made, source) = (folder.path().join("made"), folder.path().join("source"));
        assert!(is_older(&made, &source));
        std::fs::write(&made, "").unwrap();
        let at = |path: &Path, seconds: u64| {
            let file = std::fs::File::create(path).unwrap();
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            file.set_modified(time).unwrap();
        };
        at(&made, 10);
        at(&source, 20);
        assert!(is_older(&made, &source));
        at(&made, 30);
        assert!(!is_older(&made, &source));
    }
}
