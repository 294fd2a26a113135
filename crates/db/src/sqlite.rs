//! SQLite: one writer connection behind a queue, with group commit, and a pool of readers.
//!
//! The connection lives in a task. A caller asks for its turn, gets a [`Tx`], runs its closure in
//! its own task and says how it ended. When others already wait, the next one runs in the same
//! transaction behind a savepoint, and one COMMIT makes up to [`MAX_BATCH`] of them durable: 2.6
//! times the throughput of a commit each. Everybody is answered after the COMMIT, those too that
//! were refused, since what they saw was not durable before it.

use crate::error::classify;
use crate::measure::Meter;
use crate::open::Commits;
use crate::tx::{Inner, Raw, Tx};
use crate::{DbError, Detail, Synchronous};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection, SqlitePool};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Transactions per COMMIT, at most.
const MAX_BATCH: usize = 64;
/// A batch that is this old takes nobody else in, so that the first is not kept waiting.
const MAX_BATCH_AGE: Duration = Duration::from_millis(20);
/// Callers that may stand in the queue before others wait to join it.
const QUEUE: usize = 1024;
/// Readers of one file. Each is a thread; they open on demand and close when idle.
const READERS: u32 = 4;

/// What is asked of the writer.
enum Request {
    /// A caller wants to write.
    Turn(Waiting),
    /// Move the log into the file and cut it.
    PurgeLog(oneshot::Sender<Result<(), DbError>>),
    /// Close the connection and end.
    Close(oneshot::Sender<()>),
}

/// A caller that waits for its turn.
type Waiting = oneshot::Sender<Result<Turn, DbError>>;

/// A caller's turn. Dropped without a verdict, the transaction rolls back.
pub(crate) struct Turn {
    pub(crate) tx: Tx,
    verdict: oneshot::Sender<Verdict>,
}

struct Verdict {
    keep: bool,
    settled: oneshot::Sender<Result<(), DbError>>,
}

impl Turn {
    /// Says how the closure ended, and waits until that is durable.
    pub(crate) async fn settle(self, keep: bool) -> Result<(), DbError> {
        let (settled, answer) = oneshot::channel();
        drop(self.tx);
        // The writer is gone only when the runtime shuts down; the answer below says so.
        let _ = self.verdict.send(Verdict { keep, settled });
        answer.await.unwrap_or_else(|_| Err(writer_is_gone()))
    }
}

/// The way to the writer.
#[derive(Clone)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Request>,
}

impl Writer {
    /// Starts the task that owns `connection`; it ends when the last `Writer` is dropped.
    pub(crate) fn start(connection: SqliteConnection, commits: Commits, meter: Meter) -> Self {
        let (queue, requests) = mpsc::channel(QUEUE);
        #[expect(
            clippy::disallowed_methods,
            reason = "no work is lost with this task: nobody is answered before COMMIT, and it \
                      ends by itself when the last Db is dropped"
        )]
        tokio::spawn(run(connection, requests, commits, meter));
        Self { queue }
    }

    /// Waits for a turn.
    pub(crate) async fn turn(&self) -> Result<Turn, DbError> {
        self.ask(Request::Turn).await?
    }

    /// Moves the log into the file and cuts it to nothing.
    pub(crate) async fn purge_log(&self) -> Result<(), DbError> {
        self.ask(Request::PurgeLog).await?
    }

    /// Closes the connection, after those who are already in the queue.
    pub(crate) async fn close(&self) {
        // An error says that it is closed already.
        let _ = self.ask(Request::Close).await;
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Result<T, DbError> {
        let (answer, answered) = oneshot::channel();
        self.queue
            .send(request(answer))
            .await
            .map_err(|_| writer_is_gone())?;
        answered.await.map_err(|_| writer_is_gone())
    }
}

fn writer_is_gone() -> DbError {
    classify(sqlx::Error::WorkerCrashed, "")
}

async fn run(
    mut connection: SqliteConnection,
    mut requests: mpsc::Receiver<Request>,
    commits: Commits,
    meter: Meter,
) {
    let mut unserved = None;
    loop {
        let request = match unserved.take() {
            Some(request) => Some(request),
            None => requests.recv().await,
        };
        match request {
            Some(Request::Turn(first)) => {
                let (queue, left) = (&mut requests, &mut unserved);
                let Some(back) = batch(connection, first, queue, left, &commits, &meter).await
                else {
                    return;
                };
                connection = back;
            }
            Some(Request::PurgeLog(answer)) => {
                let _ = answer.send(purge_log(&mut connection).await);
            }
            Some(Request::Close(answer)) => {
                // The file is sound even when this fails: that is what the log is for.
                let _ = connection.close().await;
                let _ = answer.send(());
                return;
            }
            None => {
                let _ = connection.close().await;
                return;
            }
        }
    }
}

async fn purge_log(connection: &mut SqliteConnection) -> Result<(), DbError> {
    const PURGE: &str = "PRAGMA wal_checkpoint(TRUNCATE)";
    let row = sqlx::query(PURGE)
        .fetch_one(connection)
        .await
        .map_err(|e| classify(e, PURGE))?;
    match row.try_get::<i64, _>(0) {
        Ok(0) => Ok(()),
        _ => Err(DbError::Busy(Detail {
            statement: PURGE.to_owned(),
            message: "a reader holds an old snapshot".to_owned(),
        })),
    }
}

