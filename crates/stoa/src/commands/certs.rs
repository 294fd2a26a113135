//! `stoa certs`: key material for a development deployment.

use crate::Name;
use anyhow::Context as _;
use std::io::Write as _;
use std::path::PathBuf;
use stoa_rpc::certificates;
use stoa_types::id::{ClientId, MarketplaceId};
use stoa_types::{OsEntropy, SystemClock};

/// Makes certificates.
#[derive(Debug, clap::Args)]
pub(super) struct Certs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Makes a development authority and, signed by it, a certificate per process; besides the keys
    /// that processes sign with and the master key. What is there already stays, but certificates
    /// are made anew.
    Dev {
        /// Where to write.
        dir: PathBuf,
        /// Name of the deployment inside the certificates; as `installation.deployment`.
        #[arg(long, default_value = "stoa")]
        deployment: String,
        /// Id of the marketplace, for the section `installation` that is written beside the keys; a
        /// random one when nothing is said and there is no such file yet.
        #[arg(long)]
        marketplace_id: Option<MarketplaceId>,
        /// Client id of a program that calls the services; may be given several times.
        #[arg(long)]
        client: Vec<ClientId>,
        /// Name of a server that processes connect to and that is none of them, as their database;
        /// may be given several times.
        #[arg(long)]
        server: Vec<String>,
    },
}

impl Certs {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let What::Dev {
            dir,
            deployment,
            marketplace_id,
            client,
            server,
        } = self.what;
        let services = Name::ALL.map(Name::text);
        let names: Vec<&str> = std::iter::once("gateway").chain(services).collect();
        certificates::development(&dir, &deployment, &names, &client, &SystemClock, &OsEntropy)?;
        for name in &server {
            certificates::server(&dir, &deployment, name, &SystemClock)?;
        }
        let section = dir.join("installation.toml");
        if marketplace_id.is_some() || !section.exists() {
            let id = marketplace_id.unwrap_or_else(|| MarketplaceId::random(&OsEntropy));
            let text = format!(
                "[installation]\nmarketplace_id = \"{id}\"\ndeployment = \"{deployment}\"\n"
            );
            std::fs::write(&section, text)
                .with_context(|| format!("{} cannot be written", section.display()))?;
        }
        writeln!(
            std::io::stdout(),
            "Certificates for 90 days and keys of {deployment} are in {}",
            dir.display()
        )
        .context("standard output is closed")
    }
}
