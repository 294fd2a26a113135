//! The calls of the service, through its guard.

use super::fakes::Capture;
use super::{CUSTOMER, FREE_REQUEST, LISTING, World, peer, people::*};
use std::sync::Arc;
use stoa_policy::Actor;
use stoa_proto::transactions::transactions_client::TransactionsClient;
use stoa_proto::{Class, transactions as pb};
use stoa_rpc::{Caller, Guard, GuardSettings, Peer, Tasks, status};
use stoa_types::id::RequestId;
use stoa_types::{Problems, SystemClock};
use tonic::service::Routes;

impl World {
    fn client(&self) -> TransactionsClient<Peer> {
        TransactionsClient::new(self.peer.clone())
    }

    fn request<M>(&self, actor: &Actor, class: Class, message: M) -> tonic::Request<M> {
        let request = RequestId::random(&*self.neighbours.entropy);
        let gateway = &self.neighbours.gateway;
        gateway
            .credentials(actor, class, request, 1, None, None)
            .request(message)
    }

    /// The caller that a guard makes of an actor's token: for handlers called in this task.
    pub(crate) async fn caller(&self, actor: &Actor) -> Caller {
        let capture = Capture::default();
        let guard = Guard::new(
            Routes::new(capture.clone()),
            GuardSettings {
                service: "transactions",
                trust: self.neighbours.trust.clone(),
                marketplace: self.neighbours.own.marketplace(),
                clock: Arc::new(SystemClock),
                tasks: Tasks::new(),
            },
        );
        let message = pb::InitiateRequest::default();
        let request = self.request(actor, Class::Command, message);
        TransactionsClient::new(peer(guard))
            .initiate(request)
            .await
            .unwrap();
        capture.0.lock().take().unwrap()
    }

    /// The customer's trusted request of the shipped process, at a price of 5000.
    pub(crate) async fn requested(&self) -> pb::Transaction {
        let params = request_params(LISTING);
        self.initiate(
            &trusted(CUSTOMER),
            FREE_REQUEST,
            "transition/request",
            &params,
        )
        .await
        .unwrap()
    }

    pub(crate) async fn initiate(
        &self,
        actor: &Actor,
        alias: &str,
        transition: &str,
        params: &str,
    ) -> Result<pb::Transaction, Problems> {
        let message = initiate(alias, transition, params);
        let answer = self
            .client()
            .initiate(self.request(actor, Class::Command, message))
            .await;
        result(answer)
    }

    pub(crate) async fn initiate_speculative(
        &self,
        actor: &Actor,
        alias: &str,
        transition: &str,
        params: &str,
    ) -> Result<pb::Transaction, Problems> {
        let message = initiate(alias, transition, params);
        let request = self.request(actor, Class::Command, message);
        result(self.client().initiate_speculative(request).await)
    }

    pub(crate) async fn transition(
        &self,
        actor: &Actor,
        id: &str,
        transition: &str,
        params: &str,
    ) -> Result<pb::Transaction, Problems> {
        let message = step(id, transition, params);
        result(
            self.client()
                .transition(self.request(actor, Class::Command, message))
                .await,
        )
    }

    pub(crate) async fn transition_speculative(
        &self,
        actor: &Actor,
        id: &str,
        transition: &str,
        params: &str,
    ) -> Result<pb::Transaction, Problems> {
        let request = self.request(actor, Class::Command, step(id, transition, params));
        result(self.client().transition_speculative(request).await)
    }

    pub(crate) async fn show(&self, actor: &Actor, id: &str) -> Result<pb::Transaction, Problems> {
        let message = pb::ShowTransactionRequest { id: id.into() };
        result(
            self.client()
                .show(self.request(actor, Class::Read, message))
                .await,
        )
    }

    /// The transaction as integrations see it.
    pub(crate) async fn tx(&self, id: &str) -> pb::Transaction {
        self.show(&integration(), id).await.unwrap()
    }

    /// What the caller may still do or how it stands: state and `by` of the last entry.
    pub(crate) async fn stands(&self, id: &str) -> (String, String) {
        let tx = self.tx(id).await;
        (tx.state, tx.transitions.last().unwrap().by.clone())
    }

