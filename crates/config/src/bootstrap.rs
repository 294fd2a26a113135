//! Section `bootstrap`.

use crate::{BadConfig, Secret};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What the first start of `stoa serve` makes an installation with when the store is empty; later
/// starts ignore it. The store keeps hashes only, so nothing of it can be read back.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bootstrap {
    /// `dev`, `test` or `live`; live when it is not said.
    pub environment: Option<String>,
    /// Name of the marketplace.
    pub marketplace_name: Option<String>,
    /// Origin of the marketplace's own pages, such as `https://market.example`; without TLS only
    /// in the environment dev and on the own machine.
    pub marketplace_url: Option<String>,
    /// Address that mails come from; none: `mail.from_address`.
    pub mail_from: Option<String>,
    /// Client id (UUID) of a first Marketplace application.
    pub marketplace_client_id: Option<String>,
    /// Its secret, 32 characters or more.
    pub marketplace_client_secret: Option<Secret>,
    /// File that holds the secret instead.
    pub marketplace_client_secret_file: Option<PathBuf>,
    /// Client id (UUID) of a first Integration application.
    pub integration_client_id: Option<String>,
    /// Its secret, 32 characters or more.
    pub integration_client_secret: Option<Secret>,
    /// File that holds the secret instead.
    pub integration_client_secret_file: Option<PathBuf>,
    /// E-mail address of the first operator, an owner.
    pub operator_email: Option<String>,
    /// The operator's password, 15 characters or more.
    pub operator_password: Option<Secret>,
    /// File that holds the password instead.
    pub operator_password_file: Option<PathBuf>,
}

impl Bootstrap {
    pub(crate) fn check(&mut self) -> Result<(), BadConfig> {
        Secret::from_file(
            &mut self.marketplace_client_secret,
            self.marketplace_client_secret_file.as_deref(),
            "bootstrap.marketplace_client_secret_file",
        )?;
        Secret::from_file(
            &mut self.integration_client_secret,
            self.integration_client_secret_file.as_deref(),
            "bootstrap.integration_client_secret_file",
        )?;
        Secret::from_file(
            &mut self.operator_password,
            self.operator_password_file.as_deref(),
            "bootstrap.operator_password_file",
        )?;
        let invalid = |key, why| Err(BadConfig::Invalid { key, why });
        let environment = self.environment.as_deref().unwrap_or("live");
        if !["dev", "test", "live"].contains(&environment) {
            return invalid("bootstrap.environment", "must be dev, test or live");
        }
        let secure = |url: &String| url.starts_with("https://") || environment == "dev";
        if !self.marketplace_url.iter().all(secure) {
            return invalid(
                "bootstrap.marketplace_url",
                "must begin with https:// unless bootstrap.environment is dev",
            );
        }
        Ok(())
    }
}
