//! PostgreSQL: READ COMMITTED, another try when the engine asks for one, and nobody who waits for
//! ever.

mod limits;
mod pool;

pub(crate) use limits::{ERRAND, PATIENT, REQUEST};
pub(crate) use pool::{Lease, Pool, was_broken};

use crate::error::{classify, wants_another_try};
use crate::measure::Meter;
use crate::tx::{Inner, Raw, Tx};
use crate::{DbError, Detail};
use limits::Patience;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use std::pin::Pin;
use std::time::Duration;
use tokio::time::timeout;

/// How often a transaction is run before it is given up as contended.
pub(crate) const MAX_ATTEMPTS: u32 = 6;

/// The options of a connection whose names resolve in `schema`.
pub(crate) fn options(
    url: &str,
    schema: &str,
    patience: &Patience,
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
        .options([("search_path", schema)])
        .options(patience.settings())
        .disable_statement_logging())
}

/// A connection beside the pool, for an errand of at most [`ERRAND`].
pub(crate) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, DbError> {
    const CONNECT: &str = "connect";
    match Box::pin(timeout(limits::TURN, options.connect())).await {
        Ok(connected) => connected.map_err(|e| classify(e, CONNECT)),
        Err(_) => Err(DbError::Unavailable(no_answer(CONNECT))),
    }
}

/// Ends an errand on a connection of its own in time. Whoever calls it boxes the work: it is large.
pub(crate) async fn errand<T>(
    work: Pin<Box<impl Future<Output = Result<T, DbError>>>>,
) -> Result<T, DbError> {
    let late = |_| Err(DbError::Unavailable(no_answer("errand")));
    timeout(ERRAND, work).await.unwrap_or_else(late)
}

fn no_answer(statement: &str) -> Detail {
    Detail {
        statement: statement.to_owned(),
        message: "no answer from the server".to_owned(),
    }
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
pub(crate) async fn begin(pool: &Pool, meter: &Meter) -> Result<Open, DbError> {
    const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";
    let mut tries = pool.limit();
    loop {
        let mut lease = pool.take().await.map_err(|e| classify(e, BEGIN))?;
        lease.mark_transaction(true);
        match lease.run(BEGIN).await {
            Ok(()) => {
                return Ok(Open {
                    tx: Tx {
                        inner: Inner::new(Raw::Postgres(lease), meter.clone()),
                    },
                });
            }
            Err(e) if was_broken(&e) && tries > 0 => tries -= 1,
            Err(e) => return Err(classify(e, BEGIN)),
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
    const COMMIT: &str = "COMMIT";
    let Some(Raw::Postgres(mut lease)) = open.tx.inner.take().await else {
        return Err(DbError::Ended);
    };
    if !keep {
        // When the connection is lost, closing it is what rolls back.
        if !lease.is_lost() && lease.run("ROLLBACK").await.is_ok() {
            lease.mark_transaction(false);
        }
        return Ok(Committed::Yes);
    }
    match lease.run(COMMIT).await {
        Ok(()) => {
            lease.mark_transaction(false);
            Ok(Committed::Yes)
        }
        // The engine may have heard it, and written it, before the connection broke.
        Err(e) if pool::is_broken(&e) => Err(DbError::InDoubt(Detail {
            statement: COMMIT.to_owned(),
            message: e.to_string(),
        })),
        Err(e) => {
            lease.mark_transaction(false);
            if wants_another_try(&e) {
                Ok(Committed::Collided)
            } else {
                Err(classify(e, COMMIT))
            }
        }
    }
}

/// Vacuums every table of the schema.
pub(crate) async fn vacuum(options: &PgConnectOptions) -> Result<(), DbError> {
    const TABLES: &str = "SELECT quote_ident(tablename::text) FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1";
    let driver = |e| classify(e, "VACUUM");
    let mut connection = connect(options).await?;
    let vacuums = Box::pin(async {
        let tables: Vec<(String,)> = sqlx::query_as(TABLES)
            .fetch_all(&mut connection)
            .await
            .map_err(|e| classify(e, TABLES))?;
        for (table,) in tables {
            // Safe: a name out of the catalogue, quoted by the engine. VACUUM takes no placeholder.
            sqlx::raw_sql(AssertSqlSafe(format!("VACUUM {table}")))
                .execute(&mut connection)
                .await
                .map_err(driver)?;
        }
        connection.close().await.map_err(driver)
    });
    errand(vacuums).await
}

/// Lets the others finish before the next attempt: 5, 10, 20, ... milliseconds.
pub(crate) async fn back_off(attempt: u32) {
    // A pause without randomness is enough: of two that collide the engine lets one pass.
    tokio::time::sleep(Duration::from_millis(5 << attempt)).await;
}
