//! The owner's side of a feed.

use crate::{FROM_HEAD, Progress, Sequencer, Wiring, retention, store};
use futures::Stream;
use prost::Message as _;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use stoa_db::{Db, DbError, sql};
use stoa_proto::events::Envelope;
use stoa_proto::feed::feed_server::{Feed, FeedServer};
use stoa_proto::feed::{
    AcknowledgeRequest, AcknowledgeResponse, FeedItem, FollowRequest, Heartbeat, StatesEnd,
    feed_item::Item,
};
use stoa_rpc::{Caller, Tasks, status};
use stoa_types::{Clock, Problem};
use tokio::sync::watch;
use tokio::time::Instant;
use tonic::{Request, Response, Status};

/// How often a stream says that it is alive.
const HEARTBEAT: Duration = Duration::from_millis(500);
/// A heartbeat vouches for everything that was committed this long ago.
const OLDEST_PASS: Duration = Duration::from_secs(1);
/// Longest name of a cursor.
const LONGEST_CURSOR: usize = 100;
/// Metadata of a refusal: the first position that can still be had.
pub(crate) const FIRST_KEPT: &str = "stoa-feed-first";
/// Envelopes read at once: the memory that a slow consumer can hold.
const BATCH: u32 = 128;

/// The RPC service `stoa.feed.v1.Feed` of one owner. Cheap to clone.
#[derive(Clone)]
pub struct FeedService {
    source: Outbox,
    wiring: Wiring,
}

impl FeedService {
    /// Serves the outbox that `sequencer` stamps, under the service's name.
    pub fn new(wiring: &Wiring, sequencer: Sequencer) -> Self {
        Self {
            source: Outbox {
                db: wiring.db.clone(),
                sequencer,
            },
            wiring: wiring.clone(),
        }
    }

    /// The calling service, which must be on the list of the feed.
    fn consumer(&self, extensions: &tonic::Extensions) -> Result<&'static str, Status> {
        let Some(caller) = extensions.get::<Caller>() else {
            return Err(Status::unauthenticated("no caller"));
        };
        let owner = self.wiring.identity.name();
        if !stoa_policy::feeds::may_follow(owner, caller.issuer) {
            tracing::error!(
                owner,
                consumer = caller.issuer,
                "A feed was refused to a process that is not on its list"
            );
            return Err(status::to_status(&Problem::forbidden().into()));
        }
        Ok(caller.issuer)
    }

    /// The service for the owner's routes: `Routes::new(..).add_service(feed.into_server())`.
    pub fn into_server(self) -> FeedServer<Self> {
        FeedServer::new(self)
    }
}

type Items = Pin<Box<dyn Stream<Item = Result<FeedItem, Status>> + Send>>;

#[tonic::async_trait]
impl Feed for FeedService {
    type FollowStream = Items;

    async fn follow(&self, request: Request<FollowRequest>) -> Result<Response<Items>, Status> {
        let (_, extensions, message) = request.into_parts();
        self.consumer(&extensions)?;
        // The first heartbeat names a head that covers everything committed before the call.
        let refreshed = self.source.refresh().await;
        refreshed.map_err(|error| unavailable(&error))?;
        let Progress {
            head, kept_after, ..
        } = *self.source.progress().borrow();
        let (after, begin) = match message.after {
            FROM_HEAD => (head, Begin::Envelopes),
            after if after > head => return Err(Status::out_of_range("ahead of the feed")),
            after if after < kept_after && message.states => (after, Begin::States),
            after if after < kept_after => return Err(gone(kept_after)),
            after => (after, Begin::Envelopes),
        };
        let stream = stream(
            self.source.clone(),
            Arc::clone(&self.wiring.clock),
            self.wiring.tasks.clone(),
            after,
            begin,
        );
        Ok(Response::new(Box::pin(stream)))
    }

    async fn acknowledge(
        &self,
        request: Request<AcknowledgeRequest>,
    ) -> Result<Response<AcknowledgeResponse>, Status> {
        let (_, extensions, message) = request.into_parts();
        let caller = self.consumer(&extensions)?;
        if message.cursor.is_empty() || message.cursor.len() > LONGEST_CURSOR {
            return Err(Status::invalid_argument("cursor"));
        }
        retention::note(&self.wiring, caller, &message.cursor, message.position)
            .await
            .map_err(|error| unavailable(&error))?;
        Ok(Response::new(AcknowledgeResponse {}))
    }
}

/// What the consumer asks for is not kept any more: never a stream that begins later in silence.
fn gone(kept_after: u64) -> Status {
    let mut status = Status::out_of_range("the envelopes behind this position are gone");
    status
        .metadata_mut()
        .insert(FIRST_KEPT, (kept_after + 1).into());
    status
}

fn unavailable(error: &DbError) -> Status {
    tracing::error!(error = ?error, "A feed could not be read");
    status::to_status(&Problem::unavailable().into())
}

