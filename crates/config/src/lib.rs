//! The configuration of an installation, read once and validated as a whole.
//!
//! A TOML file (`--config FILE`) and, over it, environment variables `STOA_<SECTION>__<KEY>`
//! (`STOA_HTTP__LISTEN`, `STOA_DEV__OPERATOR_EMAIL`). Every key has a default, an unknown key is an
//! error, and secrets print nothing.

mod dev;
mod http;
mod log;
mod secret;
mod storage;
mod tokens;

pub use dev::Dev;
pub use http::Http;
pub use log::{Log, LogFormat};
pub use secret::Secret;
pub use storage::{Storage, Synchronous};
pub use tokens::Tokens;

use figment::Figment;
use figment::providers::{Env, Format as _, Serialized, Toml};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The whole configuration.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Addresses and limits of the edge.
    pub http: Http,
    /// Where data lies.
    pub storage: Storage,
    /// Log lines.
    pub log: Log,
    /// Lives of tokens.
    pub tokens: Tokens,
    /// What the first start of a development marketplace is made with.
    pub dev: Dev,
}

/// The configuration cannot be used; says which key and why.
#[derive(Debug, thiserror::Error)]
pub enum BadConfig {
    /// The file or a variable cannot be read, or a key is not known.
    #[error("{0}")]
    Unreadable(Box<figment::Error>),
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
        let config: Self = figment
            .merge(environment)
            .extract()
            .map_err(|error| BadConfig::Unreadable(Box::new(error)))?;
        config.http.check()?;
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
        ] {
            let error = read(file, &[]).unwrap_err();
            assert!(error.starts_with(key), "{error}");
        }
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
