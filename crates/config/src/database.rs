//! Sections `database` and `migrate`.

use crate::{BadConfig, Secret};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The database of a process. Without a URL it is SQLite below the data folder, which is for one
/// process of each service.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// `postgres://role:password@host/database?sslmode=verify-full&sslrootcert=...`.
    pub url: Option<Secret>,
    /// File that holds the URL instead.
    pub url_file: Option<PathBuf>,
    /// What stands before the name of every schema.
    pub schema_prefix: String,
    /// Most connections of this process, 1 to 1000.
    pub max_connections: u32,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: None,
            url_file: None,
            schema_prefix: String::new(),
            max_connections: 8,
        }
    }
}

impl Database {
    /// Name of a service's schema: the prefix and the service's name with `_`.
    pub fn schema(&self, service: &str) -> String {
        format!("{}{}", self.schema_prefix, service.replace('-', "_"))
    }

    pub(crate) fn check(&mut self) -> Result<(), BadConfig> {
        Secret::from_file(&mut self.url, self.url_file.as_deref(), "database.url_file")?;
        check_prefix(&self.schema_prefix, "database.schema_prefix")?;
        if (1..=1000).contains(&self.max_connections) {
            return Ok(());
        }
        Err(BadConfig::Invalid {
            key: "database.max_connections",
            why: "must lie between 1 and 1000",
        })
    }
}

/// What `stoa migrate` works with.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Migrate {
    /// URL of the role that owns the schemas; without it that of the section `database`.
    pub url: Option<Secret>,
    /// File that holds the URL instead.
    pub url_file: Option<PathBuf>,
    /// What stands before the names of the services' roles: with `stoa_`, the role `stoa_users`
    /// gets the rights that `users` needs on its schema, and no others. Empty: no rights are
    /// granted.
    pub role_prefix: String,
}

impl Migrate {
    /// Name of a service's role; nothing when no rights are granted.
    pub fn role(&self, service: &str) -> Option<String> {
        let named = !self.role_prefix.is_empty();
        named.then(|| format!("{}{}", self.role_prefix, service.replace('-', "_")))
    }

    pub(crate) fn check(&mut self) -> Result<(), BadConfig> {
        Secret::from_file(&mut self.url, self.url_file.as_deref(), "migrate.url_file")?;
        check_prefix(&self.role_prefix, "migrate.role_prefix")
    }
}

/// Names of schemas and roles are put into statements.
fn check_prefix(prefix: &str, key: &'static str) -> Result<(), BadConfig> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    let starts_well = !prefix.starts_with(|c: char| c.is_ascii_digit());
    if prefix.len() <= 40 && starts_well && prefix.bytes().all(plain) {
        return Ok(());
    }
    Err(BadConfig::Invalid {
        key,
        why: "must be at most 40 lower-case letters, digits and _, and not begin with a digit",
    })
}
