//! Migrations: pairs of files with equal names, one per engine, compiled into the program.

use crate::{Db, DbConfig, DbError, Synchronous, postgres, sqlite};
use sqlx::migrate::{Migrate, Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, Connection, SqlSafeStr};
use std::collections::HashSet;
use std::time::Duration;

/// Name and text of each migration of one engine, oldest first.
pub type Texts = &'static [(&'static str, &'static str)];

/// The migrations of a service or of a shared room; made by [`migrations!`](crate::migrations).
#[derive(Clone, Copy, Debug)]
pub struct MigrationSet {
    /// Whose tables these are; names the table that remembers what was applied.
    pub service: &'static str,
    /// The texts for SQLite.
    pub sqlite: Texts,
    /// The texts for PostgreSQL.
    pub postgres: Texts,
    /// Sets whose tables live in the same schema; they run first.
    pub others: &'static [&'static MigrationSet],
}

/// The [`MigrationSet`] of the calling crate: `migrations!("0001_first", "0002_second")` takes
/// `migrations/sqlite/<name>.sql` and `migrations/postgres/<name>.sql` of its folder. A name is
/// the running number in four digits, `_`, and what changes; a merged file is never edited.
#[macro_export]
macro_rules! migrations {
    ($($name:literal),* $(,)?) => {
        $crate::MigrationSet {
            service: env!("CARGO_PKG_NAME"),
            sqlite: &[$((
                $name,
                include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite/", $name, ".sql")),
            )),*],
            postgres: &[$((
                $name,
                include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/postgres/", $name, ".sql")),
            )),*],
            others: &[],
        }
    };
}

impl MigrationSet {
    /// The same set, after those of shared rooms whose tables live in this service's schema:
    /// `migrations!("0001_first").with(&[&stoa_feed::MIGRATIONS])`.
    #[must_use]
    pub const fn with(mut self, others: &'static [&'static MigrationSet]) -> Self {
        self.others = others;
        self
    }

    /// The number of the last migration of each room in it, by the name of the table that
    /// remembers what was applied: what [`schema_versions`](crate::schema_versions) gives for a
    /// file that is up to date.
    pub fn newest(&self) -> Vec<(String, i64)> {
        let newest = |set: &Self| i64::try_from(set.sqlite.len()).unwrap_or(i64::MAX);
        let sets = self.others.iter().copied().chain([self]);
        sets.map(|set| (set.table(), newest(set))).collect()
    }

    /// The table that remembers what was applied.
    fn table(&self) -> String {
        let name: String = self
            .service
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .collect();
        format!("_migrations_{name}")
    }

    fn failed(&self, reason: impl std::fmt::Display) -> DbError {
        DbError::Migration {
            service: self.service.to_owned(),
            reason: reason.to_string(),
        }
    }

    /// Checks the names and gives the number and text of each migration.
    fn numbered(&self, texts: Texts) -> Result<Vec<(i64, &'static str, &'static str)>, DbError> {
        let names = |texts: Texts| texts.iter().map(|(name, _)| *name).collect::<Vec<_>>();
        if names(self.sqlite) != names(self.postgres) {
            return Err(self.failed("the engines have migrations of different names"));
        }
        let mut numbered = Vec::new();
        for (i, (name, text)) in texts.iter().enumerate() {
            let number = name
                .split_once('_')
                .filter(|(digits, what)| digits.len() == 4 && !what.is_empty())
                .and_then(|(digits, _)| digits.parse::<i64>().ok());
            match number {
                Some(n) if usize::try_from(n) == Ok(i + 1) => numbered.push((n, *name, *text)),
                _ => {
                    return Err(self.failed(format!("{name:?} should begin with {:04}_", i + 1)));
                }
            }
        }
        Ok(numbered)
    }

    fn migrator(&self, texts: Texts) -> Result<Migrator, DbError> {
        let migrations = self
            .numbered(texts)?
            .into_iter()
            .map(|(number, name, text)| {
                let text = text.into_sql_str();
                Migration::new(number, name.into(), MigrationType::Simple, text, false)
            })
            .collect();
        let mut migrator = Migrator::with_migrations(migrations);
        migrator.dangerous_set_table_name(self.table());
        // The surrounding transaction is the lock; and old code accepts a newer schema.
        migrator.set_locking(false).set_ignore_missing(true);
        Ok(migrator)
    }

    /// Applies what is missing, on a connection with an open transaction.
    async fn apply<C: Migrate>(&self, connection: &mut C, sqlite: bool) -> Result<(), DbError> {
        for set in self.others.iter().copied().chain([self]) {
            set.migrator(if sqlite { set.sqlite } else { set.postgres })?
                .run_direct(None, connection, false)
                .await
                .map_err(|e| set.failed(e))?;
        }
        Ok(())
    }

    /// Checks that every migration was applied.
    pub(crate) async fn check_applied(&self, db: &Db) -> Result<(), DbError> {
        for set in self.others.iter().copied().chain([self]) {
            let mut table = crate::SqlBuilder::new("SELECT version FROM ");
            table.push_table(&set.table());
            let applied: HashSet<i64> = match db.all_as::<(i64,)>(table).await {
                Ok(rows) => rows.into_iter().map(|(version,)| version).collect(),
                // There is no such table yet.
                Err(DbError::Failed(_)) => HashSet::new(),
                Err(other) => return Err(other),
            };
            let missing = set
                .numbered(set.sqlite)?
                .into_iter()
                .find(|(number, ..)| !applied.contains(number));
            if let Some((_, name, _)) = missing {
                return Err(DbError::NotMigrated {
                    service: set.service.to_owned(),
                    missing: name.to_owned(),
                });
            }
        }
        Ok(())
    }
}

/// Brings the schema up to date, in one transaction that others wait for.
pub(crate) async fn run(config: &DbConfig, set: &MigrationSet) -> Result<(), DbError> {
    let driver = |e: sqlx::Error| crate::error::classify(e, "migrations");
    match config {
        DbConfig::Sqlite { path, .. } => {
            let mut connection =
                sqlite::writer(path, Synchronous::Full, Duration::from_secs(60)).await?;
            let mut tx = connection
                .begin_with("BEGIN IMMEDIATE")
                .await
                .map_err(driver)?;
            set.apply(&mut *tx, true).await?;
            tx.commit().await.map_err(driver)?;
            connection.close().await.map_err(driver)
        }
        DbConfig::Postgres { url, schema, .. } => {
            let options = postgres::options(url, schema, &postgres::PATIENT)?;
            let mut connection = postgres::connect(&options).await?;
            postgres::errand(Box::pin(async {
                let mut tx = connection.begin().await.map_err(driver)?;
                sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
                    .bind(format!("stoa migrate {schema}"))
                    .execute(&mut *tx)
                    .await
                    .map_err(driver)?;
                // Safe: the name was checked to be lower-case letters, digits and `_`.
                sqlx::raw_sql(AssertSqlSafe(format!(
                    "CREATE SCHEMA IF NOT EXISTS {schema}"
                )))
                .execute(&mut *tx)
                .await
                .map_err(driver)?;
                set.apply(&mut *tx, false).await?;
                tx.commit().await.map_err(driver)?;
                connection.close().await.map_err(driver)
            }))
            .await
        }
    }
}
