//! PostgreSQL: one pool, READ COMMITTED, and another try when the engine asks for one.

use crate::DbError;
use crate::error::{classify, wants_another_try};
use crate::measure::Meter;
use crate::tx::{Inner, Raw, Tx};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, PgPool};
use std::time::Duration;

/// How often a transaction is run before it is given up as contended.
pub(crate) const MAX_ATTEMPTS: u32 = 6;

/// The options of a connection whose names resolve in `schema`.
pub(crate) fn options(
    url: &str,
    schema: &str,
    lock_timeout_ms: u32,
) -> Result<PgConnectOptions, DbError> {
    let plain = !schema.is_empty()
        && schema.len() <= 63
        && !schema.starts_with(|c: char| c.is_ascii_digit())
        && schema
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if !plain {
        return Err(DbError::Config(format!(
            "schema {schema:?}: lower-case letters, digits and _ only, at most 63"
        )));
    }
    let options: PgConnectOptions = url
        .parse()
        // The driver's message may repeat the URL, and with it the password.
        .map_err(|_| DbError::Config("the URL is not a PostgreSQL URL".into()))?;
    Ok(options
        .application_name("stoa")
        .options([
            ("search_path", schema.to_owned()),
            ("lock_timeout", lock_timeout_ms.to_string()),
            // A process that hangs with a transaction open must not hold its locks for ever.
            ("idle_in_transaction_session_timeout", "30000".to_owned()),
        ])
        .disable_statement_logging())
}

/// The pool; opens nothing before it is used.
pub(crate) fn pool(options: PgConnectOptions, max_connections: u32) -> PgPool {
    PgPoolOptions::new()
        .max_connections(max_connections.max(1))
        .acquire_timeout(Duration::from_secs(5))
        .idle_timeout(Duration::from_secs(300))
        .test_before_acquire(false)
        .connect_lazy_with(options)
}

/// One open transaction. Dropped early, it rolls back and its `Tx` is of no use any more.
pub(crate) struct Open {
    pub(crate) tx: Tx,
}

impl Drop for Open {
    fn drop(&mut self) {
        // A Tx that a cancelled caller left behind must not keep the connection.
        drop(self.tx.inner.take_now());
    }
}

/// Begins a transaction. A connection that broke while it lay in the pool is replaced: nothing
/// has been done yet.
pub(crate) async fn begin(pool: &PgPool, meter: &Meter) -> Result<Open, DbError> {
    const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";
    let mut tries = pool.options().get_max_connections();
    loop {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the write path that the rule points to"
        )]
        let begun = Box::pin(pool.begin_with(BEGIN)).await;
        match begun.map_err(|e| (matches!(e, sqlx::Error::PoolTimedOut), classify(e, BEGIN))) {
            Ok(transaction) => {
                return Ok(Open {
                    tx: Tx {
                        inner: Inner::new(Raw::Postgres(transaction), meter.clone()),
                    },
                });
            }
            Err((false, e)) if e.is_unavailable() && tries > 0 => tries -= 1,
            Err((_, e)) => return Err(e),
        }
    }
}

/// How a transaction ended that the closure wanted to keep.
pub(crate) enum Committed {
    Yes,
    /// The engine asks for another try.
    Collided,
}

/// Commits, or rolls back when the closure wants that.
pub(crate) async fn settle(open: &Open, keep: bool) -> Result<Committed, DbError> {
    let Some(Raw::Postgres(transaction)) = open.tx.inner.take().await else {
        return Err(DbError::Ended);
    };
    if !keep {
        // When this fails the connection is broken, and the engine rolls back by itself.
        let _ = transaction.rollback().await;
        return Ok(Committed::Yes);
    }
    match transaction.commit().await {
        Ok(()) => Ok(Committed::Yes),
        Err(e) if wants_another_try(&e) => Ok(Committed::Collided),
        Err(e) => Err(classify(e, "COMMIT")),
    }
}

/// Vacuums every table of the schema.
pub(crate) async fn vacuum(pool: &PgPool) -> Result<(), DbError> {
    const TABLES: &str = "SELECT quote_ident(tablename::text) FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1";
    let tables: Vec<(String,)> = sqlx::query_as(TABLES)
        .fetch_all(pool)
        .await
        .map_err(|e| classify(e, TABLES))?;
    for (table,) in tables {
        // Safe: a name out of the catalogue, quoted by the engine. VACUUM takes no placeholder.
        sqlx::raw_sql(AssertSqlSafe(format!("VACUUM {table}")))
            .execute(pool)
            .await
            .map_err(|e| classify(e, "VACUUM"))?;
    }
    Ok(())
}

/// Lets the others finish before the next attempt: 5, 10, 20, ... milliseconds.
pub(crate) async fn back_off(attempt: u32) {
    // A pause without randomness is enough: of two that collide the engine lets one pass.
    tokio::time::sleep(Duration::from_millis(5 << attempt)).await;
}
