//! `stoa keys`: the signing keys of access tokens, moved by hand. It works on the store, also while
//! the service runs: every replica hears of it by its own feed.

use super::host::Host;
use super::process;
use crate::embedded;
use crate::folder::read_master_key;
use anyhow::Context as _;
use serde_json::{Value, json};
use std::io::Write as _;
use stoa_auth::{Key, Rotation};
use stoa_config::Config;
use stoa_types::{OsEntropy, SystemClock, Timestamp};

/// Lists and moves the keys that sign access tokens. A key is staged, then promoted; the former
/// one retires and leaves by itself when its last token has ended.
#[derive(Debug, clap::Args)]
pub(super) struct Keys {
    #[command(subcommand)]
    step: Step,
    #[command(flatten)]
    host: Host,
    /// Prints JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Step {
    /// The keys that a token could still name, oldest first.
    List,
    /// Makes a fresh key known to the gateways; it signs nothing yet.
    Stage,
    /// Lets the staged key sign from now on, at the earliest 12 s after it was staged.
    Promote {
        /// Only when this is the staged key.
        kid: Option<String>,
    },
    /// In an emergency: tokens under this key are dead within a second, sessions go on. When it is
    /// the active key, the staged one takes its place, or else a fresh one, which signs three
    /// seconds later: until then whoever asks for a token waits.
    Revoke {
        /// The key.
        kid: String,
    },
}

impl Keys {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let config = self.host.config()?;
        process::run(&config.clone(), "stoa-keys", self.work(config))
    }

    async fn work(self, config: Config) -> anyhow::Result<()> {
        let master_key = read_master_key(
            &config
                .keys
                .master
                .clone()
                .unwrap_or_else(|| self.host.data.join("master.key")),
        )
        .context("keys.master")?;
        let db = self.host.auth(&config).await?;
        let (clock, entropy) = (SystemClock, OsEntropy);
        let lifetimes = embedded::lifetimes(&config);
        let rotation = Rotation::by_hand(&db, &master_key, lifetimes, &clock, &entropy);
        let keys = match &self.step {
            Step::List => rotation.list().await?,
            Step::Stage => vec![rotation.stage().await?],
            Step::Promote { kid } => vec![rotation.promote(kid.as_deref()).await?],
            Step::Revoke { kid } => vec![rotation.revoke(kid).await?],
        };
        db.close().await;
        let text = if self.json {
            let keys: Vec<Value> = keys.iter().map(as_json).collect();
            format!("{:#}\n", Value::from(keys))
        } else {
            keys.iter().map(as_line).collect()
        };
        std::io::stdout()
            .write_all(text.as_bytes())
            .context("standard output is closed")
    }
}

fn as_json(key: &Key) -> Value {
    json!({
        "kid": key.kid,
        "state": key.state,
        "createdAt": key.created_at.to_string(),
        "promotedAt": key.promoted_at.map(|at| at.to_string()),
        "leavesAt": key.leaves_at.map(|at| at.to_string()),
    })
}

fn as_line(key: &Key) -> String {
    let at = |word: &str, at: Option<Timestamp>| {
        at.map_or_else(String::new, |at| format!("  {word} {at}"))
    };
    format!(
        "{}  {:8}  made {}{}{}\n",
        key.kid,
        key.state,
        key.created_at,
        at("signs from", key.promoted_at),
        at("leaves", key.leaves_at),
    )
}
