//! The rights of a service's own role on its schema of PostgreSQL: its rows, and nothing else.
//!
//! The owner of the schemas migrates; the role that a service runs under changes no table. Some
//! tables are evidence: their rows are written once, and row security (`CREATE POLICY`) lets the
//! role remove them only when they can no longer matter.

use crate::error::classify;
use crate::{DbConfig, DbError, postgres};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

/// First version of PostgreSQL with the right to vacuum a table that somebody else owns.
const HAS_MAINTAIN: i32 = 170_000;

/// A table whose rows its service may add and read, and remove only at their end.
#[derive(Clone, Copy, Debug)]
pub struct AppendOnly {
    /// The table.
    pub table: &'static str,
    /// Condition on a row, in PostgreSQL's SQL: it can no longer matter. Nothing: rows stay for ever.
    pub removable_when: Option<&'static str>,
    /// The one column that may be changed, and the condition on the row for it.
    pub changeable: Option<(&'static str, &'static str)>,
}

/// Gives `role` what a service needs on the schema of `config`, whose URL is the owner's, and takes
/// every other right on it away. The role must exist. Safe to repeat, also while the service runs.
///
/// # Errors
/// [`DbError::Config`] for SQLite, which has no roles, and for a role whose name is not made of
/// lower-case letters, digits and `_`; what the engine says otherwise.
pub(crate) async fn grant(
    config: &DbConfig,
    role: &str,
    append_only: &[AppendOnly],
) -> Result<(), DbError> {
    let DbConfig::Postgres { url, schema, .. } = config else {
        return Err(DbError::Config("SQLite has no roles".to_owned()));
    };
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if role.is_empty() || role.len() > 63 || !role.bytes().all(plain) {
        return Err(DbError::Config(format!("{role:?} is no name of a role")));
    }
    let options = postgres::options(url, schema, &postgres::PATIENT)?;
    let connection = postgres::connect(&options).await?;
    postgres::errand(Box::pin(give(connection, schema, role, append_only))).await
}

async fn give(
    mut connection: PgConnection,
    schema: &str,
    role: &str,
    append_only: &[AppendOnly],
) -> Result<(), DbError> {
    let driver = |e: sqlx::Error| classify(e, "grants");
    let (version,): (i32,) =
        sqlx::query_as("SELECT CAST(current_setting('server_version_num') AS INTEGER)")
            .fetch_one(&mut connection)
            .await
            .map_err(driver)?;
    let mut tx = connection.begin().await.map_err(driver)?;
    run(&mut tx, &take_turn(schema)).await?;
    run(&mut tx, &rights(schema, role)).await?;
    for name in migration_tables(&mut tx).await? {
        run(
            &mut tx,
            &format!("REVOKE INSERT, UPDATE, DELETE ON {name} FROM {role};"),
        )
        .await?;
    }
    for table in append_only {
        run(&mut tx, &evidence(table, role)).await?;
    }
    if version >= HAS_MAINTAIN {
        run(
            &mut tx,
            &format!("GRANT MAINTAIN ON ALL TABLES IN SCHEMA {schema} TO {role};"),
        )
        .await?;
    } else {
        run(&mut tx, VACUUM_BY_THE_SERVER).await?;
    }
    tx.commit().await.map_err(driver)?;
    connection.close().await.map_err(driver)
}

fn take_turn(schema: &str) -> String {
    format!("SELECT pg_advisory_xact_lock(hashtextextended('stoa migrate {schema}', 0));")
}

fn rights(schema: &str, role: &str) -> String {
    format!(
        "REVOKE ALL ON SCHEMA {schema} FROM PUBLIC;
         REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {role};
         GRANT USAGE ON SCHEMA {schema} TO {role};
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role};
         GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {role};"
    )
}

fn evidence(table: &AppendOnly, role: &str) -> String {
    let AppendOnly {
        table,
        removable_when,
        changeable,
    } = table;
    let change = changeable.map_or_else(String::new, |(column, when)| {
        format!(
            "GRANT UPDATE ({column}) ON {table} TO {role};
             CREATE POLICY changed ON {table} FOR UPDATE USING ({when});"
        )
    });
    let removal = removable_when.map_or_else(
        || format!("REVOKE DELETE ON {table} FROM {role};"),
        |when| format!("CREATE POLICY removed ON {table} FOR DELETE USING ({when});"),
    );
    format!(
        "REVOKE UPDATE ON {table} FROM {role};
         ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
         DROP POLICY IF EXISTS seen ON {table};
         DROP POLICY IF EXISTS added ON {table};
         DROP POLICY IF EXISTS removed ON {table};
         DROP POLICY IF EXISTS changed ON {table};
         CREATE POLICY seen ON {table} FOR SELECT USING (TRUE);
         CREATE POLICY added ON {table} FOR INSERT WITH CHECK (TRUE);
         {removal}
         {change}"
    )
}

/// The role cannot vacuum what it does not own, so the server is told to do it at its next round
/// wherever a row was deleted: what was erased must not stay on the disk.
const VACUUM_BY_THE_SERVER: &str = "DO $$
DECLARE t record;
BEGIN
  FOR t IN SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = current_schema() LOOP
    EXECUTE format('ALTER TABLE %s SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 0)', t.name);
  END LOOP;
END $$;";

/// The tables that remember what was migrated: read at every start, written by the owner only.
async fn migration_tables(tx: &mut PgConnection) -> Result<Vec<String>, DbError> {
    const TABLES: &str = "SELECT quote_ident(table_name) FROM information_schema.columns
                           WHERE table_schema = current_schema() AND column_name = 'checksum'
                             AND table_name LIKE '%migrations%'";
    let rows: Vec<(String,)> = sqlx::query_as(TABLES)
        .fetch_all(tx)
        .await
        .map_err(|e| classify(e, TABLES))?;
    Ok(rows.into_iter().map(|(name,)| name).collect())
}

/// Runs statements that hold names: of schemas and roles that were checked to be plain, and of
/// tables and conditions that are constants of this program.
async fn run(tx: &mut PgConnection, statements: &str) -> Result<(), DbError> {
    tx.execute(sqlx::raw_sql(AssertSqlSafe(statements.to_owned())))
        .await
        .map(drop)
        .map_err(|e| classify(e, "grants"))
}
