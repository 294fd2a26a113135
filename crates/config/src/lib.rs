//! The configuration of an installation, read once and validated as a whole.
//!
//! A TOML file (`--config FILE`) and, over it, environment variables `STOA_<SECTION>__<KEY>`
//! (`STOA_HTTP__LISTEN`, `STOA_DEV__OPERATOR_EMAIL`). Every key has a default, an unknown key is an
//! error, and secrets print nothing.

mod backup;
mod bootstrap;
mod database;
mod dev;
mod http;
mod installation;
mod keys;
mod log;
mod mail;
mod rpc;
mod secret;
mod storage;
mod telemetry;
mod tokens;

pub use backup::Backup;
pub use bootstrap::Bootstrap;
pub use database::{Database, Migrate};
pub use dev::Dev;
pub use http::Http;
pub use installation::Installation;
pub use keys::Keys;
pub use log::{Log, LogFormat};
pub use mail::{Mail, MailTls};
pub use rpc::{Peers, Rpc, Tls};
pub use secret::Secret;
pub use storage::{Storage, Synchronous};
pub use telemetry::Telemetry;
pub use tokens::Tokens;

use figment::Figment;
use figment::providers::{Env, Format as _, Serialized, Toml};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The whole configuration.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Which installation this is.
    pub installation: Installation,
    /// Addresses and limits of the edge.
    pub http: Http,
    /// The own gRPC address.
    pub rpc: Rpc,
    /// Where the other services are.
    pub peers: Peers,
    /// Mutual TLS between the processes.
    pub tls: Tls,
    /// Key material.
    pub keys: Keys,
    /// PostgreSQL, where it is used.
    pub database: Database,
    /// What `stoa migrate` works with.
    pub migrate: Migrate,
    /// Where data lies.
    pub storage: Storage,
    /// How backups are written.
    pub backup: Backup,
    /// Log lines.
    pub log: Log,
    /// Outgoing mail.
    pub mail: Mail,
    /// Traces.
    pub telemetry: Telemetry,
    /// Lives of tokens.
    pub tokens: Tokens,
    /// What the first start of `stoa serve` is made with.
    pub bootstrap: Bootstrap,
    /// What the first start of a development marketplace is made with.
    pub dev: Dev,
}