/// Where the envelopes come from.
trait Source: Send + Sync + 'static {
    /// Stamps what is committed.
    fn refresh(&self) -> impl Future<Output = Result<(), DbError>> + Send;
    /// How far the stamping is.
    fn progress(&self) -> watch::Receiver<Progress>;
    /// The next envelopes behind a position.
    fn after(&self, position: u64) -> impl Future<Output = Result<Vec<Envelope>, DbError>> + Send;
    /// Up to which position envelopes are gone, and the next of the states that they left, behind
    /// a position. Without states, there are none up to there.
    fn states(
        &self,
        position: u64,
    ) -> impl Future<Output = Result<(u64, Vec<Envelope>), DbError>> + Send;
}

/// What a stream begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begin {
    /// What envelopes left behind that are gone.
    States,
    /// The envelopes.
    Envelopes,
}

#[derive(Clone)]
struct Outbox {
    db: Db,
    sequencer: Sequencer,
}

impl Source for Outbox {
    async fn refresh(&self) -> Result<(), DbError> {
        self.sequencer.pass().await.map(drop)
    }

    fn progress(&self) -> watch::Receiver<Progress> {
        self.sequencer.progress()
    }

    async fn after(&self, position: u64) -> Result<Vec<Envelope>, DbError> {
        self.page(store::ENVELOPES_AFTER, position).await
    }

    async fn states(&self, position: u64) -> Result<(u64, Vec<Envelope>), DbError> {
        // First: what is dropped after this look leaves its states behind it.
        let (kept_after, _): (i64, i64) = self.db.one_as(store::KEPT_AFTER).await?;
        let page = self.page(store::STATES_AFTER, position).await?;
        Ok((u64::try_from(kept_after).unwrap_or(0), page))
    }
}

impl Outbox {
    async fn page(&self, text: &'static str, after: u64) -> Result<Vec<Envelope>, DbError> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let rows: Vec<(i64, Vec<u8>)> = self.db.all_as(sql(text).bind(after).bind(BATCH)).await?;
        rows.into_iter()
            .map(|(position, bytes)| {
                let mut envelope = Envelope::decode(bytes.as_slice())
                    .map_err(|e| DbError::corrupt("outbox.envelope", e))?;
                envelope.position = u64::try_from(position).unwrap_or(0);
                Ok(envelope)
            })
            .collect()
    }
}

struct Streaming<S> {
    source: S,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
    progress: watch::Receiver<Progress>,
    after: u64,
    phase: Begin,
    buffer: VecDeque<Envelope>,
    next_beat: Instant,
}

/// The items of one stream. Nothing runs while the consumer does not ask for the next one, so a
/// slow consumer costs one batch of memory.
fn stream<S: Source>(
    source: S,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
    after: u64,
    begin: Begin,
) -> impl Stream<Item = Result<FeedItem, Status>> + Send {
    let streaming = Streaming {
        progress: source.progress(),
        source,
        clock,
        tasks,
        after,
        phase: begin,
        buffer: VecDeque::new(),
        next_beat: Instant::now(),
    };
    futures::stream::unfold(Some(streaming), |streaming| async move {
        let mut streaming = streaming?;
        match streaming.next().await {
            Ok(Some(item)) => Some((Ok(FeedItem { item: Some(item) }), Some(streaming))),
            Ok(None) => None,
            Err(error) => Some((Err(unavailable(&error)), None)),
        }
    })
}

impl<S: Source> Streaming<S> {
    async fn next(&mut self) -> Result<Option<Item>, DbError> {
        loop {
            if self.tasks.is_stopping() {
                return Ok(None);
            }
            let now = Instant::now();
            if now >= self.next_beat {
                self.next_beat = now + HEARTBEAT;
                if let Some(beat) = self.heartbeat(now) {
                    return Ok(Some(Item::Heartbeat(beat)));
                }
            }
            if let Some(envelope) = self.buffer.pop_front() {
                self.after = envelope.position;
                return Ok(Some(match self.phase {
                    Begin::States => Item::State(envelope),
                    Begin::Envelopes => Item::Envelope(envelope),
                }));
            }
            if self.phase == Begin::States {
                let (gone, states) = self.source.states(self.after).await?;
                self.buffer = states.into();
                if self.buffer.is_empty() {
                    // An older look may have given a newer state.
                    self.after = gone;
                    self.phase = Begin::Envelopes;
                    return Ok(Some(Item::StatesEnd(StatesEnd { position: gone })));
                }
                continue;
            }
            if self.progress.borrow_and_update().head > self.after {
                self.buffer = self.source.after(self.after).await?.into();
                if !self.buffer.is_empty() {
                    continue;
                }
            }
            tokio::select! {
                () = self.tasks.stopping() => return Ok(None),
                changed = self.progress.changed() => if changed.is_err() {
                    return Ok(None);
                },
                () = tokio::time::sleep_until(self.next_beat) => {}
            }
        }
    }

