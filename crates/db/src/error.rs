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
    /// The database was told to commit, and the connection was lost before it answered: what was
    /// written may be stored or not. Whoever asked is told that it failed for now; nobody may take
    /// it as done, nor do it again unless it has no effect a second time.
    #[error("the database did not say whether it committed")]
    InDoubt(Detail),
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

    /// Whether the cause lies with the database and may be gone in a moment: busy, out of reach,
    /// out of room. Outside it is a 503. Only [`DbError::InDoubt`] among them may have stored
    /// something.
    pub const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Busy(_)
                | Self::Contended { .. }
                | Self::Unavailable(_)
                | Self::InDoubt(_)
                | Self::WriteTimeout
        )
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
                of_postgres(&code, d)
            } else {
                of_sqlite(&code, d)
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

/// Classifies a code of PostgreSQL (SQLSTATE) that is none of the constraints'.
fn of_postgres(code: &str, detail: Detail) -> DbError {
    match code {
        // Lock not available, query canceled (a timeout), both deadlock kinds.
        "55P03" | "57014" | "40001" | "40P01" => DbError::Busy(detail),
        // A session that was silent in a transaction, a server that is read-only (a standby that
        // was not promoted yet).
        "25P03" | "25006" => DbError::Unavailable(detail),
        code => match code.get(..2).unwrap_or_default() {
            // The connection; resources (disk full, memory, too many connections); the operator
            // (shutdown, crash, starting up); the system around the server (input and output).
            "08" | "53" | "57" | "58" => DbError::Unavailable(detail),
            _ => DbError::Failed(detail),
        },
    }
}

/// Classifies a code of SQLite that is none of the constraints'. The low byte is the primary code.
fn of_sqlite(code: &str, detail: Detail) -> DbError {
    match code.parse::<i64>().map(|code| code & 0xff) {
        // BUSY, LOCKED.
        Ok(5 | 6) => DbError::Busy(detail),
        // NOMEM, READONLY (a disk that the system protects after an error), IOERR, FULL, CANTOPEN
        // (the log cannot be made: no room, no file handles).
        Ok(7 | 8 | 10 | 13 | 14) => DbError::Unavailable(detail),
        _ => DbError::Failed(detail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail() -> Detail {
        Detail {
            statement: String::new(),
            message: String::new(),
        }
    }

    #[test]
    fn what_ails_the_server_is_unavailable_and_what_ails_a_statement_is_not() {
        for code in [
            "08000", "08006", "25006", "25P03", "53000", "53100", "53200", "53300", "53400",
            "57000", "57P01", "57P02", "57P03", "57P04", "57P05", "58000", "58030", "58P01",
        ] {
            let error = of_postgres(code, detail());
            assert_eq!(error, DbError::Unavailable(detail()), "{code}");
        }
        for code in ["55P03", "57014", "40001", "40P01"] {
            assert_eq!(
                of_postgres(code, detail()),
                DbError::Busy(detail()),
                "{code}"
            );
        }
        for code in [
            "", "0", "22P02", "42601", "42P01", "42501", "54001", "XX000", "25P02",
        ] {
            assert_eq!(
                of_postgres(code, detail()),
                DbError::Failed(detail()),
                "{code}"
            );
        }
    }

    #[test]
    fn extended_codes_of_sqlite_are_judged_by_their_primary_code() {
        // IOERR_WRITE, IOERR_FSYNC, IOERR_SHMSIZE, FULL, CANTOPEN, READONLY_DBMOVED.
        for code in ["778", "1034", "4874", "13", "14", "1032"] {
            let error = of_sqlite(code, detail());
            assert_eq!(error, DbError::Unavailable(detail()), "{code}");
        }
        // BUSY_SNAPSHOT, LOCKED_SHAREDCACHE.
        for code in ["5", "517", "262"] {
            assert_eq!(of_sqlite(code, detail()), DbError::Busy(detail()), "{code}");
        }
        // ERROR, CORRUPT, MISUSE, and what is no code at all.
        for code in ["1", "11", "21", ""] {
            assert_eq!(
                of_sqlite(code, detail()),
                DbError::Failed(detail()),
                "{code}"
            );
        }
    }
}
