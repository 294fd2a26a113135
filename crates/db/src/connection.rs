//! Runs one statement on one connection of either engine.
//!
//! The driver's futures measure kilobytes; they are boxed here, so that a command with a dozen
//! statements does not become a future of a hundred.

use crate::DbError;
use crate::error::classify;
use crate::measure::{Meter, Place};
use crate::postgres::Lease;
use crate::row::{Inner, Row};
use crate::sql::{MAX_VALUES, Sql};
use crate::value::Value;
use sqlx::{Arguments, Executor, SqliteConnection, postgres::PgArguments, sqlite::SqliteArguments};

/// A borrowed connection.
pub(crate) enum Connection<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut Lease),
}

/// Why a statement failed, and whether PostgreSQL asks for the transaction to be run again.
pub(crate) struct Failure {
    pub(crate) error: DbError,
    pub(crate) wants_another_try: bool,
    /// The connection had broken before, and nothing was done.
    pub(crate) was_broken: bool,
}

impl Failure {
    fn from_driver(error: sqlx::Error, statement: &str) -> Self {
        Self {
            wants_another_try: crate::error::wants_another_try(&error),
            was_broken: crate::postgres::was_broken(&error),
            error: classify(error, statement),
        }
    }
}

impl From<DbError> for Failure {
    fn from(error: DbError) -> Self {
        Self {
            error,
            wants_another_try: false,
            was_broken: false,
        }
    }
}

macro_rules! arguments {
    ($kind:ty, $sql:expr) => {{
        let mut arguments = <$kind>::default();
        for value in $sql.values() {
            match value.clone() {
                Value::Int(v) => arguments.add(v),
                Value::Real(v) => arguments.add(v),
                Value::Bool(v) => arguments.add(v),
                Value::Text(v) => arguments.add(v),
                Value::Blob(v) => arguments.add(v),
            }
            .map_err(|e| Failure::from_driver(sqlx::Error::Encode(e), $sql.text()))?;
        }
        sqlx::query_with($sql.sql_str(), arguments)
    }};
}

impl Connection<'_> {
    /// All rows of the result.
    pub(crate) async fn rows(
        self,
        sql: &Sql,
        meter: &Meter,
        place: Place,
    ) -> Result<Vec<Row>, Failure> {
        check(sql)?;
        let running = meter.statement(sql, place);
        let rows = match self {
            Self::Sqlite(connection) => {
                Box::pin(arguments!(SqliteArguments, sql).fetch_all(connection))
                    .await
                    .map(|rows| rows.into_iter().map(|r| Row(Inner::Sqlite(r))).collect())
            }
            Self::Postgres(lease) => {
                let query = arguments!(PgArguments, sql);
                lease
                    .ask(|connection| query.fetch_all(connection))
                    .await
                    .map(|rows| rows.into_iter().map(|r| Row(Inner::Postgres(r))).collect())
            }
        };
        crate::accounting::add(1, running.statement_ended(rows.is_ok()));
        rows.map_err(|e| Failure::from_driver(e, sql.text()))
    }

    /// The number of rows that the statement changed.
    pub(crate) async fn execute(
        self,
        sql: &Sql,
        meter: &Meter,
        place: Place,
    ) -> Result<u64, Failure> {
        check(sql)?;
        let running = meter.statement(sql, place);
        let affected = match self {
            Self::Sqlite(connection) => {
                Box::pin(arguments!(SqliteArguments, sql).execute(connection))
                    .await
                    .map(|done| done.rows_affected())
            }
            Self::Postgres(lease) => {
                let query = arguments!(PgArguments, sql);
                lease
                    .ask(|connection| query.execute(connection))
                    .await
                    .map(|done| done.rows_affected())
            }
        };
        crate::accounting::add(1, running.statement_ended(affected.is_ok()));
        affected.map_err(|e| Failure::from_driver(e, sql.text()))
    }

    /// Compiles the statement without running it.
    pub(crate) async fn prepare(self, text: &'static str) -> Result<(), DbError> {
        let sql = crate::sql(text).sql_str();
        match self {
            Self::Sqlite(connection) => connection.prepare(sql).await.map(drop),
            Self::Postgres(lease) => {
                lease
                    .ask(|connection| async move { connection.prepare(sql).await.map(drop) })
                    .await
            }
        }
        .map_err(|e| classify(e, text))
    }
}

fn check(sql: &Sql) -> Result<(), DbError> {
    if sql.values().len() > MAX_VALUES {
        return Err(DbError::TooManyValues(sql.values().len()));
    }
    Ok(())
}

/// The one row of a result.
pub(crate) fn one(rows: Vec<Row>) -> Result<Row, DbError> {
    opt(rows)?.ok_or(DbError::NoRow)
}

/// The row of a result that has one or none. More are a fault in the statement, which a silent
/// pick of the first would hide.
pub(crate) fn opt(rows: Vec<Row>) -> Result<Option<Row>, DbError> {
    let actual = rows.len() as u64;
    let mut rows = rows.into_iter();
    match (rows.next(), rows.next()) {
        (row, None) => Ok(row),
        _ => Err(DbError::RowCount {
            expected: 1,
            actual,
        }),
    }
}
