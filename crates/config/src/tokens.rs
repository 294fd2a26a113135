//! Section `tokens`.

use crate::BadConfig;
use serde::{Deserialize, Serialize};

/// Lives of access tokens, in seconds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tokens {
    /// Anonymous, user and integration tokens; 300 and more, unless short ones are allowed.
    pub access_s: i64,
    /// Allows shorter ones: for tests of clients that must see a token expire.
    pub allow_short: bool,
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            access_s: 3600,
            allow_short: false,
        }
    }
}

impl Tokens {
    pub(crate) fn check(&self) -> Result<(), BadConfig> {
        let least = if self.allow_short { 1 } else { 300 };
        if (least..=86_400).contains(&self.access_s) {
            return Ok(());
        }
        Err(BadConfig::Invalid {
            key: "tokens.access_s",
            why: "must lie between 300 and 86400",
        })
    }
}
