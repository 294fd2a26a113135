//! `stoa operator`: the first operator, and the last resort. It works on the store, also while the
//! service runs.

use super::host::Host;
use anyhow::Context as _;
use serde_json::{Value, json};
use std::io::Write as _;
use stoa_auth::{HostOperator, HostOperators, ResetLink};
use stoa_types::{OsEntropy, SystemClock};

/// Makes and ends operators on the host. `stoa api operators` does the same from anywhere.
#[derive(Debug, clap::Args)]
pub(super) struct Operator {
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
    /// Makes an operator and prints the token to choose a password with, once.
    Create {
        /// E-mail address.
        email: String,
        /// `owner`, `staff` or `read-only`.
        #[arg(long, default_value = "owner")]
        role: String,
    },
    /// All operators, oldest first.
    List,
    /// Ends an operator's access, for good; the last owner stays.
    Disable {
        /// Id or address.
        operator: String,
    },
    /// Prints a token with which an operator chooses a new password within an hour.
    ResetLink {
        /// Id or address.
        operator: String,
    },
}

impl Operator {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let config = self.host.config()?;
        super::process::run(&config.clone(), "stoa-operator", self.work(config))
    }

    async fn work(self, config: stoa_config::Config) -> anyhow::Result<()> {
        let db = self.host.auth(&config).await?;
        let (clock, entropy) = (SystemClock, OsEntropy);
        let lifetimes = crate::embedded::lifetimes(&config);
        let operators = HostOperators::new(&db, lifetimes, &clock, &entropy);
        let answer = match &self.what {
            What::Create { email, role } => Answer::of(operators.create(email, role).await?),
            What::ResetLink { operator } => Answer::of(operators.reset_link(operator).await?),
            What::List => Answer::List(operators.list().await?),
            What::Disable { operator } => Answer::List(vec![operators.disable(operator).await?]),
        };
        db.close().await;
        let text = if self.json {
            format!("{:#}\n", answer.as_json())
        } else {
            answer.as_text()
        };
        std::io::stdout()
            .write_all(text.as_bytes())
            .context("standard output is closed")
    }
}

enum Answer {
    List(Vec<HostOperator>),
    Link(Box<ResetLink>),
}

impl Answer {
    fn of(link: ResetLink) -> Self {
        Self::Link(Box::new(link))
    }

    fn as_json(&self) -> Value {
        match self {
            Self::List(all) => all.iter().map(as_json).collect(),
            Self::Link(link) => {
                let mut shown = as_json(&link.operator);
                shown["resetToken"] = link.token.clone().into();
                shown["resetTokenEndsAt"] = link.ends_at.to_string().into();
                shown
            }
        }
    }

    fn as_text(&self) -> String {
        match self {
            Self::List(all) => all.iter().map(as_line).collect(),
            Self::Link(link) => format!(
                "{}Token, once, until {}: {}\n\
                 The operator chooses a password with `stoa api operators reset-password`.\n",
                as_line(&link.operator),
                link.ends_at,
                link.token,
            ),
        }
    }
}

fn as_json(operator: &HostOperator) -> Value {
    json!({
        "id": operator.id.to_string(),
        "email": operator.email,
        "role": operator.role,
        "createdAt": operator.created_at.to_string(),
        "disabledAt": operator.disabled_at.map(|at| at.to_string()),
        "hasPassword": operator.has_password,
    })
}

fn as_line(operator: &HostOperator) -> String {
    let state = match (operator.disabled_at, operator.has_password) {
        (Some(at), _) => format!("disabled {at}"),
        (None, false) => "has no password yet".to_owned(),
        (None, true) => String::new(),
    };
    let line = format!(
        "{}  {:9}  {}  {state}",
        operator.id, operator.role, operator.email
    );
    format!("{}\n", line.trim_end())
}
