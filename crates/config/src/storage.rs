//! Section `storage`.

use serde::{Deserialize, Serialize};

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
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Storage {
    /// Durability of commits.
    pub synchronous: Synchronous,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            synchronous: Synchronous::Full,
        }
    }
}
