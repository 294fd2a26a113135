//! The database of one service: opening it, reading it, writing it.

use crate::connection::{self, Connection};
use crate::measure::{Meter, Place};
use crate::{DbConfig, DbError, Engine, FromRow, MigrationSet, Row, Sql, Tx, postgres, sqlite};
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Sqlite, SqlitePool};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Longest time that the closure of a write may hold the writer. Far above what any closure needs
/// that keeps to SQL, so that only a fault meets it, and it cannot stop the others for ever.
const WRITE_LIMIT: Duration = Duration::from_secs(10);

tokio::task_local! {
    /// The database whose write closure this task is in.
    static WRITING: usize;
}

/// The database of one service; cheap to clone.
#[derive(Clone)]
pub struct Db {
    shared: Arc<Shared>,
}

struct Shared {
    backend: Backend,
    meter: Meter,
    commits: Commits,
}

/// Counts the commits of this process. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Commits {
    all: watch::Sender<u64>,
    announced: watch::Sender<u64>,
}

impl Commits {
    fn new() -> Self {
        Self {
            all: watch::channel(0).0,
            announced: watch::channel(0).0,
        }
    }

    /// Tells of a commit that changed something.
    pub(crate) fn tell(&self, announced: bool) {
        self.all.send_modify(|n| *n += 1);
        if announced {
            self.announced.send_modify(|n| *n += 1);
        }
    }
}

enum Backend {
    Sqlite {
        writer: sqlite::Writer,
        readers: SqlitePool,
    },
    Postgres {
        pool: postgres::Pool,
        errands: Box<PgConnectOptions>,
    },
}

impl Db {
    /// Opens a database whose schema is already migrated. A newer schema is fine: old code runs on
    /// it while a new version is rolled out.
    ///
    /// # Errors
    /// [`DbError::NotMigrated`], [`DbError::Config`], [`DbError::Unavailable`].
    pub async fn open(config: &DbConfig, set: &MigrationSet) -> Result<Self, DbError> {
        let commits = Commits::new();
        let meter = Meter::new(config);
        let backend = match config {
            DbConfig::Sqlite { path, synchronous } => {
                let connection = sqlite::writer(path, *synchronous, Duration::from_secs(5)).await?;
                Backend::Sqlite {
                    writer: sqlite::Writer::start(connection, commits.clone(), meter.clone()),
                    readers: sqlite::readers(path),
                }
            }
            DbConfig::Postgres {
                url,
                schema,
                max_connections,
            } => Backend::Postgres {
                pool: postgres::Pool::new(
                    postgres::options(url, schema, &postgres::REQUEST)?,
                    *max_connections,
                ),
                errands: Box::new(postgres::options(url, schema, &postgres::PATIENT)?),
            },
        };
        let db = Self {
            shared: Arc::new(Shared {
                backend,
                commits,
                meter,
            }),
        };
        db.show_pool();
        set.check_applied(&db).await?;
        Ok(db)
    }

    /// Brings the schema up to date and opens the database.
    ///
    /// # Errors
    /// Those of [`Db::migrate`] and [`Db::open`].
    pub async fn open_migrated(config: &DbConfig, set: &MigrationSet) -> Result<Self, DbError> {
        Self::migrate(config, set).await?;
        Self::open(config, set).await
    }

    /// Brings the schema up to date, all or nothing. Safe when several processes do it at once:
    /// they take turns, and the later ones find nothing to do.
    ///
    /// # Errors
    /// [`DbError::Migration`], [`DbError::Config`], [`DbError::Unavailable`].
    pub async fn migrate(config: &DbConfig, set: &MigrationSet) -> Result<(), DbError> {
        crate::migrate::run(config, set).await
    }

    /// Gives the role of a service what it needs on its schema of PostgreSQL, and takes every other
    /// right on it away: no change of tables, and rows of the tables of evidence are removed at
    /// their end only. `config` is the owner's; the role must exist. Safe to repeat.
    ///
    /// # Errors
    /// [`DbError::Config`] for SQLite, which has no roles, and for a name that is no plain one; what
    /// the engine says.
    pub async fn grant(
        config: &DbConfig,
        role: &str,
        append_only: &[crate::AppendOnly],
    ) -> Result<(), DbError> {
        crate::grants::grant(config, role, append_only).await
    }

