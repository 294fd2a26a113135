//! A service's work on another owner's feed: each effect happens once, in the order of the feed.
//!
//! The cursor commits with the effect. One replica runs a consumer (a lease); should two believe
//! that they do, the cursor's compare-and-set lets only one of them commit. The others watch the
//! cursor and what the holder of the lease last heard of the owner, which it writes down whenever
//! it renews the lease.

mod consume;
mod effects;
mod progress;

pub use consume::{Consume, Needs};

use crate::subscription::{Pauses, Subscription};
use crate::{Error, Lease, Wiring, lease};
use futures::FutureExt as _;
use futures::future::{BoxFuture, OptionFuture};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use stoa_db::Engine;
use stoa_proto::events::Envelope;
use stoa_proto::feed::feed_item::Item;
use stoa_rpc::Peer;
use stoa_telemetry::{ConsumerFigures, metrics};
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

/// Envelopes applied in one transaction, at most.
const BATCH: usize = 64;
/// A consumer that has not heard from the owner for this long is not caught up.
const DEAF: Duration = Duration::from_secs(5);
/// How often the cursor is read by somebody who waits for another replica to move it.
const CURSOR_POLL: Duration = Duration::from_millis(20);
/// How often a cursor that moves is told to the owner, and one that stays.
const TELL: Duration = Duration::from_secs(10);
const TELL_AGAIN: Duration = Duration::from_secs(600);
/// How long anybody waits for that.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs a [`Consume`]. Cheap to clone.
#[derive(Clone)]
pub struct Consumer(Arc<Inner>);

struct Inner {
    wiring: Wiring,
    peer: Peer,
    consume: Arc<dyn Consume>,
    lease: Lease,
    /// Held while this process consumes.
    turn: Mutex<()>,
    state: watch::Sender<State>,
    /// The cursor in the database; that of a sparse consumer is behind the one in memory.
    stored: AtomicU64,
    figures: ConsumerFigures,
}

/// The owner is being told the position.
type Telling = OptionFuture<BoxFuture<'static, ()>>;

#[derive(Clone, Copy, Default)]
struct State {
    position: u64,
    head: u64,
    /// When somebody last heard of that head: this process, or the replica that consumes.
    heard: Option<Instant>,
    stopped: bool,
}

impl Consumer {
    /// A consumer of the feed behind `peer`; nothing happens before [`Consumer::run`] or
    /// [`Consumer::catch_up`].
    pub fn new(wiring: &Wiring, peer: Peer, consume: impl Consume) -> Self {
        let consume: Arc<dyn Consume> = Arc::new(consume);
        let lease = Lease::new(wiring, &format!("consumer {}", consume.cursor()));
        let service = wiring.identity.name();
        let figures = metrics()
            .feed
            .consumer(service, consume.owner(), consume.cursor());
        Self(Arc::new(Inner {
            wiring: wiring.clone(),
            peer,
            consume,
            lease,
            turn: Mutex::new(()),
            state: watch::Sender::new(State::default()),
            stored: AtomicU64::new(0),
            figures,
        }))
    }

    /// Consumes until the process stops, or until an envelope comes that this program is too old
    /// for; then it logs an error and is never again caught up.
    pub async fn run(self) {
        let tasks = self.0.wiring.tasks.clone();
        let mut pauses = Pauses::new();
        loop {
            let turn = self.0.turn.lock().await;
            let started = Instant::now();
            let ended = tokio::select! {
                biased;
                () = tasks.stopping() => break,
                ended = self.session(false) => ended,
            };
            drop(turn);
            let (owner, cursor) = (self.0.consume.owner(), self.0.consume.cursor());
            let mut pause = None;
            match ended {
                Ok(()) => {}
                Err(Error::Leased) => {
                    self.0.figures.standby();
                    pause = Some(lease::LOOK);
                }
                Err(error) if error.is_final() => {
                    tracing::error!(owner, cursor, %error, "A consumer stopped: nothing it should take may be skipped");
                    self.0.state.send_modify(|state| state.stopped = true);
                    self.0.figures.stopped();
                    break;
                }
                Err(error) => {
                    tracing::warn!(owner, cursor, error = ?error, "A consumer starts again");
                }
            }
            if started.elapsed() > DEAF {
                pauses = Pauses::new();
            }
            tokio::select! {
                () = tasks.stopping() => break,
                () = tokio::time::sleep(pause.unwrap_or_else(|| pauses.next())) => {}
            }
        }
        if let Err(error) = self.0.lease.release().await {
            tracing::warn!(error = ?error, "A consumer's lease will run out by itself");
        }
    }

    /// Consumes everything that the owner had committed when this was called, or waits until
    /// another replica has; returns the position. Works beside [`Consumer::run`], too.
    ///
    /// # Errors
    /// Those of the feed and of the effects, without another try; [`Error::Silent`] when another
    /// replica does not get there within ten seconds.
    pub async fn catch_up(&self) -> Result<u64, Error> {
        let deadline = Instant::now() + PATIENCE;
        let mut goal = None;
        while Instant::now() < deadline {
            if let Ok(_turn) = self.0.turn.try_lock() {
                match self.session(true).await {
                    Err(Error::Leased) => {}
                    done => {
                        self.0.lease.release().await?;
                        done?;
                        return Ok(self.0.state.borrow().position);
                    }
                }
            }
            let head = match goal {
                Some(head) => head,
                None => *goal.insert(self.owners_head().await?),
            };
            // Then another look at the lease: who has it may have died.
            if let Some(position) = self.reached(head, lease::LOOK).await? {
                return Ok(position);
            }
        }
        Err(Error::Silent)
    }

