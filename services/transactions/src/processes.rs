//! Definitions, parsed once.

use crate::domain::ProcessAlias;
use crate::error::Error;
use crate::store;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use stoa_db::{Db, DbError};
use stoa_process::{ALIAS, Process, shipped};
use stoa_types::Timestamp;

/// One version of a process.
#[derive(Clone, Debug)]
pub(crate) struct Versioned {
    /// The name of the process.
    pub(crate) name: String,
    /// The version, from 1.
    pub(crate) version: u32,
    /// The definition.
    pub(crate) process: Arc<Process>,
}

/// Definitions by name and version.
type Parsed = HashMap<(String, u32), Arc<Process>>;

/// The definitions of this installation; a version never changes, so a parsed one stays. Cheap to
/// clone.
#[derive(Clone)]
pub(crate) struct Processes {
    db: Db,
    parsed: Arc<Mutex<Parsed>>,
}

impl Processes {
    /// The definitions in a database.
    pub(crate) fn new(db: &Db) -> Self {
        Self {
            db: db.clone(),
            parsed: Arc::default(),
        }
    }

    /// Adds the shipped definitions that are missing, as version 1 under their alias.
    ///
    /// # Errors
    /// Those of the statements.
    pub(crate) async fn install_shipped(&self, now: Timestamp) -> Result<(), DbError> {
        self.db
            .write(|tx| async move {
                for shipped in shipped() {
                    let alias = ProcessAlias {
                        process: shipped.name.into(),
                        alias: ALIAS.into(),
                    };
                    if store::processes::install(&tx, &alias, shipped.edn, now).await? {
                        tracing::info!(process = shipped.name, "A process was installed");
                    }
                }
                Ok(())
            })
            .await
    }

    /// The version that an alias points at now.
    ///
    /// # Errors
    /// [`Error::UnknownAlias`].
    pub(crate) async fn of_alias(&self, alias: &str) -> Result<Versioned, Error> {
        let alias = ProcessAlias::parse(alias).ok_or(Error::UnknownAlias)?;
        let found: Option<(i64,)> = self.db.opt_as(store::processes::version_of(&alias)).await?;
        let (version,) = found.ok_or(Error::UnknownAlias)?;
        let version = u32::try_from(version).map_err(|_| Error::UnknownAlias)?;
        self.version(&alias.process, version).await
    }

    /// One version of a process that is stored.
    ///
    /// # Errors
    /// [`Error::Damaged`] when it is missing or cannot be parsed: transactions keep their version
    /// for life and none is ever removed.
    pub(crate) async fn version(&self, name: &str, version: u32) -> Result<Versioned, Error> {
        let key = (name.to_owned(), version);
        let versioned = |process| Versioned {
            name: name.to_owned(),
            version,
            process,
        };
        if let Some(process) = self.parsed.lock().get(&key) {
            return Ok(versioned(Arc::clone(process)));
        }
        let damaged = |why: String| Error::Damaged(format!("process {name}/{version}: {why}"));
        let found: Option<(String,)> = self.db.opt_as(store::processes::edn(name, version)).await?;
        let (edn,) = found.ok_or_else(|| damaged("not found".into()))?;
        let process = Process::parse(&edn)
            .map_err(|findings| damaged(format!("{} findings", findings.len())))?;
        let process = Arc::new(process);
        self.parsed.lock().insert(key, Arc::clone(&process));
        Ok(versioned(process))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_db::sql;

    stoa_testkit::on_every_engine! { store::MIGRATIONS;
        // contract: engine E69
        async fn shipped_processes_are_installed_once(db: Db) {
            let processes = Processes::new(&db);
            for _ in 0..2 {
                processes.install_shipped(Timestamp::from_ms(1)).await.unwrap();
            }
            for shipped in shipped() {
                let found = processes.of_alias(&format!("{}/{ALIAS}", shipped.name)).await.unwrap();
                assert_eq!((found.name.as_str(), found.version), (shipped.name, 1));
                assert!(!found.process.transitions().is_empty());
            }
            let (count,): (i64,) = db.one_as(sql("SELECT count(*) FROM processes")).await.unwrap();
            assert_eq!(count as usize, shipped().len());
        }

        // contract: engine E19
        async fn an_alias_that_nobody_made_is_unknown(db: Db) {
            let processes = Processes::new(&db);
            processes.install_shipped(Timestamp::from_ms(1)).await.unwrap();
            for alias in ["free-request/release-2", "nothing/release-1", "free-request", "a\0/b"] {
                let error = processes.of_alias(alias).await.unwrap_err();
                assert!(matches!(error, Error::UnknownAlias), "{alias}: {error:?}");
            }
        }
    }
}
