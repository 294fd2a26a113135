//! The connections of one process to one schema.
//!
//! The driver's own pool asks a connection for a sign of life whenever it comes back, without a
//! limit of time: after an outage that swallows packets it has none left to give. This one asks
//! nothing of a connection that somebody waits for, throws away what did not answer without a
//! goodbye, and with it everything that lay beside it.

use super::limits::{ANSWER, FRESH, OLD, SIGN_OF_LIFE, TURN, UNUSED};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Error, PgConnection};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

/// First pause before a server that does not answer the door is tried again; doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// Longest of these pauses.
const LONGEST_PAUSE: Duration = Duration::from_millis(320);

/// The connections; opens none before it is used. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    options: PgConnectOptions,
    limit: u32,
    turns: Arc<Semaphore>,
    /// The one used last is the last.
    idle: Mutex<Vec<Idle>>,
    closed: AtomicBool,
}

/// A connection that nobody uses.
struct Idle {
    connection: PgConnection,
    opened: Instant,
    since: Instant,
    /// Somebody left before the answer came.
    unsure: bool,
}

impl Pool {
    /// At most `limit` connections, at least one.
    pub(crate) fn new(options: PgConnectOptions, limit: u32) -> Self {
        let limit = limit.max(1);
        Self {
            shared: Arc::new(Shared {
                options,
                limit,
                turns: Arc::new(Semaphore::new(limit as usize)),
                idle: Mutex::default(),
                closed: AtomicBool::new(false),
            }),
        }
    }

    /// Most connections that are open at a time.
    pub(crate) fn limit(&self) -> u32 {
        self.shared.limit
    }

    /// Connections that are open, and those of them that nobody uses.
    pub(crate) fn state(&self) -> (u32, usize) {
        let idle = self.shared.idle().len();
        let free = self.shared.turns.available_permits();
        let used = (self.shared.limit as usize).saturating_sub(free);
        (u32::try_from(used + idle).unwrap_or(u32::MAX), idle)
    }

    /// A connection, within [`TURN`].
    pub(crate) async fn take(&self) -> Result<Lease, Error> {
        let deadline = Instant::now() + TURN;
        let turn = Arc::clone(&self.shared.turns).acquire_owned();
        let permit = match timeout_at(deadline, turn).await {
            Ok(Ok(permit)) if !self.shared.is_closed() => permit,
            Ok(_) => return Err(Error::PoolClosed),
            Err(_) => return Err(Error::PoolTimedOut),
        };
        let (connection, opened) = match self.shared.unused().await {
            Some(idle) => (idle.connection, idle.opened),
            None => (open(&self.shared.options, deadline).await?, Instant::now()),
        };
        Ok(Lease {
            pool: Arc::clone(&self.shared),
            held: Some(connection),
            opened,
            state: State::Quiet,
            in_transaction: false,
            _permit: permit,
        })
    }

    /// Waits for those in use, for as long as an answer may take, and closes all; whoever asks
    /// from now on is refused.
    pub(crate) async fn close(&self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        let _ = timeout(ANSWER, self.shared.turns.acquire_many(self.shared.limit)).await;
        self.shared.turns.close();
        let idle = std::mem::take(&mut *self.shared.idle());
        let goodbyes = idle
            .into_iter()
            .map(|one| timeout(SIGN_OF_LIFE, one.connection.close()));
        futures::future::join_all(goodbyes).await;
    }
}

impl Shared {
    /// A connection that lay unused, and is alive as far as can be told.
    async fn unused(&self) -> Option<Idle> {
        loop {
            let mut idle = self.next()?;
            if !idle.unsure && idle.since.elapsed() < FRESH {
                return Some(idle);
            }
            match timeout(SIGN_OF_LIFE, Box::pin(idle.connection.ping())).await {
                Ok(Ok(())) => return Some(idle),
                // What somebody left behind may be busy still; that says nothing of the others.
                Err(_) if !idle.unsure => self.distrust(),
                Ok(Err(_)) | Err(_) => {}
            }
        }
    }

    fn next(&self) -> Option<Idle> {
        let mut idle = self.idle();
        idle.retain(|one| one.since.elapsed() < UNUSED && one.opened.elapsed() < OLD);
        idle.pop()
    }