    /// The head of the owner's feed, which covers everything committed before the call.
    async fn owners_head(&self) -> Result<u64, Error> {
        let mut stream = self.subscribe(crate::FROM_HEAD, false).await?;
        loop {
            if let Item::Heartbeat(beat) = stream.next().await? {
                return Ok(beat.head);
            }
        }
    }

    /// Waits until the cursor is at `goal`, whoever moves it; gives its position. Nothing: not
    /// within that time.
    async fn reached(&self, goal: u64, within: Duration) -> Result<Option<u64>, Error> {
        let inner = &self.0;
        let deadline = Instant::now() + within;
        let mut state = inner.state.subscribe();
        loop {
            let State {
                position, stopped, ..
            } = *state.borrow_and_update();
            if position >= goal {
                return Ok(Some(position));
            }
            if stopped {
                return Err(Error::Silent);
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            tokio::select! {
                changed = state.changed() => if changed.is_err() {
                    return Err(Error::Silent);
                },
                () = tokio::time::sleep(CURSOR_POLL) => {
                    if inner.wiring.db.engine() == Engine::Postgres {
                        let stored = self.stored_cursor().await?.unwrap_or(0);
                        if stored >= goal {
                            return Ok(Some(stored));
                        }
                    }
                }
            }
        }
    }

    /// Whether everything that the owner last told of is applied, and it told so within five
    /// seconds: this process, or the replica that consumes.
    pub fn is_caught_up(&self) -> bool {
        let state = *self.0.state.borrow();
        let heard = state.heard.is_some_and(|at| at.elapsed() < DEAF);
        !state.stopped && heard && state.position >= state.head
    }

    /// The stored cursor: everything up to there had its effect, by whichever replica. A cache of
    /// what the effects wrote reads it first, then the rows, and follows the feed from there.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn stored_position(&self) -> Result<u64, Error> {
        Ok(self.stored_cursor().await?.unwrap_or(0))
    }

    /// Envelopes that are stamped and not applied yet, as far as known here.
    pub fn lag(&self) -> u64 {
        let state = *self.0.state.borrow();
        state.head.saturating_sub(state.position)
    }

    /// Whether an envelope came that this program is too old for.
    pub fn is_stopped(&self) -> bool {
        self.0.state.borrow().stopped
    }

    async fn subscribe(&self, after: u64, states: bool) -> Result<Subscription, Error> {
        let wiring = &self.0.wiring;
        Subscription::open(
            &self.0.peer,
            &wiring.identity,
            &*wiring.entropy,
            after,
            states,
        )
        .await
    }

    /// One subscription from the stored cursor; with `to_head` it ends at the head that the first
    /// heartbeat names.
    async fn session(&self, to_head: bool) -> Result<(), Error> {
        let inner = &self.0;
        if !self.is_lease_free().await? || !self.renew().await? {
            return Err(Error::Leased);
        }
        let mut cursor = self.load_cursor().await?;
        inner.stored.store(cursor, Ordering::SeqCst);
        inner.state.send_modify(|state| state.position = cursor);
        let states = cursor == 0 || inner.consume.needs() == Needs::States;
        let mut stream = self.subscribe(cursor, states).await?;
        let mut renewal = tokio::time::interval(lease::RENEWAL);
        renewal.reset();
        let mut goal = None;
        let mut waiting: Vec<Envelope> = Vec::new();
        let mut left: Vec<Envelope> = Vec::new();
        let mut told: Option<(u64, Instant)> = None;
        let mut telling: Telling = None.into();
        loop {
            let due = told.is_none_or(|(position, at)| {
                let pause = if position == cursor { TELL_AGAIN } else { TELL };
                at.elapsed() >= pause
            });
            if due && !to_head {
                told = Some((cursor, Instant::now()));
                let stored = inner.stored.load(Ordering::SeqCst);
                telling = Some(self.clone().acknowledge(stored).boxed()).into();
            }
            if to_head && goal.is_some_and(|goal| cursor >= goal) {
                return self.store_cursor(cursor).await;
            }
            let mut item = tokio::select! {
                item = stream.next() => Some(item?),
                _ = renewal.tick() => {
                    if !self.renew().await? {
                        return Err(Error::Leased);
                    }
                    self.store_cursor(cursor).await?;
                    None
                }
                Some(()) = &mut telling => {
                    telling = None.into();
                    None
                }
            };
            // What is already here goes into one transaction.
            while let Some(now) = item.take() {
                match now {
                    Item::Heartbeat(beat) => {
                        goal.get_or_insert(beat.head);
                        inner.state.send_modify(|state| {
                            state.head = state.head.max(beat.head);
                            state.heard = Some(Instant::now());
                        });
                        self.show();
                    }
                    Item::Envelope(envelope) => waiting.push(envelope),
                    Item::State(state) => left.push(state),
                    Item::StatesEnd(end) => {
                        // Boxed, like the next: seldom needed, and a session is held by many.
                        let last = std::mem::take(&mut left);
                        cursor = Box::pin(self.begin_behind(cursor, last, end.position)).await?;
                    }
                }
                if left.len() >= BATCH {
                    Box::pin(self.take_states(cursor, std::mem::take(&mut left))).await?;
                }
                if waiting.len() < BATCH {
                    item = stream.at_hand().transpose()?;
                }
            }
            if !waiting.is_empty() {
                cursor = self.apply(cursor, std::mem::take(&mut waiting)).await?;
            }
        }
    }

    /// Shows how far this process has come.
    fn show(&self) {
        let state = *self.0.state.borrow();
        self.0.figures.at(state.position, state.head);
    }
}
