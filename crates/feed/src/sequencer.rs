//! The sequencer: gives committed envelopes their positions, gap-free, one replica at a time.
//!
//! Writers touch no shared counter: an envelope gets an ordinal that may commit in any order, and
//! the sequencer stamps what it sees committed. Two envelopes of one aggregate keep their order,
//! because the second writer inserts after the first one's commit released the aggregate's row.

use crate::{Wiring, lease, store};
use std::sync::Arc;
use std::time::Duration;
use stoa_db::{Db, DbError, Engine, sql};
use stoa_rpc::Tasks;
use stoa_types::Clock;
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

/// Envelopes stamped in one transaction, at most.
const BATCH: u32 = 500;

/// How far the sequencer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Last stamped position that this process knows of.
    pub head: u64,
    /// Everything committed before this instant has a position.
    pub passed: Option<Instant>,
}

/// The sequencer of one database. Every replica runs one, one of them stamps. Cheap to clone.
#[derive(Clone)]
pub struct Sequencer(Arc<Inner>);

struct Inner {
    db: Db,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
    holder: String,
    progress: watch::Sender<Progress>,
    /// Taken for a pass; holds what a replica without the lease waits for.
    turn: Mutex<Option<Watched>>,
}

/// Everything up to `last` was committed before `at`.
#[derive(Clone, Copy)]
struct Watched {
    last: i64,
    at: Instant,
}

impl Sequencer {
    /// The sequencer of this service's database.
    pub fn new(wiring: &Wiring) -> Self {
        Self(Arc::new(Inner {
            db: wiring.db.clone(),
            clock: Arc::clone(&wiring.clock),
            tasks: wiring.tasks.clone(),
            holder: wiring.entropy.uuid().to_string(),
            progress: watch::Sender::new(Progress::default()),
            turn: Mutex::new(None),
        }))
    }

    /// How far it is, and each change of that.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.0.progress.subscribe()
    }

    /// Stamps until the process stops: after each commit of this process, and for those of other
    /// replicas every 50 ms.
    pub async fn run(self) {
        let inner = &self.0;
        let mut commits = inner.db.on_commit();
        // A SQLite file has its writers in this process; the poll only keeps the pass young.
        let poll = match inner.db.engine() {
            Engine::Sqlite => Duration::from_millis(250),
            Engine::Postgres => Duration::from_millis(50),
        };
        while !inner.tasks.is_stopping() {
            if let Err(error) = self.pass().await {
                tracing::error!(error = ?error, "A pass of the sequencer failed");
                tokio::select! {
                    () = inner.tasks.stopping() => break,
                    () = tokio::time::sleep(poll) => continue,
                }
            }
            tokio::select! {
                () = inner.tasks.stopping() => break,
                _ = commits.changed() => {}
                () = tokio::time::sleep(poll) => {}
            }
        }
        if let Err(error) = self.let_go().await {
            tracing::warn!(error = ?error, "The sequencer's lease will run out by itself");
        }
    }

    /// Stamps everything that is committed now, if this replica holds the lease or can have it.
    /// Returns the number of envelopes stamped. Idle, it costs one read.
    ///
    /// # Errors
    /// Those of the statements.
    pub async fn pass(&self) -> Result<u64, DbError> {
        let inner = &self.0;
        let mut watched = inner.turn.lock().await;
        let mut stamped = 0;
        loop {
            let began = Instant::now();
            let (holder, expires_at, head, first, last): (
                String,
                i64,
                i64,
                Option<i64>,
                Option<i64>,
            ) = inner.db.one_as(store::LOOK).await?;
            let (Some(first), Some(last)) = (first, last) else {
                *watched = None;
                self.publish(head, Some(began));
                return Ok(stamped);
            };
            let free = holder == inner.holder || expires_at <= inner.clock.now().as_ms();
            let batch = if free { self.stamp().await? } else { None };
            let Some((head, count)) = batch else {
                // Another replica stamps. What waited when this one looked before, and does not
                // wait any more, has been stamped since.
                let passed = watched
                    .filter(|before| before.last < first)
                    .map(|before| before.at);
                if watched.is_none() || passed.is_some() {
                    *watched = Some(Watched { last, at: began });
                }
                self.publish(head, passed);
                return Ok(stamped);
            };
            stamped += count;
            let complete = count < u64::from(BATCH);
            self.publish(head, complete.then_some(began));
            if complete {
                *watched = None;
                return Ok(stamped);
            }
        }
    }

    /// Stamps one batch; nothing when another replica has the lease.
    async fn stamp(&self) -> Result<Option<(i64, u64)>, DbError> {
        let now = self.0.clock.now();
        let hold = sql(store::HOLD)
            .bind(self.0.holder.as_str())
            .bind(lease::expiry(now))
            .bind(now);
        self.0
            .db
            .write(|tx| {
                let hold = hold.clone();
                async move {
                    // Locks the row: whoever comes second sees the first one's lease.
                    let Some((head,)) = tx.opt_as::<(i64,)>(hold).await? else {
                        return Ok(None);
                    };
                    let count = tx.execute(sql(store::STAMP).bind(head).bind(BATCH)).await?;
                    let head = head + i64::try_from(count).unwrap_or(0);
                    tx.execute_expecting(1, sql(store::MOVE_HEAD).bind(head))
                        .await?;
                    Ok(Some((head, count)))
                }
            })
            .await
    }

    fn publish(&self, head: i64, passed: Option<Instant>) {
        let head = u64::try_from(head).unwrap_or(0);
        self.0.progress.send_if_modified(|progress| {
            // A look from before somebody else's batch must not take the head back.
            let moved = head > progress.head;
            progress.head = progress.head.max(head);
            progress.passed = progress.passed.max(passed);
            // Streams wake for envelopes only; they look at the time when a heartbeat is due.
            moved
        });
    }

    async fn let_go(&self) -> Result<(), DbError> {
        let statement = sql(store::LET_GO).bind(self.0.holder.as_str());
        self.0
            .db
            .write(|tx| {
                let statement = statement.clone();
                async move { tx.execute(statement).await.map(drop) }
            })
            .await
    }
}
