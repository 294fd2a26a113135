//! `stoa backup DIR`: a copy of an embedded installation, also while it serves.

use crate::backup::{Sealer, take};
use crate::ledger::Ledger;
use anyhow::{Context as _, bail};
use std::io::Write as _;
use std::path::PathBuf;
use stoa_config::Config;
use stoa_types::SystemClock;

/// Copies an installation that runs in one process, also while it does.
#[derive(Debug, clap::Args)]
pub(super) struct Backup {
    /// Folder of the backup; must not be there.
    target: PathBuf,
    /// Folder of all data.
    #[arg(long, env = "STOA_DATA", default_value = "./stoa-data")]
    data: PathBuf,
    /// Configuration file.
    #[arg(long, env = "STOA_CONFIG")]
    config: Option<PathBuf>,
    /// Recipient of age (age1...) whose identity opens the backup; may be given several times, and
    /// takes the place of those in the configuration.
    #[arg(long)]
    recipient: Vec<String>,
    /// Encrypts nothing: whoever reads the backup reads everything in it.
    #[arg(long, conflicts_with = "recipient")]
    plaintext: bool,
}

impl Backup {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let config = Config::read(self.config.as_deref())?;
        if crate::databases::is_postgres(&config) {
            bail!(
                "stoa backup copies the databases of a data folder; PostgreSQL has its own tools"
            );
        }
        let recipients = if self.recipient.is_empty() {
            &config.backup.recipients
        } else {
            &self.recipient
        };
        let sealer = if self.plaintext {
            Sealer::plain()
        } else if recipients.is_empty() {
            bail!(
                "a backup holds all that people wrote and must be encrypted: --recipient age1..., \
                 or backup.recipients in the configuration (--plaintext leaves it open)"
            );
        } else {
            Sealer::for_recipients(recipients)?
        };
        let work = take(&self.data, &self.target, &sealer, &SystemClock);
        let manifest = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("no threads")?
            .block_on(work)?;
        let ledger = Ledger::file_in(&self.data.join(config.storage.ledger()));
        let how = if self.plaintext {
            "NOT ENCRYPTED"
        } else {
            "encrypted"
        };
        writeln!(
            std::io::stdout(),
            "Backup of {} in {} ({} bytes, {how}).\n\
             A restore also needs what is not in it; keep both elsewhere:\n\
             - the master key {}: {}\n\
             - the ledger of erasures and bans as it stands at the restore: {}",
            manifest.taken_at,
            self.target.display(),
            manifest.bytes(),
            manifest.master_key_ids.join(", "),
            self.data.join(crate::folder::MASTER_KEY).display(),
            ledger.display(),
        )
        .context("standard output is closed")
    }
}
