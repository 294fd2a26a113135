//! `stoa settings`: what an owner says of the marketplace, from the host. It works on the store,
//! also while the service runs: every replica and every gateway hears of it by the feed.

use super::process;
use crate::{Name, databases, embedded};
use anyhow::Context as _;
use serde_json::{Map, Value};
use std::io::Write as _;
use std::path::PathBuf;
use stoa_auth::HostSettings;
use stoa_config::Config;
use stoa_db::Db;
use stoa_types::{OsEntropy, SystemClock};

/// Shows and changes the settings of the marketplace. It alone takes a marketplace out of the
/// environment live, and then ends every login-as.
#[derive(Debug, clap::Args)]
pub(super) struct Settings {
    #[command(subcommand)]
    step: Step,
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
enum Step {
    /// All settings.
    Show,
    /// Gives one setting a value and shows them all.
    Set {
        /// Its name in the list, such as `environment` or `accessControl.marketplace.private`.
        key: String,
        /// The value; an empty one takes away a description, an address, a link.
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
}

impl Settings {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let config = Config::read(self.config.as_deref())?;
        process::run(&config.clone(), "stoa-settings", self.work(config))
    }

    async fn work(self, config: Config) -> anyhow::Result<()> {
        let place = databases::beside(&config, Name::Auth, &self.data)?;
        let db = Db::open(&place, &stoa_auth::migrations())
            .await
            .context("the database of auth cannot be opened")?;
        let (clock, entropy) = (SystemClock, OsEntropy);
        let settings = HostSettings::new(&db, embedded::lifetimes(&config), &clock, &entropy);
        let shown = match &self.step {
            Step::Show => settings.show().await?,
            Step::Set { key, value } => settings.set(key, value).await?,
        };
        db.close().await;
        let text = if self.json {
            format!("{:#}\n", as_json(shown))
        } else {
            shown.iter().map(as_line).collect()
        };
        std::io::stdout()
            .write_all(text.as_bytes())
            .context("standard output is closed")
    }
}

/// The settings as the operator API shows them: a dot in a name goes one map further in.
fn as_json(settings: Vec<(String, Value)>) -> Value {
    let mut all = Map::new();
    for (path, value) in settings {
        let mut map = &mut all;
        let mut steps = path.split('.').peekable();
        while let Some(step) = steps.next() {
            if steps.peek().is_none() {
                map.insert(step.to_owned(), value);
                break;
            }
            let below = map.entry(step).or_insert_with(|| Value::Object(Map::new()));
            let Value::Object(below) = below else { break };
            map = below;
        }
    }
    Value::Object(all)
}

fn as_line((key, value): &(String, Value)) -> String {
    match value {
        Value::Null => format!("{key} =\n"),
        Value::String(text) => format!("{key} = {text}\n"),
        other => format!("{key} = {other}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn settings_are_printed_as_lines_and_as_the_operator_api_shows_them() {
        let settings = vec![
            ("marketplaceName".to_owned(), json!("Agora")),
            ("mailFrom".to_owned(), Value::Null),
            ("accessControl.marketplace.private".to_owned(), json!(true)),
            (
                "accessControl.users.requirePermissionToRead".to_owned(),
                json!(false),
            ),
            ("passwords.minLength".to_owned(), json!(8)),
        ];
        let lines: String = settings.iter().map(as_line).collect();
        assert_eq!(
            lines,
            "marketplaceName = Agora\nmailFrom =\naccessControl.marketplace.private = true\n\
             accessControl.users.requirePermissionToRead = false\npasswords.minLength = 8\n"
        );
        assert_eq!(
            as_json(settings),
            json!({
                "marketplaceName": "Agora",
                "mailFrom": null,
                "accessControl": {
                    "marketplace": { "private": true },
                    "users": { "requirePermissionToRead": false },
                },
                "passwords": { "minLength": 8 },
            })
        );
    }
}
