//! Section `backup`.

use serde::{Deserialize, Serialize};

/// How `stoa backup` writes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Backup {
    /// Recipients (`age1...`) whose identities open a backup. Keep the identities elsewhere.
    pub recipients: Vec<String>,
}
