//! `stoa audit verify`: whether the audit log is what was written.

use super::host::Host;
use anyhow::Context as _;
use serde_json::json;
use std::io::Write as _;

/// Looks at the audit log on the host. `stoa api audit query` reads it from anywhere.
#[derive(Debug, clap::Args)]
pub(super) struct Audit {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    host: Host,
    /// Prints JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Walks the chain from its first entry; names the first one that was changed, dropped, swapped
    /// or cut off, and exits with 1.
    Verify {
        /// An end of the chain as a line of the log once said it, `audit.seq` and `audit.hash`; may
        /// be given several times. Who can write to the database cannot change what was said.
        #[arg(long, value_name = "SEQ:HASH")]
        anchor: Vec<String>,
    },
}

impl Audit {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let config = self.host.config()?;
        super::process::run(&config.clone(), "stoa-audit", self.work(config))
    }

    async fn work(self, config: stoa_config::Config) -> anyhow::Result<()> {
        let What::Verify { anchor } = &self.what;
        let said: Vec<(i64, String)> = anchor
            .iter()
            .map(|text| {
                let (seq, hash) = text.split_once(':')?;
                Some((seq.parse().ok()?, hash.to_owned()))
            })
            .collect::<Option<_>>()
            .context("--anchor: SEQ:HASH")?;
        let db = self.host.auth(&config).await?;
        let whole = stoa_auth::verify_audit(&db, &said).await;
        db.close().await;
        let whole = whole?;
        let text = if self.json {
            format!(
                "{:#}\n",
                json!({
                    "entries": whole.entries,
                    "details": whole.details,
                    "anchors": whole.anchors,
                    "hash": whole.hash,
                })
            )
        } else {
            format!(
                "The audit log is whole: {} entries, {} of them with a detail, {} anchors met. \
                 The last is {}.\n",
                whole.entries, whole.details, whole.anchors, whole.hash,
            )
        };
        std::io::stdout()
            .write_all(text.as_bytes())
            .context("standard output is closed")
    }
}
