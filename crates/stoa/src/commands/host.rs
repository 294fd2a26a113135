//! What commands on the store of auth share: where it is, whether or not a service runs on it.

use crate::{Name, databases};
use anyhow::Context as _;
use std::path::PathBuf;
use stoa_config::Config;
use stoa_db::Db;

/// Where the store is.
#[derive(Debug, clap::Args)]
pub(super) struct Host {
    /// Data folder, where no PostgreSQL is configured.
    #[arg(long, env = "STOA_DATA", default_value = "./stoa-data", global = true)]
    pub(super) data: PathBuf,
    /// Configuration file.
    #[arg(long, env = "STOA_CONFIG", global = true)]
    config: Option<PathBuf>,
}

impl Host {
    /// The configuration.
    ///
    /// # Errors
    /// Those of the configuration.
    pub(super) fn config(&self) -> anyhow::Result<Config> {
        Ok(Config::read(self.config.as_deref())?)
    }

    /// Opens the database of auth without the lock of its folder, which a running service holds.
    ///
    /// # Errors
    /// When it is not there, or not up to date.
    pub(super) async fn auth(&self, config: &Config) -> anyhow::Result<Db> {
        let place = databases::beside(config, Name::Auth, &self.data)?;
        Db::open(&place, &stoa_auth::migrations())
            .await
            .context("the database of auth cannot be opened")
    }
}
