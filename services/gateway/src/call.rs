//! One request on its way through an endpoint.

use crate::render::{Answer, Presentation};
use crate::service::Gateway;
use futures::future::BoxFuture;
use std::sync::Arc;
use stoa_codec::params::{Body, Form, FromText, Query};
use stoa_proto::{Class, types};
use stoa_rpc::{Credentials, Problems};
use stoa_types::id::RequestId;
use uuid::Uuid;

/// An endpoint of the three APIs.
pub(crate) type Handler = fn(Call) -> BoxFuture<'static, Result<Answer, Problems>>;

/// An endpoint of the token API.
pub(crate) type AuthHandler =
    fn(AuthCall) -> BoxFuture<'static, Result<serde_json::Value, Problems>>;

/// A request that was admitted, with its parameters still to be taken.
pub(crate) struct Call {
    pub gateway: Arc<Gateway>,
    pub credentials: Credentials,
    pub query: Query,
    pub body: Body,
}

/// A request of the token API.
pub(crate) struct AuthCall {
    pub gateway: Arc<Gateway>,
    pub request: RequestId,
    pub form: Form,
    /// The caller of `revoke`; the token endpoint has none.
    pub caller: Option<Credentials>,
    /// Network address of the client.
    pub source: String,
}

impl Call {
    /// Takes the parameters that every endpoint shares: `include`, `fields.*`, `limit.*`,
    /// `imageVariant.*`, `expand`.
    pub(crate) fn presentation(&mut self) -> Presentation {
        Presentation::take(&mut self.query)
    }

    /// Takes `page` and `perPage`.
    pub(crate) fn page(&mut self) -> types::Page {
        let page = self
            .query
            .integer("page", 1..=i64::from(u32::MAX))
            .unwrap_or(1);
        let per_page = self.query.integer("perPage", 1..=100).unwrap_or(100);
        types::Page {
            page: u32::try_from(page).unwrap_or(u32::MAX),
            per_page: u32::try_from(per_page).unwrap_or(100),
        }
    }

    /// A parameter of the query that must be there; what is missing is reported by `finish`.
    pub(crate) fn required_id(&mut self, key: &'static str) -> String {
        self.query
            .required::<Uuid>(key)
            .map(|id| id.to_string())
            .unwrap_or_default()
    }

    /// An id of the query that may be left out.
    pub(crate) fn optional_id(&mut self, key: &'static str) -> Option<String> {
        self.query.optional::<Uuid>(key).map(|id| id.to_string())
    }

    /// At most 100 ids of the query.
    pub(crate) fn ids(&mut self, key: &'static str) -> Option<Vec<String>> {
        if self.query.has(key) {
            let ids: Vec<Uuid> = self.query.optional(key)?;
            if ids.len() > 100 {
                self.query.invalid(key, "must have at most 100 ids");
            }
            return Some(ids.iter().map(ToString::to_string).collect());
        }
        None
    }

    /// An instant of the query in milliseconds.
    pub(crate) fn instant(&mut self, key: &'static str) -> Option<i64> {
        self.query
            .optional::<stoa_types::Timestamp>(key)
            .map(stoa_types::Timestamp::as_ms)
    }

    /// A list of words of the query; an empty one counts as absent.
    pub(crate) fn words(&mut self, key: &'static str) -> Vec<String> {
        self.query
            .optional::<Vec<String>>(key)
            .unwrap_or_default()
            .into_iter()
            .filter(|word| !word.is_empty())
            .collect()
    }

    /// Any other value of the query.
    pub(crate) fn optional<T: FromText>(&mut self, key: &'static str) -> Option<T> {
        self.query.optional(key)
    }

    /// An id of the body that must be there.
    pub(crate) fn body_id(&mut self, key: &'static str) -> String {
        self.body
            .required::<Uuid>(key)
            .map(|id| id.to_string())
            .unwrap_or_default()
    }

    /// Reports everything that is wrong with the parameters, unknown ones included.
    pub(crate) fn finish(&mut self) -> Result<(), Problems> {
        self.end(Query::finish)
    }

    /// The same, but unknown keys of the query are ignored: the web template forwards every
    /// parameter of its search pages.
    pub(crate) fn finish_ignoring_unknown(&mut self) -> Result<(), Problems> {
        self.end(Query::finish_ignoring_unknown)
    }

    fn end(&mut self, query: fn(Query) -> Result<(), Problems>) -> Result<(), Problems> {
        let empty = Query::parse("").expect("no parameters are fine");
        let mut found = Vec::new();
        if let Err(problems) = query(std::mem::replace(&mut self.query, empty)) {
            found.extend_from_slice(problems.as_slice());
        }
        if let Err(problems) = std::mem::replace(&mut self.body, Body::empty()).finish() {
            found.extend_from_slice(problems.as_slice());
        }
        Problems::check(found)
    }

    /// The answer of a call to a service, or its refusal.
    pub(crate) async fn ask<A>(
        call: impl Future<Output = Result<tonic::Response<A>, tonic::Status>>,
    ) -> Result<A, Problems> {
        call.await
            .map(tonic::Response::into_inner)
            .map_err(|status| stoa_rpc::status::from_status(&status))
    }
}

impl AuthCall {
    /// Credentials of the gateway itself: nobody is authenticated yet.
    pub(crate) fn own(&self, class: Class) -> Credentials {
        self.gateway.identity().own(class, self.request)
    }
}
