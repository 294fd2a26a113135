//! The sequencer: gives committed envelopes their positions, gap-free.
//!
//! Writers touch no shared counter: an envelope gets an ordinal that may commit in any order, and
//! the sequencer stamps what it sees committed. Two envelopes of one aggregate keep their order,
//! because the second writer inserts after the first one's commit released the aggregate's row.
//!
//! Every replica runs one and stamps behind its own commits; a pass holds the lock of the
//! sequencer's row, which is the lease: as long as one pass and no longer. So there is nothing to
//! take over from a process that died, and a process that was stopped in a pass has lost its
//! transaction when it goes on.

use crate::retention::{self, Retention};
use crate::store::dialect;
use crate::{Error, Job, Wiring, store};
use std::sync::Arc;
use std::time::Duration;
use stoa_db::{DbError, Engine, sql};
use stoa_telemetry::{SequencerFigures, metrics};
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

/// Envelopes stamped in one transaction, at most.
const BATCH: u32 = 500;

/// How far the sequencer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Last stamped position that this process knows of.
    pub head: u64,
    /// Rows of the outbox up to this position are gone.
    pub kept_after: u64,
    /// Everything committed before this instant has a position.
    pub passed: Option<Instant>,
}

/// The sequencer of one database. Cheap to clone.
#[derive(Clone)]
pub struct Sequencer(Arc<Inner>);

struct Inner {
    wiring: Wiring,
    progress: watch::Sender<Progress>,
    figures: SequencerFigures,
    /// Taken for a pass.
    turn: Mutex<()>,
}

impl Sequencer {
    /// The sequencer of this service's database.
    pub fn new(wiring: &Wiring) -> Self {
        Self(Arc::new(Inner {
            wiring: wiring.clone(),
            progress: watch::Sender::new(Progress::default()),
            figures: metrics().feed.sequencer(wiring.identity.name()),
            turn: Mutex::new(()),
        }))
    }

    /// How far it is, and each change of that.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.0.progress.subscribe()
    }

    /// Stamps until the process stops: after each commit of this process that emits, and for
    /// those of other replicas every 50 ms. Drops what every consumer passed seven days ago.
    pub async fn run(self) {
        let retention = Retention::new(&self.0.wiring);
        let dropping = Job::new(&self.0.wiring, "drop old envelopes", retention::EVERY);
        let dropping = dropping.run(|| retention.once());
        tokio::join!(self.stamp_all(), dropping);
    }

    /// Drops once what every consumer passed seven days ago; [`Sequencer::run`] does so every hour.
    /// True when there was anything.
    ///
    /// # Errors
    /// Those of the statements.
    pub async fn drop_old(&self) -> Result<bool, Error> {
        Retention::new(&self.0.wiring).once().await
    }

    async fn stamp_all(&self) {
        let inner = &self.0;
        let (db, tasks) = (&inner.wiring.db, &inner.wiring.tasks);
        let mut emitted = db.on_announced();
        // A SQLite file has its writers in this process; the poll only keeps the pass young.
        let poll = match db.engine() {
            Engine::Sqlite => Duration::from_millis(250),
            Engine::Postgres => Duration::from_millis(50),
        };
        while !tasks.is_stopping() {
            if let Err(error) = self.pass().await {
                tracing::error!(error = ?error, "A pass of the sequencer failed");
                tokio::select! {
                    () = tasks.stopping() => return,
                    () = tokio::time::sleep(poll) => continue,
                }
            }
            tokio::select! {
                () = tasks.stopping() => return,
                _ = emitted.changed() => {}
                () = tokio::time::sleep(poll) => {}
            }
        }
    }

    /// Stamps everything that was committed when this was called, by whichever replica. Returns
    /// the number of envelopes stamped here. Idle, it costs one read.
    ///
    /// # Errors
    /// Those of the statements.
    pub async fn pass(&self) -> Result<u64, DbError> {
        let inner = &self.0;
        let _turn = inner.turn.lock().await;
        let mut stamped = 0;
        loop {
            let began = Instant::now();
            let (head, kept_after, waiting): (i64, i64, Option<i64>) =
                inner.wiring.db.one_as(store::LOOK).await?;
            if waiting.is_none() {
                self.publish(head, kept_after, Some(began));
                return Ok(stamped);
            }
            let (head, count) = self.stamp().await?;
            stamped += count;
            let complete = count < u64::from(BATCH);
            self.publish(head, kept_after, complete.then_some(began));
            if complete {
                return Ok(stamped);
            }
        }
    }

    /// Stamps one batch; gives the last position and the number of envelopes.
    async fn stamp(&self) -> Result<(i64, u64), DbError> {
        let db = &self.0.wiring.db;
        let locked = db.pick(dialect::HEAD_SQLITE, dialect::HEAD_POSTGRES);
        db.write(|tx| async move {
            // Whoever comes second waits here, and then sees what the first one stamped.
            let (head,): (i64,) = tx.one_as(locked).await?;
            let count = tx.execute(sql(store::STAMP).bind(head).bind(BATCH)).await?;
            let moved = head + i64::try_from(count).unwrap_or(0);
            if count > 0 {
                tx.execute_expecting(1, sql(store::MOVE_HEAD).bind(moved))
                    .await?;
            }
            Ok((moved, count))
        })
        .await
    }

    fn publish(&self, head: i64, kept_after: i64, passed: Option<Instant>) {
        let position = |p: i64| u64::try_from(p).unwrap_or(0);
        self.0.progress.send_if_modified(|progress| {
            // A look from before somebody else's batch must not take the head back.
            let moved = position(head) > progress.head;
            progress.head = progress.head.max(position(head));
            progress.kept_after = progress.kept_after.max(position(kept_after));
            progress.passed = progress.passed.max(passed);
            self.0.figures.at(progress.head, progress.passed);
            // Streams wake for envelopes only; they look at the time when a heartbeat is due.
            moved
        });
    }
}