    /// Throws away what lies unused: it goes the same way as a connection that fell silent.
    fn distrust(&self) {
        self.idle().clear();
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens a connection, and tries again while nobody answers the door.
async fn open(options: &PgConnectOptions, deadline: Instant) -> Result<PgConnection, Error> {
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match timeout_at(deadline, Box::pin(options.connect())).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) => error,
            Err(_) => return Err(silence()),
        };
        if !is_at_the_door(&error) || Instant::now() + pause >= deadline {
            return Err(error);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Whether the server is not there, on its way, or full.
fn is_at_the_door(error: &Error) -> bool {
    match error {
        Error::Io(_) => true,
        Error::Database(e) => matches!(e.code().as_deref(), Some("57P03" | "53300")),
        _ => false,
    }
}

/// What the kernel would say some day.
fn silence() -> Error {
    Error::Io(io::Error::new(
        io::ErrorKind::TimedOut,
        "no answer from the server",
    ))
}

/// What is known of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Everything asked was answered.
    Quiet,
    /// An answer is on its way.
    Asked,
    /// It broke, or fell silent.
    Lost,
}

/// A connection in somebody's hands. When it is dropped it goes back to the others, unless it is
/// lost or a transaction is open on it: then it is closed at once, and the server rolls back.
pub(crate) struct Lease {
    pool: Arc<Shared>,
    held: Option<PgConnection>,
    opened: Instant,
    state: State,
    in_transaction: bool,
    _permit: OwnedSemaphorePermit,
}

impl Lease {
    /// Asks something, for [`ANSWER`] at most.
    pub(crate) async fn ask<'c, T, F>(
        &'c mut self,
        question: impl FnOnce(&'c mut PgConnection) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>> + 'c,
    {
        let Self {
            held, state, pool, ..
        } = self;
        let Some(connection) = held else {
            return Err(Error::PoolClosed);
        };
        *state = State::Asked;
        // Boxed: the driver's futures measure kilobytes.
        let answer = Box::pin(timeout(ANSWER, question(connection))).await;
        let answer = answer.unwrap_or_else(|_| {
            pool.distrust();
            Err(silence())
        });
        *state = match &answer {
            Err(error) if is_broken(error) => State::Lost,
            _ => State::Quiet,
        };
        answer
    }

    /// Runs one of the statements that begin and end transactions.
    pub(super) async fn run(&mut self, statement: &'static str) -> Result<(), Error> {
        use sqlx::Executor as _;
        self.ask(|connection| connection.execute(statement))
            .await
            .map(drop)
    }

    /// From here on, or no longer, a transaction is open.
    pub(super) fn mark_transaction(&mut self, open: bool) {
        self.in_transaction = open;
    }

    /// Whether nothing more can be asked.
    pub(crate) fn is_lost(&self) -> bool {
        self.state != State::Quiet
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(connection) = self.held.take() else {
            return;
        };
        if self.state == State::Lost || self.in_transaction || self.pool.is_closed() {
            // Closing the socket is all: a goodbye might wait for ever, too.
            return;
        }
        self.pool.idle().push(Idle {
            connection,
            opened: self.opened,
            since: Instant::now(),
            unsure: self.state == State::Asked,
        });
    }
}

/// Whether the connection is of no use after this error.
pub(super) fn is_broken(error: &Error) -> bool {
    match error {
        Error::Io(_) | Error::Tls(_) | Error::Protocol(_) | Error::WorkerCrashed => true,
        Error::Database(e) => e.code().is_some_and(|code| ends_connection(&code)),
        _ => false,
    }
}

/// Shutdown, crash, the end of a session that was silent, and what is wrong with the connection.
fn ends_connection(code: &str) -> bool {
    matches!(code, "57P01" | "57P02" | "57P04" | "57P05" | "25P03") || code.starts_with("08")
}

/// Whether the connection had broken before anything was done with it, as far as the error tells:
/// a fresh one may be tried. Silence is no such sign.
pub(crate) fn was_broken(error: &Error) -> bool {
    match error {
        Error::Io(e) => e.kind() != io::ErrorKind::TimedOut,
        Error::Tls(_) => false,
        other => is_broken(other),
    }
}
