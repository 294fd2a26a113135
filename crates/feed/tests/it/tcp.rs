//! The feed between two processes: what a slow reader costs.

use crate::world::{SET, World};
use futures::StreamExt as _;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use stoa_db::Db;
use stoa_feed::{FeedService, Sequencer, emit};
use stoa_proto::Class;
use stoa_proto::feed::feed_client::FeedClient;
use stoa_proto::feed::feed_server::{Feed, FeedServer};
use stoa_proto::feed::{
    AcknowledgeRequest, AcknowledgeResponse, FeedItem, FollowRequest, feed_item::Item,
};
use stoa_rpc::{Peer, RemoteConfig, RpcServer, ServerConfig};
use stoa_types::id::RequestId;
use tokio::sync::watch;
use tonic::{Request, Response, Status};

const ENVELOPES: u64 = 2000;
/// Bytes of each.
const SIZE: usize = 20_000;

/// Counts what the connection takes from the stream.
#[derive(Clone)]
struct Counting {
    inner: FeedService,
    taken: Arc<watch::Sender<u64>>,
}

#[tonic::async_trait]
impl Feed for Counting {
    type FollowStream = Pin<Box<dyn futures::Stream<Item = Result<FeedItem, Status>> + Send>>;

    async fn follow(
        &self,
        request: Request<FollowRequest>,
    ) -> Result<Response<Self::FollowStream>, Status> {
        let items = self.inner.follow(request).await?.into_inner();
        let taken = Arc::clone(&self.taken);
        let counted = items.inspect(move |_| taken.send_modify(|n| *n += 1));
        Ok(Response::new(Box::pin(counted)))
    }

    async fn acknowledge(
        &self,
        request: Request<AcknowledgeRequest>,
    ) -> Result<Response<AcknowledgeResponse>, Status> {
        self.inner.acknowledge(request).await
    }
}

stoa_testkit::on_every_engine! { SET;
    async fn a_reader_that_stops_reading_stops_the_owner_and_loses_nothing(db: Db) {
        let world = World::new();
        let mut envelope = world.envelope("user.updated", "a", 1);
        envelope.traceparent = "x".repeat(SIZE);
        for part in 0..10 {
            let some: Vec<_> = (0..ENVELOPES / 10)
                .map(|n| {
                    let mut one = envelope.clone();
                    one.id = format!("{part} {n}");
                    one
                })
                .collect();
            let some = &some;
            db.write(|tx| async move { emit(&tx, some.iter().cloned()).await }).await.unwrap();
        }
        let wiring = world.wiring("users", &db);
        let taken = Arc::new(watch::Sender::new(0));
        let feed = Counting {
            inner: FeedService::new(&wiring, Sequencer::new(&wiring)),
            taken: Arc::clone(&taken),
        };
        let guard = world.guarded("users", tonic::service::Routes::new(FeedServer::new(feed)));
        let local = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let server = RpcServer::bind(ServerConfig::new(local, None)).await.unwrap();
        let address = server.local_addr().to_string();
        world.tasks.spawn(server.run(guard, world.tasks.clone()));

        let peer = Peer::remote(RemoteConfig::new("users", vec![address], None));
        let own = world.identity("gateway").own(Class::Read, RequestId::random(&*world.entropy));
        let mut stream = FeedClient::new(peer.streaming())
            .follow(own.request(FollowRequest {
                after: 0,
                states: false,
            }))
            .await
            .unwrap()
            .into_inner();
        let mut seen = 0;
        let mut take = async |until: u64| {
            while seen < until {
                if let Some(Item::Envelope(envelope)) = stream.next().await.unwrap().unwrap().item {
                    seen += 1;
                    assert_eq!(envelope.position, seen);
                }
            }
        };
        take(1).await;
        // Until nothing more is taken.
        let mut changes = taken.subscribe();
        while tokio::time::timeout(Duration::from_millis(500), changes.changed()).await.is_ok() {}
        let bytes = *taken.borrow() * SIZE as u64;
        assert!(bytes < 8 * 1024 * 1024, "{bytes} bytes under way");
        take(ENVELOPES).await;
        drop(stream);
        world.tasks.shut_down().await;
    }
}
