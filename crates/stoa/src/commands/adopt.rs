//! `stoa adopt`: a folder that `stoa dev` made becomes one that `stoa serve` takes.

use super::process;
use crate::DataFolder;
use anyhow::Context as _;
use serde_json::json;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use stoa_auth::{Adopted, Preset};
use stoa_config::Config;
use stoa_credentials::Cost;
use stoa_types::{Entropy, OsEntropy, SystemClock};

/// Replaces installation id, keys, secrets and operators of a folder that `stoa dev` made, and
/// prints the new secrets, once.
#[derive(Debug, clap::Args)]
pub(super) struct Adopt {
    /// Folder of all data.
    #[arg(long, env = "STOA_DATA", default_value = "./stoa-data")]
    data: PathBuf,
    /// Configuration file; its section `bootstrap` may name the operator.
    #[arg(long, env = "STOA_CONFIG")]
    config: Option<PathBuf>,
}

impl Adopt {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let config = Config::read(self.config.as_deref())?;
        let preset = Preset {
            operator_email: config.bootstrap.operator_email.clone(),
            operator_password: config
                .bootstrap
                .operator_password
                .as_ref()
                .map(|secret| secret.reveal().to_owned()),
            ..Preset::default()
        };
        process::run(&config, "stoa-adopt", async {
            let folder = DataFolder::open(&self.data)?;
            let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy);
            crate::adopt(
                &folder,
                &preset,
                Cost::Production,
                &SystemClock,
                &entropy,
                tell,
            )
            .await
        })
    }
}

/// Prints what can be read nowhere else.
fn tell(adopted: &Adopted) -> anyhow::Result<()> {
    let applications: Vec<_> = adopted
        .applications
        .iter()
        .map(|application| {
            json!({
                "clientId": application.client_id,
                "kind": application.kind,
                "name": application.name,
                "clientSecret": application.secret,
            })
        })
        .collect();
    let told = json!({
        "applications": applications,
        "operatorEmail": adopted.operator_email,
        "operatorPassword": adopted.operator_password,
    });
    let mut out = std::io::stdout();
    writeln!(out, "{}", serde_json::to_string_pretty(&told)?)
        .and_then(|()| out.flush())
        .context("standard output is closed")
}
