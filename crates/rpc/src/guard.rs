//! The guard in front of every service, in one process too: no valid internal token, no call.

use crate::edges::{self, Closed, From};
use crate::identity::{REQUEST, refused};
use crate::measure::{self, Arrived};
use crate::transport::Place;
use crate::transport::timing::timeout_of;
use crate::{Caller, Tasks, Trust, status};
use futures::FutureExt as _;
use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;
use stoa_policy::{Action, Level};
use stoa_proto::{Class, Method};
use stoa_telemetry::{RpcCounter, metrics, trace};
use stoa_types::id::{MarketplaceId, RequestId};
use stoa_types::{Clock, Problems};
use tonic::Status;
use tonic::body::Body;
use tonic::service::Routes;
use tower::Service;

/// What a guard judges by.
#[derive(Clone)]
pub struct GuardSettings {
    /// Name of the guarded service.
    pub service: &'static str,
    /// Keys of the processes that may call.
    pub trust: Trust,
    /// The marketplace of this installation.
    pub marketplace: MarketplaceId,
    /// The real clock.
    pub clock: Arc<dyn Clock>,
    /// Where commands run on when their caller goes away.
    pub tasks: Tasks,
}

/// A service behind its guard. Cheap to clone.
#[derive(Clone)]
pub struct Guard {
    inner: Routes,
    state: Arc<State>,
}

struct State {
    settings: GuardSettings,
    methods: HashMap<&'static str, (&'static Method, Action)>,
    /// Filled at the first call: most RPCs of the table are those of other services.
    counters: HashMap<&'static str, OnceLock<RpcCounter>>,
    verified: moka::sync::Cache<Box<str>, Arc<Verified>>,
    seen_commands: moka::sync::Cache<(RequestId, &'static str), ()>,
}

/// A token that was verified.
#[derive(Clone)]
struct Verified {
    caller: Caller,
    /// The class of the token; none in service tokens.
    class: Option<Class>,
    /// The actions of a service token.
    granted: Vec<Action>,
    expires_s: i64,
    /// The state of the trust it was verified with.
    generation: u64,
}

/// Why a call was not let through; only for our own log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    UnknownMethod,
    NoToken,
    BadToken,
    Closed(Closed),
    WrongClass,
    NoRequestId,
    Replayed,
}

impl Refusal {
    /// Its name as a label.
    const fn name(self) -> &'static str {
        match self {
            Self::UnknownMethod => "unknown-method",
            Self::NoToken => "no-token",
            Self::BadToken => "bad-token",
            Self::Closed(Closed::Caller) => "wrong-caller",
            Self::Closed(Closed::Level) => "wrong-level",
            Self::Closed(Closed::Action) => "action-not-granted",
            Self::WrongClass => "wrong-class",
            Self::NoRequestId => "no-request-id",
            Self::Replayed => "replayed",
        }
    }

    /// What the sender learns. Between our own parts a refusal is a fault: the answer is not known,
    /// which is 503 outside and never 401. A program of the owner is told what it did wrong.
    fn status(self, from: From<'_>) -> Status {
        match (from, self) {
            (From::Program(_), Self::NoToken | Self::BadToken) => {
                Status::unauthenticated("no valid service token")
            }
            (From::Program(_), Self::NoRequestId) => {
                Status::invalid_argument("a command needs a request id in stoa-request")
            }
            (From::Program(_), Self::Replayed) => {
                Status::already_exists("this request id was used before")
            }
            (From::Program(_), Self::UnknownMethod) => Status::unimplemented("unknown method"),
            (From::Program(_), _) => Status::permission_denied("not open to this application"),
            _ => status::to_status(&Problems::from(refused())),
        }
    }
}

impl Guard {
    /// Puts the guard in front of a service's routes.
    pub fn new(routes: Routes, settings: GuardSettings) -> Self {
        let methods = stoa_proto::METHODS
            .iter()
            .filter_map(|method| Some((method.path, (method, Action::from_name(method.action)?))))
            .collect();
        let counters = stoa_proto::METHODS
            .iter()
            .map(|method| (method.path, OnceLock::new()))
            .collect();
        let state = State {
            settings,
            methods,
            counters,
            verified: moka::sync::Cache::builder()
                .max_capacity(10_000)
                .time_to_live(Duration::from_secs(60))
                .build(),
            seen_commands: moka::sync::Cache::builder()
                .max_capacity(200_000)
                .time_to_live(Duration::from_secs(60))
                .build(),
        };
        Self {
            inner: routes.prepare(),
            state: Arc::new(state),
        }
    }
}

