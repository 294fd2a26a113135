//! `stoa completions SHELL`: what a shell completes after `stoa`.

use super::Cli;
use clap::CommandFactory as _;

/// Prints the completions of a shell.
#[derive(Debug, clap::Args)]
pub(super) struct Completions {
    /// Which shell.
    shell: clap_complete::Shell,
}

impl Completions {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let mut out = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "stoa", &mut out);
        std::io::Write::write_all(&mut std::io::stdout(), &out)?;
        Ok(())
    }
}