    pub(crate) async fn query(
        &self,
        actor: &Actor,
        message: pb::QueryTransactionsRequest,
    ) -> Result<pb::QueryTransactionsResponse, Problems> {
        result(
            self.client()
                .query(self.request(actor, Class::Read, message))
                .await,
        )
    }

    pub(crate) async fn update_metadata(
        &self,
        actor: &Actor,
        id: &str,
        metadata: &str,
    ) -> Result<pb::Transaction, Problems> {
        let message = pb::UpdateMetadataRequest {
            id: id.into(),
            metadata: metadata.into(),
        };
        let request = self.request(actor, Class::Command, message);
        result(self.client().update_metadata(request).await)
    }

    pub(crate) async fn process_transitions(
        &self,
        actor: &Actor,
        message: pb::QueryProcessTransitionsRequest,
    ) -> Result<pb::QueryProcessTransitionsResponse, Problems> {
        let request = self.request(actor, Class::Read, message);
        result(self.client().query_process_transitions(request).await)
    }

    pub(crate) async fn send(
        &self,
        actor: &Actor,
        id: &str,
        content: &str,
    ) -> Result<pb::Message, Problems> {
        let message = pb::SendMessageRequest {
            transaction_id: id.into(),
            content: content.into(),
        };
        result(
            self.client()
                .send_message(self.request(actor, Class::Command, message))
                .await,
        )
    }

    pub(crate) async fn messages(
        &self,
        actor: &Actor,
        message: pb::QueryMessagesRequest,
    ) -> Result<pb::QueryMessagesResponse, Problems> {
        result(
            self.client()
                .query_messages(self.request(actor, Class::Read, message))
                .await,
        )
    }

    pub(crate) async fn show_review(
        &self,
        actor: &Actor,
        id: &str,
    ) -> Result<pb::Review, Problems> {
        let message = pb::ShowReviewRequest { id: id.into() };
        result(
            self.client()
                .show_review(self.request(actor, Class::Read, message))
                .await,
        )
    }

    pub(crate) async fn reviews(
        &self,
        actor: &Actor,
        message: pb::QueryReviewsRequest,
    ) -> Result<pb::QueryReviewsResponse, Problems> {
        result(
            self.client()
                .query_reviews(self.request(actor, Class::Read, message))
                .await,
        )
    }

    /// As the listings service asks.
    pub(crate) async fn resolve_attempt(
        &self,
        id: &str,
    ) -> Result<pb::ResolveAttemptResponse, Problems> {
        let request = RequestId::random(&*self.neighbours.entropy);
        let asking = &self.neighbours.listings_identity;
        let credentials = asking.system("hold", Class::Command, request);
        let message = pb::ResolveAttemptRequest {
            attempt_id: id.into(),
        };
        result(
            self.client()
                .resolve_attempt(credentials.request(message))
                .await,
        )
    }

    pub(crate) async fn batch(&self, actor: &Actor, ids: &[&str]) -> Vec<pb::Transaction> {
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        let message = pb::BatchGetTransactionsRequest { ids };
        let answer = self
            .client()
            .batch_get(self.request(actor, Class::Read, message))
            .await;
        result(answer).unwrap().transactions
    }

    pub(crate) async fn parts(&self, actor: &Actor, id: &str) -> pb::BatchGetPartsResponse {
        let message = pb::BatchGetPartsRequest {
            transaction_ids: vec![id.into()],
            reviews: true,
            messages: true,
        };
        let request = self.request(actor, Class::Read, message);
        result(self.client().batch_get_parts(request).await).unwrap()
    }
}

pub(crate) fn initiate(alias: &str, transition: &str, params: &str) -> pb::InitiateRequest {
    pb::InitiateRequest {
        process_alias: alias.into(),
        transition: transition.into(),
        params: params.into(),
    }
}

pub(crate) fn step(id: &str, transition: &str, params: &str) -> pb::TransitionRequest {
    pb::TransitionRequest {
        id: id.into(),
        transition: transition.into(),
        params: params.into(),
    }
}

fn result<T>(answer: Result<tonic::Response<T>, tonic::Status>) -> Result<T, Problems> {
    answer
        .map(tonic::Response::into_inner)
        .map_err(|s| status::from_status(&s))
}
