//! Section `installation`.

use crate::BadConfig;
use serde::{Deserialize, Serialize};

/// Which installation a process belongs to.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Installation {
    /// UUID of the marketplace. A process of one service needs it, because only `auth` has it in
    /// its store; `auth` refuses to start when its store says otherwise.
    pub marketplace_id: Option<String>,
    /// Name of the deployment inside certificates: `stoa://<deployment>/<process>`.
    pub deployment: String,
}

impl Default for Installation {
    fn default() -> Self {
        Self {
            marketplace_id: None,
            deployment: "stoa".to_owned(),
        }
    }
}

impl Installation {
    pub(crate) fn check(&self) -> Result<(), BadConfig> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !self.deployment.is_empty()
            && self.deployment.len() <= 63
            && self.deployment.chars().all(plain)
        {
            return Ok(());
        }
        Err(BadConfig::Invalid {
            key: "installation.deployment",
            why: "must be 1 to 63 lower-case letters, digits and hyphens",
        })
    }
}
