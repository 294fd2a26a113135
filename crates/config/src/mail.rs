//! Section `mail`.

use crate::{BadConfig, Secret};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// How the connection to the mail server is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// Not at all; for a server on the same machine only.
    None,
    /// After `STARTTLS`, usually on port 587.
    Starttls,
    /// From the first byte on, usually on port 465.
    Tls,
}

/// Outgoing mail. Without a host `stoa dev` writes each mail into a file below `<data>/outbox`, and
/// any other process logs and drops it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mail {
    /// Name or address of the mail server.
    pub host: Option<String>,
    /// Its port; none: 587, with `tls = "tls"` 465, with `tls = "none"` 25.
    pub port: Option<u16>,
    /// `none` (loopback only), `starttls` or `tls`. A server that does not encrypt gets no mail.
    pub tls: MailTls,
    /// PEM of authorities that are trusted beside the public ones.
    pub ca: Option<PathBuf>,
    /// Account at the server, with a password or not at all.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
    /// File that holds the password instead.
    pub password_file: Option<PathBuf>,
    /// Address that mails come from; needed with a host.
    pub from_address: Option<String>,
    /// Name that is shown with it; none: the name of the marketplace.
    pub from_name: Option<String>,
    /// What this process calls itself to the server; none: the domain of `from_address`.
    pub hello: Option<String>,
    /// Longest wait for an answer of the server in seconds, 1 to 600.
    pub timeout_s: u64,
}

impl Default for Mail {
    fn default() -> Self {
        Self {
            host: None,
            port: None,
            tls: MailTls::Starttls,
            ca: None,
            user: None,
            password: None,
            password_file: None,
            from_address: None,
            from_name: None,
            hello: None,
            timeout_s: 30,
        }
    }
}

impl Mail {
    /// The port that is used.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            MailTls::None => 25,
            MailTls::Starttls => 587,
            MailTls::Tls => 465,
        })
    }

    pub(crate) fn check(&mut self) -> Result<(), BadConfig> {
        Secret::from_file(
            &mut self.password,
            self.password_file.as_deref(),
            "mail.password_file",
        )?;
        let invalid = |key, why| Err(BadConfig::Invalid { key, why });
        if !(1..=600).contains(&self.timeout_s) {
            return invalid("mail.timeout_s", "must lie between 1 and 600");
        }
        if self.user.is_some() != self.password.is_some() {
            return invalid("mail.user", "needs mail.password, and the other way round");
        }
        let Some(host) = &self.host else {
            return Ok(());
        };
        if self.from_address.is_none() {
            return invalid("mail.from_address", "is needed with mail.host");
        }
        let loopback = host == "localhost"
            || host
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback());
        if self.tls == MailTls::None && !loopback {
            return invalid("mail.tls", "may be none for a server on loopback only");
        }
        Ok(())
    }
}
