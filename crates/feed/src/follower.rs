//! Following a feed without a database: for caches that start from a snapshot.
//!
//! A follower subscribes at the head, lets the cache load its snapshot while the owner's outbox
//! keeps what comes behind, drops what the snapshot has, and applies the rest. After a break it
//! goes on from its position; only a hole makes it load again.

use crate::subscription::{Pauses, Subscription};
use crate::{Error, FROM_HEAD, kinds};
use std::sync::Arc;
use stoa_proto::events::Envelope;
use stoa_proto::feed::feed_item::Item;
use stoa_rpc::{Identity, Peer, Tasks};
use stoa_telemetry::{Age, metrics};
use stoa_types::Entropy;
use tokio::sync::watch;
use tokio::time::Instant;

/// A cache that follows a feed.
#[tonic::async_trait]
pub trait Follow: Send + Sync + 'static {
    /// Whose feed it is.
    fn owner(&self) -> &'static str;

    /// Throws away what the cache holds and loads its snapshot. Returns the position that the
    /// snapshot names: everything up to there is in it. `head` is a position of the feed from
    /// before the call; a cache that fills on demand starts empty and returns it.
    ///
    /// # Errors
    /// Any error is tried again after a pause.
    async fn load(&self, head: u64) -> Result<u64, Error>;

    /// Whether the cache takes, where envelopes behind its position are gone, the states that they
    /// left: they are applied in the order of their positions, with holes. One that loads a
    /// snapshot of its own does not.
    fn takes_states(&self) -> bool {
        false
    }

    /// Applies an envelope. Types that the cache does not know are its own to ignore; an envelope
    /// may come again, so it is guarded by versions.
    fn apply(&self, envelope: &Envelope);
}

/// Runs a [`Follow`]. Cheap to clone.
#[derive(Clone)]
pub struct Follower(Arc<Inner>);

struct Inner {
    identity: Identity,
    entropy: Arc<dyn Entropy>,
    peer: Peer,
    follow: Arc<dyn Follow>,
    state: watch::Sender<State>,
    contact: Age,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// Nothing before the first snapshot, and while another one is needed.
    position: Option<u64>,
    heard: Option<Instant>,
    owner_ms: Option<i64>,
}

impl Follower {
    /// A follower of the feed behind `peer`; nothing happens before [`Follower::run`].
    pub fn new(
        identity: &Identity,
        entropy: Arc<dyn Entropy>,
        peer: Peer,
        follow: impl Follow,
    ) -> Self {
        let contact = metrics().feed.contact(identity.name(), follow.owner());
        Self(Arc::new(Inner {
            contact,
            identity: identity.clone(),
            entropy,
            peer,
            follow: Arc::new(follow),
            state: watch::Sender::new(State::default()),
        }))
    }

    /// Follows until the process stops.
    pub async fn run(self, tasks: Tasks) {
        let mut pauses = Pauses::new();
        loop {
            let started = Instant::now();
            let error = tokio::select! {
                biased;
                () = tasks.stopping() => return,
                error = self.session() => error,
            };
            tracing::warn!(owner = self.0.follow.owner(), error = ?error, "A feed is followed anew");
            if matches!(error, Error::Hole { .. } | Error::Ahead { .. }) {
                self.0.state.send_modify(|state| state.position = None);
            }
            if self.0.state.borrow().heard > Some(started) {
                pauses = Pauses::new();
            }
            tokio::select! {
                () = tasks.stopping() => return,
                () = tokio::time::sleep(pauses.next()) => {}
            }
        }
    }

    /// Whether a snapshot is loaded and has reached the head once.
    pub fn is_ready(&self) -> bool {
        let state = *self.0.state.borrow();
        state.position.is_some() && state.heard.is_some()
    }

    /// Waits until [`Follower::is_ready`].
    pub async fn ready(&self) {
        let mut state = self.0.state.subscribe();
        // The sender lives as long as this.
        let _ = state
            .wait_for(|state| state.position.is_some() && state.heard.is_some())
            .await;
    }

