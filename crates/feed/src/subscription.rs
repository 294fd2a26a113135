//! The reader's side of one stream.

use crate::{Error, server};
use futures::{FutureExt as _, StreamExt as _};
use std::time::Duration;
use stoa_proto::Class;
use stoa_proto::feed::feed_client::FeedClient;
use stoa_proto::feed::{FeedItem, FollowRequest, feed_item::Item};
use stoa_rpc::{Identity, Peer, status};
use stoa_types::Entropy;
use stoa_types::id::RequestId;

/// A stream that says nothing for this long is given up; a stalled owner is silent too, and
/// asking again does no harm.
const SILENCE: Duration = Duration::from_secs(5);
/// Largest envelope: a resource before and after with all its extended data, and room.
const MAX_MESSAGE: usize = 16 * 1024 * 1024;

pub(crate) struct Subscription {
    stream: tonic::Streaming<FeedItem>,
}

impl Subscription {
    /// Follows the feed of `peer` behind `after`; takes states where envelopes are gone, or is
    /// refused then.
    pub(crate) async fn open(
        peer: &Peer,
        identity: &Identity,
        entropy: &dyn Entropy,
        after: u64,
        states: bool,
    ) -> Result<Self, Error> {
        let mut client =
            FeedClient::new(peer.clone().streaming()).max_decoding_message_size(MAX_MESSAGE);
        let credentials = identity.own(Class::Read, RequestId::random(entropy));
        let call = client.follow(credentials.request(FollowRequest { after, states }));
        let answer = tokio::time::timeout(SILENCE, call)
            .await
            .map_err(|_| Error::Silent)?
            .map_err(|s| refused(&s, after))?;
        Ok(Self {
            stream: answer.into_inner(),
        })
    }

    /// The next item. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Item, Error> {
        loop {
            let next = tokio::time::timeout(SILENCE, self.stream.next()).await;
            if let Some(item) = Self::item(next.map_err(|_| Error::Silent)?)? {
                return Ok(item);
            }
        }
    }

    /// The next item if it is already there.
    pub(crate) fn at_hand(&mut self) -> Option<Result<Item, Error>> {
        loop {
            let next = self.stream.next().now_or_never()?;
            if let Some(item) = Self::item(next).transpose() {
                return Some(item);
            }
        }
    }

    /// Nothing: an item of a kind that this program does not know yet.
    fn item(next: Option<Result<FeedItem, tonic::Status>>) -> Result<Option<Item>, Error> {
        match next {
            None => Err(Error::Silent),
            Some(Ok(item)) => Ok(item.item),
            Some(Err(status)) => Err(refused(&status, 0)),
        }
    }
}

fn refused(status: &tonic::Status, cursor: u64) -> Error {
    if status.code() != tonic::Code::OutOfRange {
        return Error::Refused(status::from_status(status));
    }
    let first_kept = status.metadata().get(server::FIRST_KEPT);
    match first_kept.and_then(|first| first.to_str().ok()?.parse().ok()) {
        Some(next) => Error::Hole { cursor, next },
        None => Error::Ahead { cursor },
    }
}

/// Pauses between tries: 50 ms, doubled up to 0.5 s. A word that passes through two feeds may wait
/// for both, and everything has to be itself again 5 s after an outage, however long that was.
pub(crate) struct Pauses(Duration);

impl Pauses {
    pub(crate) const fn new() -> Self {
        Self(Duration::from_millis(50))
    }

    pub(crate) fn next(&mut self) -> Duration {
        let now = self.0;
        self.0 = (now * 2).min(Duration::from_millis(500));
        now
    }
}
