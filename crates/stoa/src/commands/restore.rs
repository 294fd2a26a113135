//! `stoa restore DIR`: a data folder from a backup; `stoa restore --replay LEDGER`: the same
//! safety for databases that were restored by other means.

use crate::ledger::Ledger;
use crate::restore::{LedgerSource, Plan, Replayed, Rules, SKIPPED_NUMBERS, restore};
use anyhow::Context as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use stoa_config::Config;
use stoa_types::{OsEntropy, SystemClock};

/// Makes a data folder from a backup, with all that ended since ended again.
#[derive(Debug, clap::Args)]
pub(super) struct Restore {
    /// Folder of the backup.
    #[arg(required_unless_present = "replay", conflicts_with = "replay")]
    backup: Option<PathBuf>,
    /// Folder of all data: without an installation, or with --replay the one that was restored.
    #[arg(long, env = "STOA_DATA", default_value = "./stoa-data")]
    data: PathBuf,
    /// Configuration file.
    #[arg(long, env = "STOA_CONFIG")]
    config: Option<PathBuf>,
    /// File of the identity of age that opens the backup.
    #[arg(long)]
    identity: Option<PathBuf>,
    /// File of the master key; else it lies in the data folder already.
    #[arg(long)]
    master_key: Option<PathBuf>,
    /// The ledger, or a copy of it; else it is read where the configuration says.
    #[arg(long)]
    ledger: Option<PathBuf>,
    /// There is no ledger any more: whoever was deleted or banned since the backup comes back.
    #[arg(long, conflicts_with = "ledger")]
    without_ledger: bool,
    /// Passes over lines of the ledger that are damaged.
    #[arg(long)]
    accept_damaged_ledger: bool,
    /// How many numbers of the public event log are left out: more than there were events since
    /// the backup.
    #[arg(long, default_value_t = SKIPPED_NUMBERS)]
    skip_numbers: u32,
    /// Does what this ledger says again on the databases of the configuration, which were restored
    /// by other means. No process of the installation may run.
    #[arg(long, value_name = "LEDGER")]
    replay: Option<PathBuf>,
}

impl Restore {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let config = Config::read(self.config.as_deref())?;
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("no threads")?
            .block_on(self.work(config))
    }

    async fn work(self, config: Config) -> anyhow::Result<()> {
        let rules = Rules {
            accept_damage: self.accept_damaged_ledger,
            skip_numbers: self.skip_numbers,
        };
        let Some(backup) = self.backup else {
            let file = self.replay.context("nothing to replay")?;
            let replayed =
                crate::restore::replay_configured(&config, &self.data, &file, rules).await?;
            return tell("Replayed. ", replayed);
        };
        let ledger = match self.ledger {
            Some(file) => LedgerSource::File(file),
            None if self.without_ledger => LedgerSource::Lost,
            None => LedgerSource::InPlace,
        };
        let plan = Plan {
            backup,
            ledger,
            ledger_folder: self.data.join(config.storage.ledger()),
            data: self.data,
            identity: self.identity,
            master_key: self.master_key,
            rules,
        };
        let (manifest, replayed) =
            restore(&plan, Arc::new(SystemClock), Arc::new(OsEntropy)).await?;
        let place = Ledger::file_in(&plan.ledger_folder);
        let head = format!(
            "Restored the backup of {} into {}. The ledger goes on in {}. ",
            manifest.taken_at,
            plan.data.display(),
            place.display()
        );
        tell(&head, replayed)
    }
}

fn tell(head: &str, replayed: Replayed) -> anyhow::Result<()> {
    writeln!(
        std::io::stdout(),
        "{head}Deleted again: {}. Banned again: {}. Bans lifted again: {}. Numbers of the event \
         log left out: {}.\nEvery session has ended: people sign in anew, with the passwords of \
         the backup.",
        replayed.deleted,
        replayed.banned,
        replayed.unbanned,
        replayed.skipped_numbers,
    )
    .context("standard output is closed")
}
