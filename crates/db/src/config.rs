//! Where a service keeps its rows.

use std::path::PathBuf;

/// The two engines that every statement runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// One file below the data folder.
    Sqlite,
    /// One schema of a PostgreSQL database.
    Postgres,
}

/// When SQLite makes a commit durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// Every commit survives a loss of power. The default: an acknowledged payment must not
    /// disappear.
    #[default]
    Full,
    /// The last commits may be lost with the power; the file stays consistent.
    Normal,
}

/// Which database to open.
#[derive(Clone, PartialEq, Eq)]
pub enum DbConfig {
    /// One SQLite file.
    Sqlite {
        /// The file; made (mode 0600) when missing. Its folder must exist.
        path: PathBuf,
        /// When a commit is durable.
        synchronous: Synchronous,
    },
    /// One schema of a PostgreSQL database.
    Postgres {
        /// `postgres://user:password@host/database?sslmode=...`.
        url: String,
        /// Lower-case letters, digits and `_`; made by [`crate::Db::migrate`] when missing.
        schema: String,
        /// Most connections of this process; eight are enough on a small machine.
        max_connections: u32,
    },
}

impl DbConfig {
    /// Which engine this is.
    pub const fn engine(&self) -> Engine {
        match self {
            Self::Sqlite { .. } => Engine::Sqlite,
            Self::Postgres { .. } => Engine::Postgres,
        }
    }
}

impl std::fmt::Debug for DbConfig {
    /// Leaves the URL out: it holds a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite { path, synchronous } => f
                .debug_struct("Sqlite")
                .field("path", path)
                .field("synchronous", synchronous)
                .finish(),
            Self::Postgres {
                schema,
                max_connections,
                ..
            } => f
                .debug_struct("Postgres")
                .field("schema", schema)
                .field("max_connections", max_connections)
                .finish_non_exhaustive(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_text_of_a_configuration_holds_no_password() {
        let config = DbConfig::Postgres {
            url: "postgres://stoa:hunter2@localhost/stoa".into(),
            schema: "users".into(),
            max_connections: 8,
        };
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