    /// The row that the statement gives.
    ///
    /// # Errors
    /// [`DbError::NoRow`] when there is none, [`DbError::RowCount`] when there are several.
    pub async fn one(&self, sql: impl Into<Sql>) -> Result<Row, DbError> {
        connection::one(self.all(sql).await?)
    }

    /// The row that the statement gives, if any.
    ///
    /// # Errors
    /// [`DbError::RowCount`] when there are several.
    pub async fn opt(&self, sql: impl Into<Sql>) -> Result<Option<Row>, DbError> {
        connection::opt(self.all(sql).await?)
    }

    /// All rows that the statement gives.
    ///
    /// # Errors
    /// Those of the statement; [`DbError::Nested`] inside of a write of this database;
    /// [`DbError::NotARead`].
    pub async fn all(&self, sql: impl Into<Sql>) -> Result<Vec<Row>, DbError> {
        self.refuse_nested()?;
        let sql = sql.into();
        if sql.is_change() {
            return Err(DbError::NotARead);
        }
        let meter = &self.shared.meter;
        match &self.shared.backend {
            Backend::Sqlite { readers, .. } => {
                let mut connection = acquire(readers, &sql, meter).await?;
                Connection::Sqlite(&mut connection)
                    .rows(&sql, meter, Place::Read)
                    .await
                    .map_err(|f| f.error)
            }
            Backend::Postgres { pool, .. } => {
                // A connection that broke while it lay in the pool is replaced; a read can be
                // repeated.
                let mut tries = pool.limit();
                loop {
                    let mut lease = take(pool, sql.text(), meter).await?;
                    let connection = Connection::Postgres(&mut lease);
                    match connection.rows(&sql, meter, Place::Read).await {
                        Err(f) if f.was_broken && tries > 0 => tries -= 1,
                        rows => return rows.map_err(|f| f.error),
                    }
                }
            }
        }
    }

    /// [`Db::one`], read as a `T`.
    ///
    /// # Errors
    /// Those of [`Db::one`] and [`DbError::Corrupt`].
    pub async fn one_as<T: FromRow>(&self, sql: impl Into<Sql>) -> Result<T, DbError> {
        T::from_row(&self.one(sql).await?)
    }

    /// [`Db::opt`], read as a `T`.
    ///
    /// # Errors
    /// Those of [`Db::opt`] and [`DbError::Corrupt`].
    pub async fn opt_as<T: FromRow>(&self, sql: impl Into<Sql>) -> Result<Option<T>, DbError> {
        self.opt(sql).await?.as_ref().map(T::from_row).transpose()
    }

    /// [`Db::all`], read as `T`s.
    ///
    /// # Errors
    /// Those of [`Db::all`] and [`DbError::Corrupt`].
    pub async fn all_as<T: FromRow>(&self, sql: impl Into<Sql>) -> Result<Vec<T>, DbError> {
        self.all(sql).await?.iter().map(T::from_row).collect()
    }

