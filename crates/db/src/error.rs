//! What can go wrong with a statement, without a word of the driver.

use sqlx::error::ErrorKind;

/// What the log needs to find the cause; shown by `Debug` only, so that no SQL leaves the house.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail {
    /// The statement's text, without its values.
    pub statement: String,
    /// What the engine said.
    pub message: String,
}

/// A statement or transaction failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DbError {
    /// `one` found no row.
    #[error("no such row")]
    NoRow,
    /// A statement touched another number of rows than the caller relies on; with
    /// `UPDATE ... WHERE version = $n` it means that somebody else was faster.
    #[error("{actual} rows where {expected} were expected")]
    RowCount {
        /// What the caller asked for.
        expected: u64,
        /// What the engine reported.
        actual: u64,
    },
    /// A unique constraint, unique index or primary key was violated.
    #[error("a unique constraint was violated")]
    Unique {
        /// PostgreSQL: the constraint's name. SQLite: `table.column, table.column`. Compare with
        /// [`DbError::is_unique_on`]; better still, use `ON CONFLICT DO NOTHING` and read again.
        on: String,
        /// For the log.
        detail: Detail,
    },
    /// A foreign key was violated.
    #[error("a foreign key was violated")]
    ForeignKey(Detail),
    /// A required column was null.
    #[error("a required column was null")]
    NotNull(Detail),
    /// A check was violated.
    #[error("a check constraint was violated")]
    Check(Detail),
    /// A stored value is not what its column should hold.
    #[error("column {column} holds a value that cannot be read")]
    Corrupt {
        /// Name or index of the column.
        column: String,
        /// Why the value was refused.
        reason: String,
    },
    /// Another writer held its lock too long.
    #[error("the database is busy")]
    Busy(Detail),
    /// The transaction collided with others on every attempt.
    #[error("the transaction collided with others {attempts} times")]
    Contended {
        /// How often it was tried.
        attempts: u32,
    },
    /// No connection could be had, or it broke.
    #[error("the database is out of reach")]
    Unavailable(Detail),
    /// The closure of a write took longer than it may hold the writer.
    #[error("a write took too long and was rolled back")]
    WriteTimeout,
    /// The handle outlived its transaction.
    #[error("the transaction is over")]
    Ended,
    /// A statement of the transaction failed before, outside of a savepoint. PostgreSQL refuses
    /// everything after that, so SQLite does too.
    #[error("the transaction was aborted by an earlier error")]
    Aborted,
    /// `Db` was used inside the closure of one of its own writes. Use the `Tx`: on SQLite the
    /// second writer would wait for the first for ever, on PostgreSQL the pool would run dry.
    #[error("the database was used from inside its own write")]
    Nested,
    /// A statement that changes rows was run as a read. SQLite's readers refuse it, so PostgreSQL's
    /// do too: it would bypass the transaction and its wake-up.
    #[error("a statement that changes rows was run as a read")]
    NotARead,
    /// More than 4096 values in one statement; send them in several.
    #[error("a statement with {0} values is too long")]
    TooManyValues(usize),
    /// `open` found a schema that lacks migrations.
    #[error("the schema of {service} lacks migration {missing}")]
    NotMigrated {
        /// Whose schema.
        service: String,
        /// The first migration that is missing.
        missing: String,
    },
    /// A migration is badly named, was edited after it was applied, or failed.
    #[error("a migration of {service} failed")]
    Migration {
        /// Whose schema.
        service: String,
        /// For the log.
        reason: String,
    },
    /// The configuration cannot work.
    #[error("bad database configuration: {0}")]
    Config(String),
    /// Anything else the engine reported.
    #[error("a statement failed")]
    Failed(Detail),
}

impl DbError {
    /// Whether this is a violation of the unique rule with this name on PostgreSQL and these
    /// columns (`table.column, table.column`) on SQLite.
    pub fn is_unique_on(&self, postgres_constraint: &str, sqlite_columns: &str) -> bool {
        matches!(self, Self::Unique { on, .. } if on == postgres_constraint || on == sqlite_columns)
    }

    /// A column that holds what it should not.
    pub fn corrupt(column: impl Into<String>, reason: impl std::fmt::Display) -> Self {
        Self::Corrupt {
            column: column.into(),
            reason: reason.to_string(),
        }
    }

    /// The same failure may be gone in a moment, and nothing was done yet.
    pub(crate) const fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// Whether PostgreSQL asks to run the whole transaction again: 40001 (serialization failure) or
/// 40P01 (deadlock).
pub(crate) fn wants_another_try(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .and_then(|e| e.code())
        .is_some_and(|code| code == "40001" || code == "40P01")
}

/// Classifies an error of the driver.
pub(crate) fn classify(error: sqlx::Error, statement: &str) -> DbError {
    let detail = |message: String| Detail {
        statement: statement.to_owned(),
        message,
    };
    match error {
        sqlx::Error::Database(e) => {
            let d = detail(e.message().to_owned());
            match e.kind() {
                ErrorKind::UniqueViolation => {
                    let on = e.constraint().map_or_else(
                        || {
                            let (_, columns) = e.message().split_once(": ").unwrap_or_default();
                            columns.to_owned()
                        },
                        str::to_owned,
                    );
                    return DbError::Unique { on, detail: d };
                }
                ErrorKind::ForeignKeyViolation => return DbError::ForeignKey(d),
                ErrorKind::NotNullViolation => return DbError::NotNull(d),
                ErrorKind::CheckViolation => return DbError::Check(d),
                _ => {}
            }
            let code = e.code().unwrap_or_default();
            if e.try_downcast_ref::<sqlx::postgres::PgDatabaseError>()
                .is_some()
            {
                match &*code {
                    // Lock not available, query canceled (a timeout), both deadlock kinds.
                    "55P03" | "57014" | "40001" | "40P01" => DbError::Busy(d),
                    // Shutdown, crash, starting up, too many connections, connection exceptions.
                    "57P01" | "57P02" | "57P03" | "53300" | "25P03" => DbError::Unavailable(d),
                    c if c.starts_with("08") => DbError::Unavailable(d),
                    _ => DbError::Failed(d),
                }
            } else {
                // SQLite: the low byte is the primary code; 5 is BUSY and 6 LOCKED.
                match code.parse::<i64>().map(|c| c & 0xff) {
                    Ok(5 | 6) => DbError::Busy(d),
                    _ => DbError::Failed(d),
                }
            }
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::Protocol(_)
        | sqlx::Error::BeginFailed => DbError::Unavailable(detail(error.to_string())),
        sqlx::Error::Configuration(e) => DbError::Config(e.to_string()),
        other => DbError::Failed(detail(other.to_string())),
    }
}
