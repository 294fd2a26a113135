//! How far a consumer is: its stored cursor, what the holder of the lease noted, what the owner is
//! told.

use super::{Consumer, Inner};
use crate::Error;
use crate::store::{self, dialect};
use std::time::Duration;
use stoa_db::{Engine, sql};
use stoa_proto::Class;
use stoa_proto::feed::AcknowledgeRequest;
use stoa_proto::feed::feed_client::FeedClient;
use stoa_types::id::RequestId;
use tokio::time::Instant;

impl Consumer {
    /// Tells the owner how far this service is, so that it keeps what is needed here.
    pub(super) async fn acknowledge(self, position: u64) {
        let Inner {
            wiring,
            peer,
            consume,
            ..
        } = &*self.0;
        let request = RequestId::random(&*wiring.entropy);
        let credentials = wiring.identity.own(Class::Command, request);
        let message = AcknowledgeRequest {
            cursor: consume.cursor().to_owned(),
            position,
        };
        let told = FeedClient::new(peer.clone())
            .acknowledge(credentials.request(message))
            .await;
        if let Err(status) = told {
            // The next one says more.
            tracing::debug!(owner = consume.owner(), code = %status.code(), "A position was not told");
        }
    }

    /// Takes or renews the lease, and lets the other replicas know what was heard.
    pub(super) async fn renew(&self) -> Result<bool, Error> {
        let state = *self.0.state.borrow();
        let heard = state.heard.map(|at| at.elapsed());
        Ok(self.0.lease.acquire_noting(state.head, heard).await?)
    }

    /// Looks at the lease, and learns how far the replica is that has it.
    pub(super) async fn is_lease_free(&self) -> Result<bool, Error> {
        let inner = &self.0;
        if inner.wiring.db.engine() == Engine::Sqlite {
            return Ok(true);
        }
        let watch = sql(dialect::WATCH)
            .bind(inner.consume.cursor())
            .bind(inner.lease.name())
            .bind(inner.lease.holder());
        let (position, head, heard_ms, free): (Option<i64>, Option<i64>, Option<i64>, bool) =
            inner.wiring.db.one_as(watch).await?;
        let number = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
        let heard = heard_ms.and_then(|ms| {
            let ago = Duration::from_millis(u64::try_from(ms).unwrap_or(0));
            Instant::now().checked_sub(ago)
        });
        inner.state.send_modify(|state| {
            state.position = state.position.max(number(position));
            state.head = state.head.max(number(head));
            state.heard = state.heard.max(heard);
        });
        Ok(free)
    }

    pub(super) async fn stored_cursor(&self) -> Result<Option<u64>, Error> {
        let cursor = sql(store::CURSOR).bind(self.0.consume.cursor());
        let found: Option<(i64,)> = self.0.wiring.db.opt_as(cursor).await?;
        Ok(found.map(|(position,)| u64::try_from(position).unwrap_or(0)))
    }

    pub(super) async fn load_cursor(&self) -> Result<u64, Error> {
        if let Some(position) = self.stored_cursor().await? {
            return Ok(position);
        }
        let name = self.0.consume.cursor();
        let db = &self.0.wiring.db;
        db.write(|tx| async move {
            tx.execute(sql(store::NEW_CURSOR).bind(name))
                .await
                .map(drop)
        })
        .await?;
        Ok(0)
    }
}
