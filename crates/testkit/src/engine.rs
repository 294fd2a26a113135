//! One suite, two engines: every test of a store runs on SQLite and on PostgreSQL.
//!
//! SQLite gets a folder of its own per test. PostgreSQL runs with this crate's feature `postgres`
//! only, in a schema of its own per test below `STOA_TEST_POSTGRES_URL`; `cargo xtask test` starts
//! a server, sets both and throws the server away. With the feature on and no server the tests
//! fail: nothing is skipped in silence.

use stoa_db::{Db, DbConfig, MigrationSet, Synchronous};

/// Makes one test per engine of each function: `sqlite::<name>`, and `postgres::<name>` with the
/// feature `postgres`.
///
/// First the migrations (an expression of type [`MigrationSet`]), then the tests. Each takes one
/// value: a migrated and opened [`Db`], or a [`Place`] when it opens databases itself.
///
/// ```
/// mod suite {
///     use stoa_db::{Db, MigrationSet, migrations};
///     const MIGRATIONS: MigrationSet = migrations!();
///
///     stoa_testkit::on_every_engine! { MIGRATIONS;
///         async fn a_statement_runs(db: Db) {
///             assert_eq!(db.one_as::<(i64,)>("SELECT CAST(1 AS BIGINT)").await.unwrap(), (1,));
///         }
///     }
/// }
/// ```
#[macro_export]
macro_rules! on_every_engine {
    ($set:expr; $($(#[$meta:meta])* async fn $name:ident($arg:ident: $type:ty) $body:block)*) => {
        $($(#[$meta])* async fn $name($arg: $type) $body)*

        mod sqlite {
            #[allow(unused_imports, reason = "the migrations may be named by their full path")]
            use super::*;
            $(
                #[test]
                fn $name() {
                    $crate::engine::on_sqlite(&$set, super::$name);
                }
            )*
        }

        $crate::on_postgres! { $set; $($name)* }
    };
}

/// The PostgreSQL half of [`on_every_engine!`].
#[cfg(feature = "postgres")]
#[doc(hidden)]
#[macro_export]
macro_rules! on_postgres {
    ($set:expr; $($name:ident)*) => {
        mod postgres {
            #[allow(unused_imports, reason = "the migrations may be named by their full path")]
            use super::*;
            $(
                #[test]
                fn $name() {
                    $crate::engine::on_postgres(&$set, super::$name);
                }
            )*
        }
    };
}

/// Without the feature there is no server to run on.
#[cfg(not(feature = "postgres"))]
#[doc(hidden)]
#[macro_export]
macro_rules! on_postgres {
    ($($anything:tt)*) => {};
}

/// Tests of several processes on one schema, which only PostgreSQL has: as [`on_every_engine!`],
/// with what the tests need (imports, functions) in braces before them. Nothing without the
/// feature `postgres`.
#[cfg(feature = "postgres")]
#[macro_export]
macro_rules! only_on_postgres {
    (
        $set:expr; { $($item:item)* }
        $($(#[$meta:meta])* async fn $name:ident($arg:ident: $type:ty) $body:block)*
    ) => {
        $($item)*
        $($(#[$meta])* async fn $name($arg: $type) $body)*

        $crate::on_postgres! { $set; $($name)* }
    };
}

/// Without the feature there is no server to run on.
#[cfg(not(feature = "postgres"))]
#[macro_export]
macro_rules! only_on_postgres {
    ($($anything:tt)*) => {};
}

/// An empty database that nobody else uses.
#[derive(Clone, Debug)]
pub struct Place {
    /// How to open it.
    pub config: DbConfig,
    /// The migrations of the suite; not applied yet.
    pub set: MigrationSet,
}

impl Place {
    /// Opens the database, migrated; may be called again, as by a second process.
    pub async fn open(&self) -> Db {
        Db::open_migrated(&self.config, &self.set)
            .await
            .unwrap_or_else(|e| panic!("opening {:?}: {e:?}", self.config))
    }
}

/// What a test of [`on_every_engine!`] can ask for.
pub trait Given: Sized {
    /// Makes it from an empty database.
    fn given(place: &Place) -> impl Future<Output = Self>;
}

impl Given for Db {
    async fn given(place: &Place) -> Self {
        place.open().await
    }
}

impl Given for Place {
    async fn given(place: &Place) -> Self {
        place.clone()
    }
}

/// Runs a test on a SQLite file of its own.
pub fn on_sqlite<G: Given, Fut: Future<Output = ()>>(set: &MigrationSet, test: fn(G) -> Fut) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let place = Place {
        config: DbConfig::Sqlite {
            path: folder.path().join("test.sqlite"),
            // What is asserted does not depend on it, and tests do not wait for the disk.
            synchronous: Synchronous::Normal,
        },
        set: *set,
    };
    runtime().block_on(async { test(G::given(&place).await).await });
}

/// Runs a test in a PostgreSQL schema of its own, and drops the schema.
#[cfg(feature = "postgres")]
pub fn on_postgres<G: Given, Fut: Future<Output = ()>>(set: &MigrationSet, test: fn(G) -> Fut) {
    use stoa_types::{Entropy, OsEntropy};

    let url = std::env::var("STOA_TEST_POSTGRES_URL").expect(
        "STOA_TEST_POSTGRES_URL names a throw-away PostgreSQL (superuser); `cargo xtask test` starts one",
    );
    let place = Place {
        config: DbConfig::Postgres {
            url,
            schema: format!("t_{}", OsEntropy.uuid().simple()),
            max_connections: 4,
        },
        set: *set,
    };
    let runtime = runtime();
    let run = || runtime.block_on(async { test(G::given(&place).await).await });
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
    runtime.block_on(drop_schema(&place.config));
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

#[cfg(feature = "postgres")]
async fn drop_schema(config: &DbConfig) {
    const DROP: &str = "DO $$ BEGIN EXECUTE format('DROP SCHEMA IF EXISTS %I CASCADE', \
                        current_setting('search_path')); END $$";
    const NOTHING: MigrationSet = MigrationSet {
        service: "testkit",
        sqlite: &[],
        postgres: &[],
        others: &[],
    };
    let db = Db::open(config, &NOTHING)
        .await
        .expect("the server is there");
    db.write(|tx| async move { tx.execute(DROP).await })
        .await
        .expect("no test leaves a transaction open");
    db.close().await;
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime can be started")
}
