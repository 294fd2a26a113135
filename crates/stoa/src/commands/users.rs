//! `stoa users`: what the stores say of users. It works beside a running service.

use super::process;
use crate::{Name, databases};
use anyhow::Context as _;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use stoa_config::Config;
use stoa_db::{Db, MigrationSet};
use stoa_feed::erased::{self, Erased};
use stoa_types::id::UserId;

/// Looks at what became of users.
#[derive(Debug, clap::Args)]
pub(super) struct Users {
    #[command(subcommand)]
    question: Question,
    /// Data folder, where no PostgreSQL is configured.
    #[arg(long, env = "STOA_DATA", default_value = "./stoa-data", global = true)]
    data: PathBuf,
    /// Configuration file.
    #[arg(long, env = "STOA_CONFIG", global = true)]
    config: Option<PathBuf>,
    /// Prints JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Question {
    /// What the deletion of a user erased: a line per service and place, with count and time.
    EraseReport {
        /// Id of the user.
        id: UserId,
    },
}

type Store = (Name, fn() -> MigrationSet);

/// The services that keep anything of users.
const STORES: [Store; 5] = [
    (Name::Users, stoa_users::migrations),
    (Name::Auth, stoa_auth::migrations),
    (Name::Listings, stoa_listings::migrations),
    (Name::Transactions, stoa_transactions::migrations),
    (Name::EventLog, stoa_event_log::migrations),
];

impl Users {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let config = Config::read(self.config.as_deref())?;
        process::run(&config.clone(), "stoa-users", self.work(config))
    }

    async fn work(self, config: Config) -> anyhow::Result<()> {
        let Question::EraseReport { id } = self.question;
        let mut report = Vec::new();
        for (name, migrations) in STORES {
            let place = databases::beside(&config, name, &self.data)?;
            let db = Db::open(&place, &migrations())
                .await
                .with_context(|| format!("the database of {} cannot be opened", name.text()))?;
            let erased = erased::of_user(&db, id).await;
            db.close().await;
            report.extend(erased?.into_iter().map(|erased| (name, erased)));
        }
        anyhow::ensure!(
            !report.is_empty(),
            "nothing was erased of {id}: nobody with this id was deleted"
        );
        let text = if self.json {
            let lines: Vec<Value> = report.iter().map(as_json).collect();
            format!("{:#}\n", Value::from(lines))
        } else {
            as_lines(&report)
        };
        std::io::stdout()
            .write_all(text.as_bytes())
            .context("standard output is closed")
    }
}

fn as_json((name, erased): &(Name, Erased)) -> Value {
    json!({
        "service": name.text(),
        "place": erased.place,
        "items": erased.items,
        "at": erased.at.to_string(),
    })
}

fn as_lines(report: &[(Name, Erased)]) -> String {
    let mut text = String::new();
    for (name, erased) in report {
        let Erased { place, items, at } = erased;
        // Writing into a text does not fail.
        let _ = writeln!(text, "{:<13} {place:<16} {items:>8}  {at}", name.text());
    }
    text
}
