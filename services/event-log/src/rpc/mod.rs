//! The RPCs of this service, one file each.
//!
//! To add one: the proto, its action in `crates/policy`, a file here, a line below.

pub(crate) mod query;

use std::sync::Arc;
use stoa_db::Db;
use stoa_proto::event_log as pb;
use stoa_proto::event_log::event_log_server;
use stoa_rpc::unary;
use stoa_types::id::MarketplaceId;
use tonic::{Request, Response, Status};

/// What handlers work with.
pub(crate) struct Cx {
    pub(crate) db: Db,
    pub(crate) marketplace: MarketplaceId,
}

/// The service `stoa.event_log.v1.EventLog`.
#[derive(Clone)]
pub(crate) struct EventLog(pub(crate) Arc<Cx>);

#[tonic::async_trait]
impl event_log_server::EventLog for EventLog {
    async fn query(
        &self,
        request: Request<pb::QueryEventsRequest>,
    ) -> Result<Response<pb::QueryEventsResponse>, Status> {
        unary(request, |caller, message| {
            query::query(&self.0, caller, message)
        })
        .await
    }
}
