//! The thin database layer: one SQL text on SQLite and PostgreSQL.
//!
//! A store writes its statements once, with `$1` placeholders, and runs them through [`Db`]
//! (reads) and [`Tx`] (writes). Everything that differs between the engines, and every type of
//! the driver, stays in this crate.
//!
//! To add a store: put migrations in pairs below `migrations/sqlite` and `migrations/postgres`,
//! list them with [`migrations!`], write the statements as constants with [`statements!`], and
//! give the store one suite that runs on both engines (`stoa_testkit::on_every_engine!`).
//!
//! Rules of the schema, with the reason of each, since both engines must mean the same:
//! - ids are `TEXT` (canonical UUID), integers `BIGINT` (the PostgreSQL driver does not widen),
//!   flags `BOOLEAN`, floats `DOUBLE PRECISION`, times `BIGINT` epoch milliseconds, JSON `TEXT`
//!   (JSONB reorders keys and drops duplicates);
//! - text that is sorted or compared is declared `COLLATE "C"` on PostgreSQL, so that it sorts by
//!   bytes as SQLite does;
//! - `CAST(sum(x) AS BIGINT)` (else NUMERIC), case folded in Rust (SQLite folds ASCII only), no
//!   U+0000 in text (PostgreSQL refuses it), no `AUTOINCREMENT`, no arrays.

pub mod accounting;
mod clock;
mod config;
mod connection;
mod copies;
mod error;
mod grants;
mod measure;
mod migrate;
mod open;
mod postgres;
mod row;
mod sql;
mod sqlite;
mod statements;
mod tx;
mod value;

pub use clock::DatabaseClock;
pub use config::{DbConfig, Engine, Synchronous};
pub use copies::{Copy, copy_together, schema_versions};
pub use error::{DbError, Detail};
pub use grants::AppendOnly;
pub use migrate::{MigrationSet, Texts};
pub use open::Db;
pub use row::{Cell, ColumnName, FromColumn, FromRow, Row};
pub use sql::{Sql, SqlBuilder, sql};
pub use tx::Tx;
pub use value::{Bind, Value};