impl State {
    fn check(
        &self,
        request: &http::Request<Body>,
        from: From<'_>,
    ) -> Result<(Caller, &'static Method), Refusal> {
        let (method, action) = *self
            .methods
            .get(request.uri().path())
            .ok_or(Refusal::UnknownMethod)?;
        let token = request
            .headers()
            .get("authorization")
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .ok_or(Refusal::NoToken)?;
        let verified = self.verify(token)?;
        let mut caller = verified.caller;
        caller.action = method.action;
        let rule = (action, action.rule().levels);
        edges::judge(
            from,
            method,
            rule,
            &caller.actor,
            caller.issuer,
            &verified.granted,
        )
        .map_err(Refusal::Closed)?;
        if caller.actor.level == Level::Service {
            caller.class = method.class;
            caller.request = request
                .headers()
                .get(REQUEST)
                .and_then(|id| RequestId::parse(id.to_str().ok()?).ok());
        }
        if method.class == Class::Command {
            if verified.class == Some(Class::Read) {
                return Err(Refusal::WrongClass);
            }
            let rid = caller.request.ok_or(Refusal::NoRequestId)?;
            let entry = self.seen_commands.entry((rid, method.path)).or_insert(());
            if !entry.is_fresh() {
                return Err(Refusal::Replayed);
            }
        }
        Ok((caller, method))
    }

    /// What counts the calls of an RPC of this service.
    fn counter(&self, path: &'static str) -> RpcCounter {
        let service = self.settings.service;
        let make = || metrics().rpc.of(service, measure::label(path));
        let known = self.counters.get(path);
        known.map_or_else(make, |counter| counter.get_or_init(make).clone())
    }

    fn verify(&self, token: &str) -> Result<Verified, Refusal> {
        let now_s = self.settings.clock.now().as_secs();
        let generation = self.settings.trust.generation();
        if let Some(known) = self.verified.get(token)
            && known.generation == generation
        {
            return if known.expires_s > now_s {
                Ok(Verified::clone(&known))
            } else {
                Err(Refusal::BadToken)
            };
        }
        let (claims, actor, issuer) = self
            .settings
            .trust
            .verify(token, &self.settings.marketplace, now_s)
            .map_err(|_| Refusal::BadToken)?;
        let class = claims.class();
        let verified = Verified {
            caller: Caller {
                actor,
                issuer,
                class: class.unwrap_or(Class::Read),
                request: claims.rid,
                action: "",
                settings_version: claims.sv,
                token: token.into(),
            },
            class,
            // An action that this release does not know opens nothing.
            granted: claims
                .acts
                .iter()
                .filter_map(|name| Action::from_name(name))
                .collect(),
            expires_s: claims.exp,
            generation,
        };
        // A command token is used once or twice; only the others are worth a place.
        if class != Some(Class::Command) {
            self.verified
                .insert(token.into(), Arc::new(verified.clone()));
        }
        Ok(verified)
    }
}

impl Service<http::Request<Body>> for Guard {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        let state = &self.state;
        let from = From::of(&request);
        let (caller, method) = match state.check(&request, from) {
            Ok(passed) => passed,
            Err(refusal) => {
                let service = state.settings.service;
                let rpc = request.uri().path();
                let span = measure::incoming(&request);
                if let From::Program(client) = from {
                    metrics().rpc.refused(service, "program", refusal.name());
                    let client = client.map(|id| id.to_string());
                    span.at(|| {
                        tracing::warn!(service, rpc, ?refusal, client, "A program was refused");
                    });
                } else {
                    metrics().rpc.refused(service, "process", refusal.name());
                    span.at(|| {
                        tracing::error!(service, rpc, ?refusal, "An internal call was refused");
                    });
                }
                return Box::pin(std::future::ready(Ok(refusal.status(from).into_http())));
            }
        };
        let arrived = Arrived::new(&request, state.counter(method.path));
        request.extensions_mut().insert(caller);
        let place = request.extensions_mut().remove::<Place>();
        let limit = timeout_of(request.headers()).filter(|_| !method.streaming);
        let mut inner = self.inner.clone();
        let path = method.path;
        let call = async move { inner.call(request).await };
        let guarded = trace::within(arrived.context(), async move {
            let _place = place;
            let Ok(answer) = match std::panic::AssertUnwindSafe(call).catch_unwind().await {
                Ok(answer) => answer,
                Err(_) => {
                    tracing::error!(rpc = path, "A handler panicked");
                    Ok(Status::internal("panic").into_http())
                }
            };
            arrived.answered(&answer);
            Ok(answer)
        });
        if method.class == Class::Command {
            // A client that hangs up or waits no longer does not stop a command half way.
            let running = state.settings.tasks.spawn(guarded);
            return Box::pin(within(limit, async move {
                running
                    .await
                    .unwrap_or_else(|_| Ok(Status::unavailable("stopping").into_http()))
            }));
        }
        Box::pin(within(limit, guarded))
    }
}

/// The answer, if it comes in the time that the caller waits.
async fn within(
    limit: Option<Duration>,
    answer: impl Future<Output = Result<http::Response<Body>, Infallible>>,
) -> Result<http::Response<Body>, Infallible> {
    match limit {
        None => answer.await,
        Some(limit) => tokio::time::timeout(limit, answer)
            .await
            .unwrap_or_else(|_| Ok(Status::deadline_exceeded("too slow").into_http())),
    }
}

impl tonic::server::NamedService for Guard {
    const NAME: &'static str = "stoa";
}