    /// Runs `work` in one write transaction: `Ok` commits, `Err` rolls back. The answer comes after
    /// the commit is durable.
    ///
    /// `work` may run several times (PostgreSQL asks for another try after a collision), so it
    /// clones what it consumes. Await the returned future to its end or drop it: half-way it holds
    /// the writer. `work` does SQL through its [`Tx`] and nothing else that waits: no
    /// network, no RPC, no password hash. After 10 seconds it is given up.
    ///
    /// ```no_run
    /// # use stoa_db::{Db, DbError, sql};
    /// # async fn close(db: &Db, id: &str, version: i64) -> Result<(), DbError> {
    /// db.write(|tx| async move {
    ///     tx.execute_expecting(
    ///         1,
    ///         sql("UPDATE listings SET state = 'closed', version = version + 1 WHERE id = $1 AND version = $2")
    ///             .bind(id)
    ///             .bind(version),
    ///     )
    ///     .await
    /// })
    /// .await
    /// # }
    /// ```
    ///
    /// # Errors
    /// What `work` gives; [`DbError::WriteTimeout`], [`DbError::Contended`], [`DbError::Aborted`]
    /// (`work` swallowed the failure of a statement), [`DbError::Nested`], and what the engine says
    /// to BEGIN and COMMIT.
    pub async fn write<T, E, F, Fut>(&self, work: F) -> Result<T, E>
    where
        F: FnMut(Tx) -> Fut + Send,
        Fut: Future<Output = Result<T, E>> + Send,
        T: Send,
        E: From<DbError> + Send,
    {
        self.refuse_nested()?;
        let running = self.shared.meter.write();
        let result = running.span().around(self.transact(work)).await;
        running.write_ended(result.is_ok());
        result
    }

    async fn transact<T, E, F, Fut>(&self, mut work: F) -> Result<T, E>
    where
        F: FnMut(Tx) -> Fut + Send,
        Fut: Future<Output = Result<T, E>> + Send,
        T: Send,
        E: From<DbError> + Send,
    {
        let meter = &self.shared.meter;
        match &self.shared.backend {
            Backend::Sqlite { writer, .. } => {
                let turn = turn_of(meter, writer.turn()).await?;
                let result = self.run(&mut work, &turn.tx).await?;
                let sound = turn.tx.inner.is_sound();
                waited(turn.settle(result.is_ok() && sound)).await?;
                if result.is_ok() && !sound {
                    return Err(DbError::Aborted.into());
                }
                result
            }
            Backend::Postgres { pool, .. } => {
                for attempt in 0..postgres::MAX_ATTEMPTS {
                    let open = turn_of(meter, Box::pin(postgres::begin(pool, meter))).await?;
                    let result = self.run(&mut work, &open.tx).await?;
                    let sound = open.tx.inner.is_sound();
                    let keep = result.is_ok() && sound;
                    let collided = open.tx.inner.wants_another_try() && !keep;
                    let committed = waited(Box::pin(postgres::settle(&open, keep))).await?;
                    if collided || matches!(committed, postgres::Committed::Collided) {
                        postgres::back_off(attempt).await;
                        continue;
                    }
                    if result.is_ok() && !sound {
                        return Err(DbError::Aborted.into());
                    }
                    if keep && open.tx.inner.wrote() {
                        self.shared.commits.tell(open.tx.inner.announced());
                    }
                    return result;
                }
                Err(DbError::Contended {
                    attempts: postgres::MAX_ATTEMPTS,
                }
                .into())
            }
        }
    }

    /// Compiles a statement against the schema without running it.
    ///
    /// # Errors
    /// [`DbError::Failed`] when it does not fit the schema. PostgreSQL refuses a placeholder whose
    /// type cannot be told from its place: write `CAST($1 AS BIGINT)` there.
    pub async fn prepare(&self, text: &'static str) -> Result<(), DbError> {
        match &self.shared.backend {
            Backend::Sqlite { readers, .. } => {
                let mut connection =
                    acquire(readers, &crate::sql(text), &self.shared.meter).await?;
                Connection::Sqlite(&mut connection).prepare(text).await
            }
            Backend::Postgres { pool, .. } => {
                let mut lease = take(pool, text, &self.shared.meter).await?;
                Connection::Postgres(&mut lease).prepare(text).await
            }
        }
    }

