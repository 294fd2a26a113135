//! What a handler knows of its caller.

use crate::Credentials;
use std::sync::Arc;
use stoa_policy::{Actor, Level};
use stoa_proto::Class;
use stoa_types::id::RequestId;

/// The verified caller of one RPC; the guard puts it before the handler.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who it is.
    pub actor: Actor,
    /// The process that issued the token: `gateway`, or a service by its name.
    pub issuer: &'static str,
    /// Read or command; for an internal application (level `Service`) that of the RPC.
    pub class: Class,
    /// Id of the request at the gateway, in commands.
    pub request: Option<RequestId>,
    /// Name of the action of the RPC that is called, as the contract says; empty in tests of
    /// handlers, which no guard stands in front of.
    pub action: &'static str,
    /// Version of the settings that the gateway decided with; an older cache reloads first.
    pub settings_version: u64,
    pub(crate) token: Arc<str>,
}

impl Caller {
    /// Credentials to pass the call on: the received token, unchanged, sent by `service`.
    pub fn forward(&self, service: &'static str) -> Credentials {
        let request = self.request.filter(|_| self.actor.level == Level::Service);
        Credentials::from_token(&self.token, service).with_request(request)
    }

    /// A caller for tests of handlers, without a token to forward.
    pub fn for_test(actor: Actor, class: Class, request: Option<RequestId>) -> Self {
        Self {
            actor,
            issuer: "gateway",
            class,
            request,
            action: "",
            settings_version: 0,
            token: "".into(),
        }
    }

    /// The same caller of an RPC with this action, for tests of handlers.
    #[must_use]
    pub const fn calling(mut self, action: &'static str) -> Self {
        self.action = action;
        self
    }
}