/// The configuration cannot be used; says which key and why.
#[derive(Debug, thiserror::Error)]
pub enum BadConfig {
    /// The file or a variable cannot be read, or a key is not known.
    #[error("{0}")]
    Unreadable(Box<figment::Error>),
    /// A file that a key names cannot be read.
    #[error("{key}: {path}: {error}")]
    File {
        /// The key, with its section.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A value is out of its range.
    #[error("{key}: {why}")]
    Invalid {
        /// The key, with its section.
        key: &'static str,
        /// The allowed values.
        why: &'static str,
    },
}

impl Config {
    /// Reads the file, if there is one, and the environment.
    ///
    /// # Errors
    /// [`BadConfig`].
    pub fn read(file: Option<&Path>) -> Result<Self, BadConfig> {
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        if let Some(file) = file {
            figment = figment.merge(Toml::file_exact(file));
        }
        // Only variables of a section: STOA_DATA, STOA_LISTEN and the like belong to the commands.
        let environment = Env::prefixed("STOA_")
            .filter(|key| key.as_str().contains("__"))
            .split("__");
        let mut config: Self = figment
            .merge(environment)
            .extract()
            .map_err(|error| BadConfig::Unreadable(Box::new(error)))?;
        config.installation.check()?;
        config.http.check()?;
        config.rpc.check()?;
        config.peers.check()?;
        config.tls.check()?;
        config.database.check()?;
        config.migrate.check()?;
        config.bootstrap.check()?;
        config.mail.check()?;
        config.telemetry.check()?;
        config.tokens.check()?;
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use figment::Jail;

    #[expect(clippy::result_large_err, reason = "the error is figment's own")]
    fn read(file: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
        let mut outcome = Err(String::new());
        Jail::expect_with(|jail| {
            jail.create_file("stoa.toml", file)?;
            for (name, value) in variables {
                jail.set_env(name, value);
            }
            outcome = Config::read(Some(Path::new("stoa.toml"))).map_err(|e| e.to_string());
            Ok(())
        });
        outcome
    }

    #[test]
    fn the_environment_stands_over_the_file() {
        let file = "[http]\nlisten = \"127.0.0.1:9000\"\nbody_limit = 4096\n";
        let config = read(
            file,
            &[("STOA_HTTP__LISTEN", "127.0.0.1:9001"), ("STOA_DATA", "x")],
        );
        let config = config.unwrap();
        assert_eq!(config.http.listen.to_string(), "127.0.0.1:9001");
        assert_eq!(config.http.body_limit, 4096);
    }

    #[test]
    fn unknown_keys_are_errors_that_name_them() {
        for (file, name) in [("[http]\nlissten = 1\n", "lissten"), ("[extra]\n", "extra")] {
            let error = read(file, &[]).unwrap_err();
            assert!(error.contains(name), "{error}");
        }
        assert!(
            read("", &[("STOA_HTTP__NOTHING", "1")])
                .unwrap_err()
                .contains("nothing")
        );
    }

    #[test]
    fn values_out_of_range_are_errors_that_name_the_key() {
        for (file, key) in [
            ("[http]\nbody_limit = 1\n", "http.body_limit"),
            ("[tokens]\naccess_s = 0\n", "tokens.access_s"),
            ("[telemetry]\nsample = 1.5\n", "telemetry.sample"),
            (
                "[telemetry]\notlp_endpoint = \"collector:4317\"\n",
                "telemetry.otlp_endpoint",
            ),
            ("[rpc]\nmax_concurrent = 0\n", "rpc.max_concurrent"),
            ("[peers]\nauth = \"auth\"\n", "peers"),
            ("[peers]\nauth = \"a:1,,b:2\"\n", "peers"),
            ("[tls]\nca = \"ca.pem\"\n", "tls"),
            (
                "[database]\nmax_connections = 0\n",
                "database.max_connections",
            ),
            (
                "[database]\nschema_prefix = \"a;b\"\n",
                "database.schema_prefix",
            ),
            ("[migrate]\nrole_prefix = \"1_\"\n", "migrate.role_prefix"),
            (
                "[installation]\ndeployment = \"A/b\"\n",
                "installation.deployment",
            ),
            (
                "[bootstrap]\nenvironment = \"staging\"\n",
                "bootstrap.environment",
            ),
            (
                "[bootstrap]\nmarketplace_url = \"http://localhost\"\n",
                "bootstrap.marketplace_url",
            ),
            ("[database]\nurl_file = \"nowhere\"\n", "database.url_file"),
            ("[mail]\ntimeout_s = 0\n", "mail.timeout_s"),
            ("[mail]\nuser = \"x\"\n", "mail.user"),
            ("[mail]\nhost = \"mx.example.com\"\n", "mail.from_address"),
            (
                "[mail]\nhost = \"mx.example.com\"\nfrom_address = \"a@b.c\"\ntls = \"none\"\n",
                "mail.tls",
            ),
            (
                "[mail]\npassword_file = \"nowhere\"\n",
                "mail.password_file",
            ),
        ] {
            let error = read(file, &[]).unwrap_err();
            assert!(error.starts_with(key), "{error}");
        }
    }

    // contract: security S74 (secrets as files)
    #[test]
    fn a_secret_may_stand_in_a_file_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("url");
        std::fs::write(&path, "postgres://stoa@localhost/stoa\n").unwrap();
        let file = format!("[database]\nurl_file = {path:?}\n");
        let url = read(&file, &[]).unwrap().database.url.unwrap();
        assert_eq!(url.reveal(), "postgres://stoa@localhost/stoa");
        assert!(read(&file, &[("STOA_DATABASE__URL", "postgres://x")]).is_err());
    }

    #[test]
    fn addresses_of_a_peer_come_one_by_one() {
        let config = read("[peers]\nevent_log = \"a:1, b:2\"\n", &[]).unwrap();
        assert_eq!(config.peers.addresses("event-log"), ["a:1", "b:2"]);
        assert_eq!(config.database.schema("event-log"), "event_log");
    }

    #[test]
    fn secrets_do_not_print() {
        let file = "[dev]\noperator_password = \"very secret words\"\n";
        let config = read(file, &[]).unwrap();
        assert!(!format!("{config:?}").contains("very secret"));
        assert_eq!(
            config.dev.operator_password.unwrap().reveal(),
            "very secret words"
        );
    }
}
