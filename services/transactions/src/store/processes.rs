//! Process definitions, their versions and aliases.

use crate::domain::ProcessAlias;
use stoa_db::{DbError, Sql, Tx, sql, statements};
use stoa_types::Timestamp;

statements! {
    VERSION_OF_ALIAS =
        "SELECT version FROM process_aliases WHERE process_name = $1 AND alias = $2";
    EDN = "SELECT edn FROM processes WHERE name = $1 AND version = $2";
    /// Adds version 1 of a process that is not there.
    INSTALL =
        "INSERT INTO processes (name, version, edn, created_at)
         SELECT $1, 1, $2, CAST($3 AS BIGINT)
          WHERE NOT EXISTS (SELECT 1 FROM processes WHERE name = $1)
         ON CONFLICT DO NOTHING";
    INSTALL_ALIAS =
        "INSERT INTO process_aliases (process_name, alias, version) VALUES ($1, $2, 1)
         ON CONFLICT DO NOTHING";
}

/// The version that an alias points at.
pub(crate) fn version_of(alias: &ProcessAlias) -> Sql {
    sql(VERSION_OF_ALIAS)
        .bind(alias.process.as_str())
        .bind(alias.alias.as_str())
}

/// The text of one version.
pub(crate) fn edn(name: &str, version: u32) -> Sql {
    sql(EDN).bind(name).bind(version)
}

/// Adds a process and its alias as version 1, unless a process of that name is there: its
/// versions and aliases are the operator's.
///
/// # Errors
/// Those of the statements.
pub(crate) async fn install(
    tx: &Tx,
    alias: &ProcessAlias,
    edn: &str,
    now: Timestamp,
) -> Result<bool, DbError> {
    let name = alias.process.as_str();
    if tx
        .execute(sql(INSTALL).bind(name).bind(edn).bind(now))
        .await?
        == 0
    {
        return Ok(false);
    }
    tx.execute(sql(INSTALL_ALIAS).bind(name).bind(alias.alias.as_str()))
        .await?;
    Ok(true)
}
