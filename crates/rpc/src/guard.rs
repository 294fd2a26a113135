//! The guard in front of every service, in one process too: no valid internal token, no call.

use crate::identity::refused;
use crate::transport::timing::timeout_of;
use crate::transport::{CLIENT, Place, Sender};
use crate::{Caller, Tasks, Trust, status};
use futures::FutureExt as _;
use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use stoa_policy::Action;
use stoa_proto::{Class, Method};
use stoa_types::id::{MarketplaceId, RequestId};
use stoa_types::{Clock, Problems};
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
    verified: moka::sync::Cache<Box<str>, Arc<Verified>>,
    seen_commands: moka::sync::Cache<(RequestId, &'static str), ()>,
}

/// A token that was verified.
struct Verified {
    caller: Caller,
    expires_s: i64,
    /// The state of the trust it was verified with.
    generation: u64,
}

/// Why a call was not let through; only for our own log.
#[derive(Clone, Copy, Debug)]
enum Refusal {
    UnknownMethod,
    NoToken,
    BadToken,
    WrongCaller,
    WrongLevel,
    WrongClass,
    Replayed,
}

impl Guard {
    /// Puts the guard in front of a service's routes.
    pub fn new(routes: Routes, settings: GuardSettings) -> Self {
        let methods = stoa_proto::METHODS
            .iter()
            .filter_map(|method| Some((method.path, (method, Action::from_name(method.action)?))))
            .collect();
        let state = State {
            settings,
            methods,
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
    fn check(&self, request: &http::Request<Body>) -> Result<(Caller, &'static Method), Refusal> {
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
        let caller = self.verify(token)?;
        let sender = sender(request).ok_or(Refusal::WrongCaller)?;
        if !method.callers.contains(&sender) {
            return Err(Refusal::WrongCaller);
        }
        if !action.rule().levels.contains(caller.actor.level) {
            return Err(Refusal::WrongLevel);
        }
        if method.class == Class::Command {
            let (Class::Command, Some(rid)) = (caller.class, caller.request) else {
                return Err(Refusal::WrongClass);
            };
            let entry = self.seen_commands.entry((rid, method.path)).or_insert(());
            if !entry.is_fresh() {
                return Err(Refusal::Replayed);
            }
        }
        Ok((caller, method))
    }

    fn verify(&self, token: &str) -> Result<Caller, Refusal> {
        let now_s = self.settings.clock.now().as_secs();
        let generation = self.settings.trust.generation();
        if let Some(known) = self.verified.get(token)
            && known.generation == generation
        {
            return if known.expires_s > now_s {
                Ok(known.caller.clone())
            } else {
                Err(Refusal::BadToken)
            };
        }
        let (claims, actor, issuer) = self
            .settings
            .trust
            .verify(token, &self.settings.marketplace, now_s)
            .map_err(|_| Refusal::BadToken)?;
        let caller = Caller {
            actor,
            issuer,
            class: claims.class().ok_or(Refusal::BadToken)?,
            request: claims.rid,
            settings_version: claims.sv,
            token: token.into(),
        };
        // A command token is used once or twice; only read tokens are worth a place.
        if caller.class == Class::Read {
            let verified = Verified {
                caller: caller.clone(),
                expires_s: claims.exp,
                generation,
            };
            self.verified.insert(token.into(), Arc::new(verified));
        }
        Ok(caller)
    }
}

/// The name of the process that sent a call: by its certificate between machines; in one process
/// and on the loopback the stub names it.
fn sender(request: &http::Request<Body>) -> Option<&str> {
    match request.extensions().get::<Sender>() {
        Some(Sender::Process(name)) => Some(name),
        Some(Sender::Client(_)) => Some(CLIENT),
        Some(Sender::Loopback) | None => request.headers().get("stoa-caller")?.to_str().ok(),
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
        let (caller, method) = match state.check(&request) {
            Ok(passed) => passed,
            Err(refusal) => {
                tracing::error!(
                    service = state.settings.service,
                    rpc = request.uri().path(),
                    refusal = ?refusal,
                    "An internal call was refused"
                );
                let status = status::to_status(&Problems::from(refused()));
                return Box::pin(std::future::ready(Ok(status.into_http())));
            }
        };
        request.extensions_mut().insert(caller);
        let place = request.extensions_mut().remove::<Place>();
        let limit = timeout_of(request.headers()).filter(|_| !method.streaming);
        let mut inner = self.inner.clone();
        let path = method.path;
        let call = async move { inner.call(request).await };
        let guarded = async move {
            let _place = place;
            match std::panic::AssertUnwindSafe(call).catch_unwind().await {
                Ok(answer) => answer,
                Err(_) => {
                    tracing::error!(rpc = path, "A handler panicked");
                    Ok(tonic::Status::internal("panic").into_http())
                }
            }
        };
        if method.class == Class::Command {
            // A client that hangs up or waits no longer does not stop a command half way.
            let running = state.settings.tasks.spawn(guarded);
            return Box::pin(within(limit, async move {
                running
                    .await
                    .unwrap_or_else(|_| Ok(tonic::Status::unavailable("stopping").into_http()))
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
            .unwrap_or_else(|_| Ok(tonic::Status::deadline_exceeded("too slow").into_http())),
    }
}

impl tonic::server::NamedService for Guard {
    const NAME: &'static str = "stoa";
}
