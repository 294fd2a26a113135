//! The RPCs: one file each, one line here.

mod approve;
mod batch_get;
mod change;
mod close;
mod create;
mod create_draft;
mod create_own;
mod decode;
mod discard_draft;
mod get_for_transaction;
mod open;
mod publish_draft;
mod query;
mod query_own;
mod show;
mod show_own;
mod update;

use crate::core::Core;
use std::sync::Arc;
use stoa_proto::listings as pb;
use stoa_proto::listings::listings_server::Listings;
use stoa_rpc::unary;
use tonic::{Request, Response, Status};

/// The RPC service `stoa.listings.v1.Listings`.
pub(crate) struct Rpc(pub(crate) Arc<Core>);

type Answer<M> = Result<Response<M>, Status>;

#[tonic::async_trait]
impl Listings for Rpc {
    async fn show(&self, request: Request<pb::ShowListingRequest>) -> Answer<pb::Listing> {
        unary(request, |caller, message| {
            show::show(&self.0, caller, message)
        })
        .await
    }

    async fn query(
        &self,
        request: Request<pb::QueryListingsRequest>,
    ) -> Answer<pb::QueryListingsResponse> {
        unary(request, |caller, message| {
            query::query(&self.0, caller, message)
        })
        .await
    }

    async fn show_own(&self, request: Request<pb::ShowListingRequest>) -> Answer<pb::Listing> {
        unary(request, |caller, message| {
            show_own::show_own(&self.0, caller, message)
        })
        .await
    }

    async fn query_own(
        &self,
        request: Request<pb::QueryListingsRequest>,
    ) -> Answer<pb::QueryListingsResponse> {
        unary(request, |caller, message| {
            query_own::query_own(&self.0, caller, message)
        })
        .await
    }

    async fn create_own(
        &self,
        request: Request<pb::CreateOwnListingRequest>,
    ) -> Answer<pb::Listing> {
        unary(request, |caller, message| {
            create_own::create_own(&self.0, caller, message)
        })
        .await
    }

    async fn create_draft(
        &self,
        request: Request<pb::CreateOwnListingRequest>,
    ) -> Answer<pb::Listing> {
        unary(request, |caller, message| {
            create_draft::create_draft(&self.0, caller, message)
        })
        .await
    }

    async fn publish_draft(
        &self,
        request: Request<pb::ListingCommandRequest>,
    ) -> Answer<pb::Listing> {
        unary(request, |caller, message| {
            publish_draft::publish_draft(&self.0, caller, message)
        })
        .await
    }

    async fn discard_draft(
        &self,
        request: Request<pb::ListingCommandRequest>,
    ) -> Answer<pb::Listing> {
        unary(request, |caller, message| {
            discard_draft::discard_draft(&self.0, caller, message)
        })
        .await
    }

    async fn update(&self, request: Request<pb::UpdateListingRequest>) -> Answer<pb::Listing> {
        unary(request, |caller, message| {
            update::update(&self.0, caller, message)
        })
        .await
    }

    async fn open(&self, request: Request<pb::ListingCommandRequest>) -> Answer<pb::Listing> {
        unary(request, |caller, message| {
            open::open(&self.0, caller, message)
        })
        .await
    }

    async fn close(&self, request: Request<pb::ListingCommandRequest>) -> Answer<pb::Listing> {
        unary(request, |caller, message| {
            close::close(&self.0, caller, message)
        })
        .await
    }

    async fn create(&self, request: Request<pb::CreateListingRequest>) -> Answer<pb::Listing> {
        unary(request, |caller, message| {
            create::create(&self.0, caller, message)
        })
        .await
    }

    async fn approve(&self, request: Request<pb::ListingCommandRequest>) -> Answer<pb::Listing> {
        unary(request, |caller, message| {
            approve::approve(&self.0, caller, message)
        })
        .await
    }

    async fn batch_get(
        &self,
        request: Request<pb::BatchGetListingsRequest>,
    ) -> Answer<pb::BatchGetListingsResponse> {
        unary(request, |caller, message| {
            batch_get::batch_get(&self.0, caller, message)
        })
        .await
    }

    async fn get_for_transaction(
        &self,
        request: Request<pb::GetForTransactionRequest>,
    ) -> Answer<pb::ListingForTransaction> {
        unary(request, |caller, message| {
            get_for_transaction::get_for_transaction(&self.0, caller, message)
        })
        .await
    }
}