    /// When a heartbeat last came whose head is applied here: what the owner had committed a
    /// second before that is known. Nothing before the first.
    pub fn last_heard(&self) -> Option<Instant> {
        self.0.state.borrow().heard
    }

    /// The owner's time in that heartbeat, epoch milliseconds.
    pub fn owner_time_ms(&self) -> Option<i64> {
        self.0.state.borrow().owner_ms
    }

    /// Position of the last envelope applied.
    pub fn position(&self) -> Option<u64> {
        self.0.state.borrow().position
    }

    /// Waits until the envelope at `position` is applied.
    pub async fn reached(&self, position: u64) {
        let mut state = self.0.state.subscribe();
        let _ = state
            .wait_for(|state| state.position >= Some(position))
            .await;
    }

    async fn open(&self, after: u64) -> Result<Subscription, Error> {
        let inner = &self.0;
        let states = inner.follow.takes_states();
        Subscription::open(&inner.peer, &inner.identity, &*inner.entropy, after, states).await
    }

    /// One subscription; returns why it ended.
    async fn session(&self) -> Error {
        match self.follow_on().await {
            Ok(never) => match never {},
            Err(error) => error,
        }
    }

    async fn follow_on(&self) -> Result<std::convert::Infallible, Error> {
        let known = self.0.state.borrow().position;
        let (mut stream, mut position) = match known {
            Some(position) => (self.open(position).await?, position),
            None => self.load().await?,
        };
        // A heartbeat counts when everything up to its head is applied.
        let mut promised: Option<(u64, Instant, i64)> = None;
        loop {
            match stream.next().await? {
                Item::Heartbeat(beat) => {
                    promised = Some((beat.head, Instant::now(), beat.now_ms));
                }
                // The position stays before they are complete.
                Item::State(state) => self.apply(&state),
                Item::StatesEnd(end) => {
                    position = position.max(end.position);
                    self.0
                        .state
                        .send_modify(|state| state.position = Some(position));
                }
                Item::Envelope(envelope) if envelope.position <= position => {}
                Item::Envelope(envelope) if envelope.position > position + 1 => {
                    return Err(Error::Hole {
                        cursor: position,
                        next: envelope.position,
                    });
                }
                Item::Envelope(envelope) => {
                    self.apply(&envelope);
                    position = envelope.position;
                    self.0
                        .state
                        .send_modify(|state| state.position = Some(position));
                }
            }
            if let Some((_, at, owner_ms)) = promised.filter(|(head, ..)| *head <= position) {
                promised = None;
                self.0.state.send_modify(|state| {
                    state.heard = Some(at);
                    self.0.contact.touch_at(at);
                    state.owner_ms = Some(owner_ms);
                });
            }
        }
    }

    /// Subscribes, then loads the snapshot; gives a stream from the snapshot's position on.
    async fn load(&self) -> Result<(Subscription, u64), Error> {
        let mut stream = self.open(FROM_HEAD).await?;
        // The first item: a silent owner does not vouch for anything, so nothing is loaded yet.
        let head = match stream.next().await? {
            Item::Heartbeat(beat) => beat.head,
            Item::Envelope(envelope) => envelope.position.saturating_sub(1),
            // Nobody asked for states.
            Item::State(_) | Item::StatesEnd(_) => return Err(Error::Silent),
        };
        let position = self.0.follow.load(head).await?;
        // The first heartbeat was used up, and an older snapshot needs what lies between: the
        // outbox still has all of it.
        let stream = self.open(position).await?;
        self.0
            .state
            .send_modify(|state| state.position = Some(position));
        Ok((stream, position))
    }

    fn apply(&self, envelope: &Envelope) {
        let owner = self.0.follow.owner();
        if kinds::owner_of(&envelope.r#type).is_some_and(|of| of != owner) {
            tracing::error!(
                owner,
                kind = envelope.r#type,
                envelope = envelope.id,
                "An envelope stands in the feed of a service that does not own its aggregate"
            );
            return;
        }
        self.0.follow.apply(envelope);
    }
}
