//! Which database a service has: a file below the data folder, or a schema of PostgreSQL.

use crate::embedded::synchronous;
use crate::{DataFolder, Name};
use anyhow::Context as _;
use std::path::Path;
use stoa_config::{Config, Secret};
use stoa_db::DbConfig;

/// Whether PostgreSQL is configured for services or for their migrations.
pub(crate) const fn is_postgres(config: &Config) -> bool {
    config.database.url.is_some() || config.migrate.url.is_some()
}

/// The database that a service works with.
///
/// # Errors
/// When there is neither a URL nor a data folder.
pub(crate) fn of(
    config: &Config,
    name: Name,
    folder: Option<&DataFolder>,
) -> anyhow::Result<DbConfig> {
    place(config, config.database.url.as_ref(), name, folder)
}

/// The same database for its owner, who may change its tables.
///
/// # Errors
/// As [`of`].
pub(crate) fn owner(
    config: &Config,
    name: Name,
    folder: Option<&DataFolder>,
) -> anyhow::Result<DbConfig> {
    let url = config.migrate.url.as_ref().or(config.database.url.as_ref());
    place(config, url, name, folder)
}

fn place(
    config: &Config,
    url: Option<&Secret>,
    name: Name,
    folder: Option<&DataFolder>,
) -> anyhow::Result<DbConfig> {
    Ok(match url {
        Some(url) => DbConfig::Postgres {
            url: url.reveal().to_owned(),
            schema: config.database.schema(name.text()),
            max_connections: config.database.max_connections,
        },
        None => DbConfig::Sqlite {
            path: folder
                .context("database.url: a PostgreSQL URL is needed here")?
                .database(name),
            synchronous: synchronous(config),
        },
    })
}

/// The database of a service without the lock of its folder, which a running service holds: for
/// commands that work beside it.
///
/// # Errors
/// When nothing is there.
pub(crate) fn beside(config: &Config, name: Name, data: &Path) -> anyhow::Result<DbConfig> {
    if is_postgres(config) {
        return of(config, name, None);
    }
    let path = data.join(format!("{}.sqlite", name.text()));
    anyhow::ensure!(path.is_file(), "{} is not there", path.display());
    Ok(DbConfig::Sqlite {
        path,
        synchronous: synchronous(config),
    })
}
