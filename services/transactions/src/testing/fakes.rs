//! The services around this one, as far as it calls them: their states are set by hand and their
//! feeds are lists in memory.

use futures::StreamExt as _;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use stoa_proto::events::Envelope;
use stoa_proto::feed::feed_server::Feed;
use stoa_proto::feed::{
    AcknowledgeRequest, AcknowledgeResponse, FeedItem, FollowRequest, Heartbeat, feed_item::Item,
};
use stoa_proto::{listings, users};
use stoa_types::Problem;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::{Request, Response, Status};

type Answer = Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;

/// Answers one unary call.
fn unary<M, A>(
    request: http::Request<Body>,
    answer: impl Fn(M) -> Result<A, Status> + Send + Sync + 'static,
) -> Answer
where
    M: prost::Message + Default + Send + 'static,
    A: prost::Message + Default + Send + 'static,
{
    Box::pin(async move {
        let codec = tonic_prost::ProstCodec::<A, M>::default();
        let service = tower::service_fn(move |request: Request<M>| {
            std::future::ready(answer(request.into_inner()).map(Response::new))
        });
        Ok(tonic::server::Grpc::new(codec)
            .unary(service, request)
            .await)
    })
}

macro_rules! fake {
    ($name:ident, $path:literal) => {
        impl NamedService for $name {
            const NAME: &'static str = $path;
        }

        impl tower::Service<http::Request<Body>> for $name {
            type Response = http::Response<Body>;
            type Error = Infallible;
            type Future = Answer;

            fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
                Poll::Ready(Ok(()))
            }

            fn call(&mut self, request: http::Request<Body>) -> Answer {
                self.answer(request)
            }
        }
    };
}

/// The listings service.
#[derive(Clone, Default)]
pub(crate) struct Listings(pub(crate) Arc<Mutex<HashMap<String, listings::Listing>>>);

fake!(Listings, "stoa.listings.v1.Listings");

impl Listings {
    fn answer(&self, request: http::Request<Body>) -> Answer {
        let known = Arc::clone(&self.0);
        unary(request, move |asked: listings::GetForTransactionRequest| {
            let listing = known.lock().get(&asked.id).cloned();
            Ok(listings::ListingForTransaction { listing })
        })
    }
}

/// The users service.
#[derive(Clone, Default)]
pub(crate) struct Users {
    /// States, by id.
    pub(crate) states: Arc<Mutex<HashMap<String, users::UserAccess>>>,
    /// Protected data of profiles, by id.
    pub(crate) profiles: Arc<Mutex<HashMap<String, String>>>,
}

fake!(Users, "stoa.users.v1.Users");

impl Users {
    fn answer(&self, request: http::Request<Body>) -> Answer {
        let gone = || stoa_rpc::status::to_status(&Problem::not_found().into());
        if request.uri().path().ends_with("/GetAccess") {
            let states = Arc::clone(&self.states);
            return unary(request, move |asked: users::GetAccessRequest| {
                states.lock().get(&asked.user_id).cloned().ok_or_else(gone)
            });
        }
        let profiles = Arc::clone(&self.profiles);
        unary(request, move |asked: users::GetProtectedDataRequest| {
            let protected_data = profiles.lock().get(&asked.user_id).cloned();
            let protected_data = protected_data.unwrap_or_else(|| "{}".into());
            Ok(users::GetProtectedDataResponse { protected_data })
        })
    }
}

/// A feed that holds what it is given.
#[derive(Clone, Default)]
pub(crate) struct ListedFeed(Arc<Mutex<Vec<Envelope>>>);

impl ListedFeed {
    /// Adds an envelope at the next position.
    pub(crate) fn push(&self, mut envelope: Envelope) {
        let mut all = self.0.lock();
        envelope.position = all.len() as u64 + 1;
        envelope.schema_version = 1;
        all.push(envelope);
    }
}

#[tonic::async_trait]
impl Feed for ListedFeed {
    type FollowStream = Pin<Box<dyn futures::Stream<Item = Result<FeedItem, Status>> + Send>>;

    async fn follow(
        &self,
        request: Request<FollowRequest>,
    ) -> Result<Response<Self::FollowStream>, Status> {
        let after = request.into_inner().after;
        let all = self.0.lock().clone();
        let beat = Heartbeat {
            head: all.len() as u64,
            now_ms: 0,
        };
        let behind = all
            .into_iter()
            .filter(move |e| e.position > after)
            .map(Item::Envelope);
        let items: Vec<_> = std::iter::once(Item::Heartbeat(beat))
            .chain(behind)
            .collect();
        let stream = futures::stream::iter(items)
            .map(|item| Ok(FeedItem { item: Some(item) }))
            .chain(futures::stream::pending());
        Ok(Response::new(Box::pin(stream)))
    }

    async fn acknowledge(
        &self,
        _: Request<AcknowledgeRequest>,
    ) -> Result<Response<AcknowledgeResponse>, Status> {
        Ok(Response::new(AcknowledgeResponse {}))
    }
}

/// Keeps the caller that a guard made of a token, so that a handler can be called as behind it.
#[derive(Clone, Default)]
pub(crate) struct Capture(pub(crate) Arc<Mutex<Option<stoa_rpc::Caller>>>);

fake!(Capture, "stoa.transactions.v1.Transactions");

impl Capture {
    fn answer(&self, request: http::Request<Body>) -> Answer {
        *self.0.lock() = request.extensions().get().cloned();
        unary(request, |_: stoa_proto::transactions::InitiateRequest| {
            Ok(stoa_proto::transactions::Transaction::default())
        })
    }
}
