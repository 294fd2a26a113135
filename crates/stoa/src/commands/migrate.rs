//! `stoa migrate`: every schema up to date, and no more rights than needed on it.

use super::process;
use crate::{DataFolder, Name, databases};
use anyhow::Context as _;
use std::io::Write as _;
use std::path::PathBuf;
use stoa_config::Config;
use stoa_db::Db;

/// Brings every schema up to date. Safe when several run at once: they take turns.
#[derive(Debug, clap::Args)]
pub(super) struct Migrate {
    /// Folder of the SQLite databases, where no PostgreSQL is configured.
    #[arg(long, env = "STOA_DATA", default_value = "./stoa-data")]
    data: PathBuf,
    /// Configuration file.
    #[arg(long, env = "STOA_CONFIG")]
    config: Option<PathBuf>,
    /// This service only.
    #[arg(long)]
    only: Option<Name>,
}

impl Migrate {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let config = Config::read(self.config.as_deref())?;
        process::run(&config.clone(), "stoa-migrate", self.migrate(config))
    }

    async fn migrate(self, config: Config) -> anyhow::Result<()> {
        let folder = match databases::is_postgres(&config) {
            true => None,
            false => Some(DataFolder::open(&self.data)?),
        };
        let every = Name::ALL.into_iter();
        for name in every.filter(|name| self.only.is_none_or(|only| only == *name)) {
            let owner = databases::owner(&config, name, folder.as_ref())?;
            Db::migrate(&owner, &name.migrations())
                .await
                .with_context(|| format!("the schema of {} cannot be migrated", name.text()))?;
            if let (None, Some(role)) = (&folder, config.migrate.role(name.text())) {
                Db::grant(&owner, &role, name.append_only())
                    .await
                    .with_context(|| format!("the rights of role {role} cannot be granted"))?;
            }
            writeln!(std::io::stdout(), "{} is up to date", name.text())
                .context("standard output is closed")?;
        }
        Ok(())
    }
}
