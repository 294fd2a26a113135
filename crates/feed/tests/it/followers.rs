use crate::world::{SET, World, emit_one};
use futures::StreamExt as _;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use stoa_db::Db;
use stoa_feed::{Error, FeedService, Follow, Follower, Sequencer};
use stoa_proto::events::Envelope;
use stoa_proto::feed::feed_server::{Feed, FeedServer};
use stoa_proto::feed::{
    AcknowledgeRequest, AcknowledgeResponse, FeedItem, FollowRequest, feed_item::Item,
};
use stoa_rpc::Peer;
use tokio::sync::watch;

/// What a cache was told.
#[derive(Clone, Default)]
struct Cache {
    /// Position that the snapshot names; nothing: the head.
    snapshot: Option<u64>,
    seen: Arc<Mutex<Vec<u64>>>,
    loads: Arc<AtomicU64>,
}

#[tonic::async_trait]
impl Follow for Cache {
    fn owner(&self) -> &'static str {
        "users"
    }

    async fn load(&self, head: u64) -> Result<u64, Error> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        self.seen.lock().unwrap().clear();
        Ok(self.snapshot.unwrap_or(head))
    }

    fn apply(&self, envelope: &Envelope) {
        self.seen.lock().unwrap().push(envelope.position);
    }
}

/// A feed whose streams break, or that loses an envelope, when the test says so.
#[derive(Clone)]
struct Fragile {
    inner: FeedService,
    cuts: Arc<watch::Sender<u64>>,
    lost: Arc<AtomicU64>,
}

type Items = Pin<Box<dyn futures::Stream<Item = Result<FeedItem, tonic::Status>> + Send>>;

#[tonic::async_trait]
impl Feed for Fragile {
    type FollowStream = Items;

    async fn follow(
        &self,
        request: tonic::Request<FollowRequest>,
    ) -> Result<tonic::Response<Items>, tonic::Status> {
        let mut cuts = self.cuts.subscribe();
        let lost = self.lost.clone();
        let items = self.inner.follow(request).await?.into_inner();
        let kept = items.filter(move |item| {
            let position = match item {
                Ok(FeedItem {
                    item: Some(Item::Envelope(envelope)),
                }) => envelope.position,
                _ => 0,
            };
            let drop = position > 0 && lost.load(Ordering::SeqCst) == position;
            if drop {
                // Once: the next stream has it.
                lost.store(0, Ordering::SeqCst);
            }
            std::future::ready(!drop)
        });
        let cut = async move { cuts.changed().await.is_ok() };
        Ok(tonic::Response::new(Box::pin(
            kept.take_until(Box::pin(cut)),
        )))
    }

    async fn acknowledge(
        &self,
        request: tonic::Request<AcknowledgeRequest>,
    ) -> Result<tonic::Response<AcknowledgeResponse>, tonic::Status> {
        self.inner.acknowledge(request).await
    }
}

struct Setting {
    world: World,
    fragile: Fragile,
    peer: Peer,
}

fn setting(db: &Db) -> Setting {
    let world = World::new();
    let wiring = world.wiring("users", db);
    let sequencer = Sequencer::new(&wiring);
    world.tasks.spawn(sequencer.clone().run());
    let fragile = Fragile {
        inner: FeedService::new(&wiring, sequencer),
        cuts: Arc::new(watch::Sender::new(0)),
        lost: Arc::default(),
    };
    let routes = tonic::service::Routes::new(FeedServer::new(fragile.clone()));
    let peer = world.guard("users", routes);
    Setting {
        world,
        fragile,
        peer,
    }
}

impl Setting {
    fn follow(&self, cache: &Cache) -> Follower {
        let follower = Follower::new(
            &self.world.identity("gateway"),
            self.world.entropy.clone(),
            self.peer.clone(),
            cache.clone(),
        );
        let tasks = self.world.tasks.clone();
        tasks.spawn(follower.clone().run(tasks.clone()));
        follower
    }
}

stoa_testkit::on_every_engine! { SET;
    async fn a_cache_that_fills_on_demand_starts_at_the_head_and_gets_what_comes(db: Db) {
        let setting = setting(&db);
        setting.world.emit_many(&db, "user.updated", 3).await;
        let cache = Cache::default();
        let follower = setting.follow(&cache);
        assert!(!follower.is_ready() && follower.last_heard().is_none());
        follower.ready().await;
        assert_eq!(follower.position(), Some(3));
        assert!(follower.owner_time_ms().is_some());
        setting.world.emit_many(&db, "user.updated", 2).await;
        follower.reached(5).await;
        assert_eq!(*cache.seen.lock().unwrap(), [4, 5]);
        setting.world.tasks.shut_down().await;
    }

    async fn a_snapshot_older_than_the_head_is_completed_from_the_feed(db: Db) {
        let setting = setting(&db);
        setting.world.emit_many(&db, "user.updated", 5).await;
        let cache = Cache { snapshot: Some(2), ..Cache::default() };
        let follower = setting.follow(&cache);
        follower.ready().await;
        // A heartbeat counts only when everything before its head is applied.
        assert_eq!(*cache.seen.lock().unwrap(), [3, 4, 5]);
        setting.world.tasks.shut_down().await;
    }

    async fn a_broken_stream_goes_on_where_it_was(db: Db) {
        let setting = setting(&db);
        let cache = Cache::default();
        let follower = setting.follow(&cache);
        follower.ready().await;
        for round in 1..=3 {
            setting.world.emit_many(&db, "user.updated", 2).await;
            follower.reached(round * 2).await;
            setting.fragile.cuts.send_modify(|n| *n += 1);
        }
        setting.world.emit_many(&db, "user.updated", 1).await;
        follower.reached(7).await;
        assert_eq!(*cache.seen.lock().unwrap(), [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(cache.loads.load(Ordering::SeqCst), 1);
        setting.world.tasks.shut_down().await;
    }

    async fn a_hole_in_the_positions_loads_the_snapshot_again(db: Db) {
        let setting = setting(&db);
        let cache = Cache::default();
        let follower = setting.follow(&cache);
        follower.ready().await;
        setting.fragile.lost.store(2, Ordering::SeqCst);
        setting.world.emit_many(&db, "user.updated", 3).await;
        follower.reached(3).await;
        assert_eq!(cache.loads.load(Ordering::SeqCst), 2);
        setting.world.tasks.shut_down().await;
    }

    // contract: security S66
    async fn a_cache_does_not_hear_what_the_owner_has_no_right_to_say(db: Db) {
        let setting = setting(&db);
        let cache = Cache::default();
        let follower = setting.follow(&cache);
        follower.ready().await;
        emit_one(&db, setting.world.envelope("application.deleted", "a", 1)).await;
        emit_one(&db, setting.world.envelope("user.banned", "a", 1)).await;
        follower.reached(2).await;
        assert_eq!(*cache.seen.lock().unwrap(), [2]);
        setting.world.tasks.shut_down().await;
    }
}
