//! The service `stoa.transactions.v1.Transactions`, one RPC a file.

mod batch_get;
mod batch_get_parts;
mod initiate;
mod initiate_speculative;
mod query;
mod query_messages;
mod query_process_transitions;
mod query_reviews;
mod resolve_attempt;
mod send_message;
mod show;
mod show_review;
mod transition;
mod transition_speculative;
mod update_metadata;

use crate::context::Context;
use crate::error::Error;
use stoa_policy::{Action, Resource};
use stoa_proto::transactions as pb;
use stoa_proto::transactions::transactions_server::Transactions;
use stoa_rpc::{Caller, unary};
use stoa_types::{Problem, SourceKind};
use tonic::{Request, Response, Status};

/// The handlers.
pub(crate) struct Api(pub(crate) Context);

macro_rules! delegate {
    ($($name:ident($request:ty) -> $answer:ty;)*) => {
        #[tonic::async_trait]
        impl Transactions for Api {$(
            async fn $name(&self, request: Request<$request>) -> Result<Response<$answer>, Status> {
                unary(request, |caller, message| $name::$name(&self.0, caller, message)).await
            }
        )*}
    };
}

delegate! {
    initiate(pb::InitiateRequest) -> pb::Transaction;
    initiate_speculative(pb::InitiateRequest) -> pb::Transaction;
    transition(pb::TransitionRequest) -> pb::Transaction;
    transition_speculative(pb::TransitionRequest) -> pb::Transaction;
    show(pb::ShowTransactionRequest) -> pb::Transaction;
    query(pb::QueryTransactionsRequest) -> pb::QueryTransactionsResponse;
    update_metadata(pb::UpdateMetadataRequest) -> pb::Transaction;
    query_process_transitions(pb::QueryProcessTransitionsRequest)
        -> pb::QueryProcessTransitionsResponse;
    send_message(pb::SendMessageRequest) -> pb::Message;
    query_messages(pb::QueryMessagesRequest) -> pb::QueryMessagesResponse;
    show_review(pb::ShowReviewRequest) -> pb::Review;
    query_reviews(pb::QueryReviewsRequest) -> pb::QueryReviewsResponse;
    batch_get(pb::BatchGetTransactionsRequest) -> pb::BatchGetTransactionsResponse;
    batch_get_parts(pb::BatchGetPartsRequest) -> pb::BatchGetPartsResponse;
    resolve_attempt(pb::ResolveAttemptRequest) -> pb::ResolveAttemptResponse;
}

/// Asks the policy about a read.
async fn require_read(
    context: &Context,
    caller: &Caller,
    action: Action,
    resource: &Resource,
) -> Result<(), Error> {
    let standing = context.standings.for_read(caller).await?;
    Ok(stoa_policy::require(
        &caller.actor,
        action,
        &standing.as_standing(),
        resource,
    )?)
}

/// The id that a field names.
fn id_in<T>(
    kind: SourceKind,
    key: &'static str,
    parsed: Result<T, stoa_types::id::NotAnId>,
) -> Result<T, Problem> {
    parsed.map_err(|_| Problem::invalid_value(kind, vec![key.into()], "must be a UUID"))
}

/// 400: a list in a query is too long.
fn too_many(key: &'static str, most: usize) -> Problem {
    let why = format!("must not name more than {most}");
    Problem::invalid_value(SourceKind::Query, vec![key.into()], why)
}