/// Runs transactions until a COMMIT or ROLLBACK ends the batch.
async fn batch(
    mut connection: SqliteConnection,
    first: Waiting,
    requests: &mut mpsc::Receiver<Request>,
    unserved: &mut Option<Request>,
    commits: &Commits,
    meter: &Meter,
) -> Option<SqliteConnection> {
    if let Err(error) = control(&mut connection, "BEGIN IMMEDIATE").await {
        let _ = first.send(Err(error));
        return Some(connection);
    }
    let opened = tokio::time::Instant::now();
    let mut waiting: Vec<oneshot::Sender<Result<(), DbError>>> = Vec::new();
    let (mut kept, mut served) = (0_usize, 0_usize);
    let (mut wrote, mut announced) = (false, false);
    let mut next = Some(first);
    let mut broken: Option<DbError> = None;
    while let Some(request) = next.take() {
        // Alone in the transaction a savepoint is not needed: ROLLBACK undoes the same.
        let behind_others = kept > 0;
        if behind_others && let Err(error) = control(&mut connection, "SAVEPOINT turn").await {
            let _ = request.send(Err(error.clone()));
            broken = Some(error);
            break;
        }
        let (served_by, verdict) = serve(connection, request, meter).await;
        let (returned, tx) = served_by?;
        connection = returned;
        let keep = verdict.as_ref().is_some_and(|v| v.keep);
        if let Some(verdict) = verdict {
            waiting.push(verdict.settled);
        }
        if keep {
            kept += 1;
            wrote |= tx.wrote();
            announced |= tx.wrote() && tx.announced();
        } else if !behind_others {
            break;
        }
        if behind_others {
            if !keep && let Err(e) = control(&mut connection, "ROLLBACK TO SAVEPOINT turn").await {
                broken = Some(lost(e));
                break;
            }
            if let Err(error) = control(&mut connection, "RELEASE SAVEPOINT turn").await {
                broken = Some(lost(error));
                break;
            }
        }
        served += 1;
        if served < MAX_BATCH && opened.elapsed() < MAX_BATCH_AGE {
            match requests.try_recv() {
                Ok(Request::Turn(request)) => next = Some(request),
                Ok(other) => *unserved = Some(other),
                Err(_) => {}
            }
        }
    }
    let outcome = match broken {
        None if kept > 0 => control(&mut connection, "COMMIT").await,
        None => Ok(()),
        Some(error) => Err(error),
    };
    if outcome.is_err() || kept == 0 {
        // Fails when the engine has rolled back by itself, which is what is wanted.
        let _ = control(&mut connection, "ROLLBACK").await;
    } else if wrote {
        commits.tell(announced);
    }
    for caller in waiting {
        let _ = caller.send(outcome.clone());
    }
    Some(connection)
}

/// Hands the connection to one caller and takes it back.
async fn serve(
    connection: SqliteConnection,
    request: Waiting,
    meter: &Meter,
) -> (Option<(SqliteConnection, Arc<Inner>)>, Option<Verdict>) {
    let inner = Inner::new(Raw::Sqlite(connection), meter.clone());
    let (verdict, told) = oneshot::channel();
    let tx = Tx {
        inner: Arc::clone(&inner),
    };
    // A caller that has gone away drops the turn, and with it the verdict's sender.
    let _ = request.send(Ok(Turn { tx, verdict }));
    let verdict = told.await.ok();
    match inner.take().await {
        Some(Raw::Sqlite(connection)) => (Some((connection, inner)), verdict),
        _ => (None, None),
    }
}

/// What those are told whose savepoints are gone: the engine rolled everything back when a
/// statement of one of them found no room or broke off. None of it is stored.
fn lost(error: DbError) -> DbError {
    match error {
        DbError::Failed(detail) => DbError::Unavailable(detail),
        other => other,
    }
}

async fn control(connection: &mut SqliteConnection, text: &'static str) -> Result<(), DbError> {
    sqlx::query(text)
        .execute(connection)
        .await
        .map(drop)
        .map_err(|e| classify(e, text))
}

fn options(path: &Path) -> SqliteConnectOptions {
    // Pages are read through the memory map, so that the cache of a connection can be small: the
    // embedded mode has six files and aims at 60 MB in all.
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(Duration::from_secs(5))
        .foreign_keys(true)
        .pragma("mmap_size", "268435456")
        .pragma("secure_delete", "ON")
        .disable_statement_logging()
}

/// Opens the connection that writes; makes the file when it is missing.
pub(crate) async fn writer(
    path: &Path,
    synchronous: Synchronous,
    busy_timeout: Duration,
) -> Result<SqliteConnection, DbError> {
    make_private(path)?;
    options(path)
        .busy_timeout(busy_timeout)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(match synchronous {
            Synchronous::Full => SqliteSynchronous::Full,
            Synchronous::Normal => SqliteSynchronous::Normal,
        })
        .pragma("cache_size", "-8192")
        .optimize_on_close(true, None)
        .connect()
        .await
        .map_err(|e| classify(e, ""))
}

/// A connection beside those of the process that uses the file, which must be there.
pub(crate) async fn besides(
    path: &Path,
    busy_timeout: Duration,
) -> Result<SqliteConnection, DbError> {
    options(path)
        .create_if_missing(false)
        .busy_timeout(busy_timeout)
        .connect()
        .await
        .map_err(|e| classify(e, ""))
}

/// The pool that reads; opens nothing before it is used.
pub(crate) fn readers(path: &Path) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(Duration::from_secs(5))
        .idle_timeout(Duration::from_secs(60))
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_lazy_with(
            options(path)
                .create_if_missing(false)
                .pragma("cache_size", "-2048")
                .pragma("query_only", "ON"),
        )
}

/// Makes the file readable by its owner alone; SQLite gives the same mode to the WAL.
fn make_private(path: &Path) -> Result<(), DbError> {
    let mut open = std::fs::OpenOptions::new();
    open.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
    open.open(path)
        .map(drop)
        .map_err(|e| DbError::Config(format!("{}: {e}", path.display())))
}