    /// The text for this engine, of a statement that cannot be the same on both. Such pairs live
    /// in `store/dialect.rs` with a sentence on why.
    pub fn pick(&self, sqlite: &'static str, postgres: &'static str) -> &'static str {
        match self.engine() {
            Engine::Sqlite => sqlite,
            Engine::Postgres => postgres,
        }
    }

    /// The engine below.
    pub fn engine(&self) -> Engine {
        match self.shared.backend {
            Backend::Sqlite { .. } => Engine::Sqlite,
            Backend::Postgres { .. } => Engine::Postgres,
        }
    }

    /// A counter of commits by this process that changed something; `changed().await` wakes after
    /// the next one, and none is missed in between. Other processes on the same schema do not
    /// move it.
    pub fn on_commit(&self) -> watch::Receiver<u64> {
        self.shared.commits.all.subscribe()
    }

    /// As [`Db::on_commit`], of those transactions alone that said [`Tx::announce`].
    pub fn on_announced(&self) -> watch::Receiver<u64> {
        self.shared.commits.announced.subscribe()
    }

    /// Removes what deleted rows left behind. SQLite moves its log into the file, where
    /// `secure_delete` has overwritten the rows, and cuts it to nothing; PostgreSQL vacuums the
    /// tables of the schema. Run it after an erasure, outside of any write.
    ///
    /// # Errors
    /// [`DbError::Busy`] while somebody holds an old snapshot or a lock; try again later.
    pub async fn purge_deleted(&self) -> Result<(), DbError> {
        self.refuse_nested()?;
        match &self.shared.backend {
            Backend::Sqlite { writer, .. } => waited(writer.purge_log()).await,
            Backend::Postgres { errands, .. } => waited(Box::pin(postgres::vacuum(errands))).await,
        }
    }

    /// Closes every connection and waits for it; later calls on any clone fail.
    pub async fn close(&self) {
        match &self.shared.backend {
            Backend::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Backend::Postgres { pool, .. } => pool.close().await,
        }
    }

    async fn run<T, E, F, Fut>(&self, work: &mut F, tx: &Tx) -> Result<Result<T, E>, DbError>
    where
        F: FnMut(Tx) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let marked = WRITING.scope(self.identity(), work(tx.clone()));
        // Boxed: the futures of whole commands end up in here.
        tokio::time::timeout(WRITE_LIMIT, Box::pin(marked))
            .await
            .map_err(|_| DbError::WriteTimeout)
    }

    /// Shows the state of the pool, as long as the database is open.
    fn show_pool(&self) {
        let shared = Arc::downgrade(&self.shared);
        stoa_telemetry::on_scrape(move || {
            let Some(shared) = shared.upgrade() else {
                return false;
            };
            match &shared.backend {
                Backend::Sqlite { readers, .. } => {
                    let limit = readers.options().get_max_connections();
                    shared.meter.pool(readers.size(), readers.num_idle(), limit);
                }
                Backend::Postgres { pool, .. } => {
                    let (open, idle) = pool.state();
                    shared.meter.pool(open, idle, pool.limit());
                }
            }
            true
        });
    }

    fn identity(&self) -> usize {
        Arc::as_ptr(&self.shared).addr()
    }

    fn refuse_nested(&self) -> Result<(), DbError> {
        match WRITING.try_with(|id| *id == self.identity()) {
            Ok(true) => Err(DbError::Nested),
            _ => Ok(()),
        }
    }
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Db({:?})", self.engine())
    }
}

async fn acquire(
    readers: &SqlitePool,
    sql: &Sql,
    meter: &Meter,
) -> Result<PoolConnection<Sqlite>, DbError> {
    turn_of(meter, Box::pin(readers.acquire()))
        .await
        .map_err(|e| crate::error::classify(e, sql.text()))
}

async fn take(
    pool: &postgres::Pool,
    text: &str,
    meter: &Meter,
) -> Result<postgres::Lease, DbError> {
    turn_of(meter, Box::pin(pool.take()))
        .await
        .map_err(|e| crate::error::classify(e, text))
}

/// Waits for a connection or a turn.
async fn turn_of<T, E>(meter: &Meter, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let started = tokio::time::Instant::now();
    let turn = work.await;
    let took = started.elapsed();
    crate::accounting::add(0, took);
    meter.waited(took, turn.is_ok());
    turn
}

/// Adds the time of something that is no statement to the request's account.
async fn waited<F: Future>(work: F) -> F::Output {
    let started = tokio::time::Instant::now();
    let out = work.await;
    crate::accounting::add(0, started.elapsed());
    out
}
