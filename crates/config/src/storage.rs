//! Section `storage`.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// How durable a commit of SQLite is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Synchronous {
    /// A commit that was acknowledged survives a loss of power.
    Full,
    /// It survives the end of the process, but not always a loss of power.
    Normal,
}

/// Where data lies.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Storage {
    /// Durability of commits.
    pub synchronous: Synchronous,
    /// Folder of the ledger of erasures and bans, which a restore needs: best on another disk. In
    /// one process it is `ledger` below the data folder unless it is set; services that run apart
    /// write one only where it is set.
    pub ledger: Option<PathBuf>,
}

impl Storage {
    /// Folder of the ledger when everything runs in one process; relative to the data folder.
    pub fn ledger(&self) -> PathBuf {
        self.ledger
            .clone()
            .unwrap_or_else(|| PathBuf::from("ledger"))
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            synchronous: Synchronous::Full,
            ledger: None,
        }
    }
}
