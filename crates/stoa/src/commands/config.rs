//! `stoa config check`: the effective configuration, without secrets.

use anyhow::Context as _;
use std::io::Write as _;
use std::path::PathBuf;

/// Looks at the configuration.
#[derive(Debug, clap::Args)]
pub(super) struct Config {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Prints what a process would run with; names unknown keys and values out of range.
    Check {
        /// Configuration file.
        #[arg(long, env = "STOA_CONFIG")]
        config: Option<PathBuf>,
    },
}

impl Config {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let What::Check { config } = self.what;
        let config = stoa_config::Config::read(config.as_deref())?;
        crate::mail::outgoing(&config.mail, None)?;
        writeln!(std::io::stdout(), "{config:#?}").context("standard output is closed")
    }
}