    fn heartbeat(&self, now: Instant) -> Option<Heartbeat> {
        let progress = *self.progress.borrow();
        let young = now.duration_since(progress.passed?) <= OLDEST_PASS;
        young.then(|| Heartbeat {
            head: progress.head,
            now_ms: self.clock.now().as_ms(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{FutureExt as _, StreamExt as _};
    use stoa_types::{ManualClock, Timestamp};

    /// An outbox in memory.
    #[derive(Clone)]
    struct Fake(Arc<watch::Sender<Progress>>);

    impl Fake {
        fn new() -> Self {
            Self(Arc::new(watch::Sender::new(Progress::default())))
        }

        fn pass(&self, head: u64) {
            self.0.send_modify(|progress| {
                progress.head = head;
                progress.passed = Some(Instant::now());
            });
        }
    }

    impl Source for Fake {
        async fn refresh(&self) -> Result<(), DbError> {
            Ok(())
        }
        fn progress(&self) -> watch::Receiver<Progress> {
            self.0.subscribe()
        }
        async fn after(&self, position: u64) -> Result<Vec<Envelope>, DbError> {
            let last = self.0.borrow().head.min(position + u64::from(BATCH));
            Ok((position + 1..=last)
                .map(|position| Envelope {
                    position,
                    ..Envelope::default()
                })
                .collect())
        }
        async fn states(&self, position: u64) -> Result<(u64, Vec<Envelope>), DbError> {
            let gone = self.0.borrow().kept_after;
            // Of every third envelope something is left.
            let left = (position + 1..=gone).filter(|position| position % 3 == 0);
            let states = left.take(BATCH as usize).map(|position| Envelope {
                position,
                ..Envelope::default()
            });
            Ok((gone, states.collect()))
        }
    }

    fn follow(source: &Fake, tasks: &Tasks, after: u64) -> Items {
        let clock = Arc::new(ManualClock::starting_at(Timestamp::from_ms(7_000)));
        let begin = if after < source.0.borrow().kept_after {
            Begin::States
        } else {
            Begin::Envelopes
        };
        Box::pin(stream(source.clone(), clock, tasks.clone(), after, begin))
    }

    async fn next(items: &mut Items) -> Item {
        items.next().await.unwrap().unwrap().item.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn heartbeats_come_every_half_second_and_stop_when_the_sequencer_stalls() {
        let source = Fake::new();
        source.pass(3);
        let mut items = follow(&source, &Tasks::new(), 3);
        let started = Instant::now();
        let beat = Item::Heartbeat(Heartbeat {
            head: 3,
            now_ms: 7_000,
        });
        for i in 0..3 {
            assert_eq!(next(&mut items).await, beat);
            assert_eq!(started.elapsed(), HEARTBEAT * i);
        }
        // The pass is one second old; no heartbeat vouches for more than that.
        let silence = Duration::from_secs(3600);
        assert!(tokio::time::timeout(silence, items.next()).await.is_err());
        source.pass(3);
        assert_eq!(next(&mut items).await, beat);
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_no_pass_stands_behind_gets_no_heartbeat() {
        let source = Fake::new();
        let mut items = follow(&source, &Tasks::new(), 0);
        let silence = Duration::from_secs(3600);
        assert!(tokio::time::timeout(silence, items.next()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_consumer_gets_every_envelope_once_with_heartbeats_between() {
        let source = Fake::new();
        let head = u64::from(BATCH) * 3 + 5;
        let mut items = follow(&source, &Tasks::new(), 2);
        let (mut seen, mut beats) = (2, 0);
        while seen < head {
            source.pass(head);
            match next(&mut items).await {
                Item::Envelope(envelope) => {
                    seen += 1;
                    assert_eq!(envelope.position, seen);
                    tokio::time::advance(Duration::from_millis(100)).await;
                }
                Item::Heartbeat(beat) => {
                    assert_eq!(beat.head, head);
                    beats += 1;
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(beats > 50, "{beats}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stamped_envelope_is_sent_at_once() {
        let source = Fake::new();
        source.pass(0);
        let mut items = follow(&source, &Tasks::new(), 0);
        assert!(matches!(next(&mut items).await, Item::Heartbeat(_)));
        assert!(items.next().now_or_never().is_none());
        let before = Instant::now();
        source.pass(1);
        assert!(matches!(next(&mut items).await, Item::Envelope(_)));
        assert_eq!(before.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn states_come_first_and_what_follows_has_no_gap() {
        let source = Fake::new();
        source.0.send_modify(|progress| progress.kept_after = 1000);
        source.pass(1002);
        let mut items = follow(&source, &Tasks::new(), 1);
        let mut states = Vec::new();
        let position = loop {
            match next(&mut items).await {
                Item::State(state) => states.push(state.position),
                Item::Heartbeat(_) => {}
                Item::StatesEnd(end) => break end.position,
                Item::Envelope(early) => panic!("{}", early.position),
            }
        };
        let expected: Vec<u64> = (2..=1000).filter(|position| position % 3 == 0).collect();
        assert_eq!((position, states), (1000, expected));
        for expected in 1001..=1002 {
            let Item::Envelope(envelope) = next(&mut items).await else {
                panic!("no envelope");
            };
            assert_eq!(envelope.position, expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_when_the_process_stops() {
        let (source, tasks) = (Fake::new(), Tasks::new());
        let mut items = follow(&source, &tasks, 0);
        assert!(items.next().now_or_never().is_none());
        tasks.shut_down().await;
        assert!(items.next().await.is_none());
    }
}
