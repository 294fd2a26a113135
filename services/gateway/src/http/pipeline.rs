//! The way of one request: route, headers, token, admission, body, endpoint, answer.

use super::answer::{self, Answer};
use super::body;
use crate::access::Authenticated;
use crate::call::{AuthCall, AuthHandler, Call, Handler};
use crate::routes::{Kind, Route};
use crate::service::Gateway;
use futures::FutureExt as _;
use http::{HeaderMap, Method, Request, StatusCode, header};
use hyper::body::Incoming;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use stoa_codec::params::{Body, Form, Query};
use stoa_codec::{Format, RequestKind, request_kind, response_format};
use stoa_policy::{Action, Actor};
use stoa_proto::Class;
use stoa_rpc::{Credentials, Problem, Problems};
use stoa_telemetry::Outcome;
use stoa_telemetry::trace::{self, Span};
use stoa_types::id::RequestId;
use tokio::time::Instant;

/// Form bodies hold a password and a token, nothing larger.
const FORM_LIMIT: usize = 64 * 1024;

/// What is known of a request besides its parts, for the log line.
struct Seen {
    request: RequestId,
    route: &'static str,
    actor: Option<Actor>,
}

/// Serves one request; every failure becomes an answer.
pub(super) async fn serve(
    gateway: Arc<Gateway>,
    client: IpAddr,
    request: Request<Incoming>,
) -> Result<Answer, Infallible> {
    let started = Instant::now();
    let method = request.method().clone();
    let mut seen = Seen {
        request: RequestId::random(gateway.entropy.as_ref()),
        route: "unknown",
        actor: None,
    };
    let metrics = &stoa_telemetry::metrics().http;
    metrics.started();
    let span = begin_span(&seen, &request);
    let serving = std::panic::AssertUnwindSafe(route(&gateway, client, request, &mut seen));
    let answer = match span.around(serving.catch_unwind()).await {
        Ok(answer) => answer,
        Err(_) => {
            let problems = Problem::internal().into();
            let id = seen.request.uuid();
            answer::refuse(&problems, id, Format::Json, &HeaderMap::new(), "")
        }
    };
    let took = started.elapsed();
    let status = answer.status().as_u16();
    metrics.finished(seen.route, Outcome { status }, took);
    let duration_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    span.at(|| log(&seen, &method, status, duration_us));
    end_span(span, &seen, &method, status);
    Ok(answer)
}

/// The trace of a request begins here, under the request's own id. A `traceparent` that a client
/// sends is linked and not continued: anybody may send one, and with it a trace id that collides
/// with another's, or a flag that has every request recorded.
fn begin_span(seen: &Seen, request: &Request<Incoming>) -> Span {
    let mut span = Span::request("request", seen.request.uuid());
    if span.is_recording()
        && let Some(other) = trace::incoming(request.headers())
    {
        span.link(other);
    }
    span
}

/// Says what the request was; nothing of its path, query, body or token.
fn end_span(mut span: Span, seen: &Seen, method: &Method, status: u16) {
    if !span.is_recording() {
        return;
    }
    // Any word may come as a method.
    let method = match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::OPTIONS => "OPTIONS",
        Method::HEAD => "HEAD",
        _ => "_OTHER",
    };
    span.rename(format!("{method} {}", seen.route));
    span.set("http.request.method", method);
    span.set("http.route", seen.route);
    span.set("http.response.status_code", i64::from(status));
    if let Some(actor) = &seen.actor {
        span.set("stoa.actor.level", actor.level.name());
    }
    if status >= 500 {
        span.fail();
    }
}

/// One structured line per request; nothing of its query, body or token.
fn log(seen: &Seen, method: &Method, status: u16, duration_us: u64) {
    let actor = seen.actor.as_ref();
    let level = actor.map_or("none", |actor| actor.level.name());
    let user = actor.and_then(|actor| actor.user).map(|id| id.to_string());
    let operator = actor
        .and_then(|actor| actor.operator)
        .map(|id| id.to_string());
    let client = actor
        .and_then(|actor| actor.client)
        .map(|id| id.to_string());
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                request.id = %seen.request,
                http.method = %method,
                http.route = seen.route,
                http.status = status,
                duration_us,
                actor.level = level,
                actor.user = user,
                actor.operator = operator,
                actor.client = client,
                "Request"
            )
        };
    }
    match status {
        500.. => line!(error),
        400..=499 => line!(warn),
        _ => line!(info),
    }
}

async fn route(
    gateway: &Arc<Gateway>,
    client: IpAddr,
    request: Request<Incoming>,
    seen: &mut Seen,
) -> Answer {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    let metrics = gateway.config.public_metrics;
    if let Some((page, answer)) = own_page(gateway, &parts.method, path, metrics) {
        seen.route = page;
        return answer;
    }
    let format = format_of(&parts.headers);
    if !gateway.config.takes_host(&parts) {
        let problems = Problem::new(421, "bad-request", "This host is not served here").into();
        return answer::refuse(&problems, seen.request.uuid(), format, &parts.headers, path);
    }
    if parts.method == Method::OPTIONS {
        seen.route = "preflight";
        return answer::preflight(path);
    }
    let in_time = gateway.config.read_timeout;
    if let Some(handler) = gateway
        .auth_route(path)
        .filter(|_| parts.method == Method::POST)
    {
        seen.route = if path.ends_with("revoke") {
            "auth/revoke"
        } else {
            "auth/token"
        };
        let read = read_form(&parts.headers, body, in_time);
        let outcome = auth(gateway, handler, &parts.headers, read, client, seen).await;
        return match outcome {
            Ok(json) => answer::respond(
                StatusCode::OK,
                "application/json;charset=UTF-8",
                json.to_string().into_bytes(),
                &parts.headers,
                path,
                gateway.config.compress_from,
            ),
            Err(problems) => answer::refuse(
                &problems,
                seen.request.uuid(),
                Format::Json,
                &parts.headers,
                path,
            ),
        };
    }
    let known = gateway.route(&parts.method, path);
    let open = gateway
        .open_route(path)
        .filter(|_| parts.method == Method::POST);
    let outcome = match known {
        None if let Some((name, handler)) = open => {
            seen.route = name.trim_start_matches("/v1/operator_api/");
            open_command(gateway, handler, &parts, body, format, seen.request).await
        }
        Some(route) => api(gateway, route, &parts, body, format, seen).await,
        None => Err(Problem::not_found().into()),
    };
    match outcome {
        Ok(bytes) => answer::respond(
            StatusCode::OK,
            format.content_type(),
            bytes,
            &parts.headers,
            path,
            gateway.config.compress_from,
        ),
        Err(problems) => {
            answer::refuse(&problems, seen.request.uuid(), format, &parts.headers, path)
        }
    }
}

const PLAIN: &str = "text/plain; charset=utf-8";

/// Health and metrics: the name of the page and the page.
fn own_page(
    gateway: &Gateway,
    method: &Method,
    path: &str,
    metrics: bool,
) -> Option<(&'static str, Answer)> {
    if method != Method::GET {
        return None;
    }
    let page = |status, text: &str| answer::text(status, PLAIN, text.to_owned());
    match path {
        "/healthz" => Some(("healthz", page(StatusCode::OK, "ok\n"))),
        "/readyz" if gateway.is_ready() => Some(("readyz", page(StatusCode::OK, "ready\n"))),
        "/readyz" => Some((
            "readyz",
            page(StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
        )),
        "/metrics" if metrics => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            Some((
                "metrics",
                answer::text(StatusCode::OK, kind, stoa_telemetry::metrics_text()),
            ))
        }
        _ => None,
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn format_of(headers: &HeaderMap) -> Format {
    let verbose = header(headers, "x-transit-verbose")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
    response_format(header(headers, header::ACCEPT.as_str()), verbose)
}

async fn read_form(
    headers: &HeaderMap,
    body: Incoming,
    in_time: std::time::Duration,
) -> Result<Form, Problems> {
    if request_kind(header(headers, header::CONTENT_TYPE.as_str())) != RequestKind::Form {
        return Err(unsupported().into());
    }
    body::check_declared(headers, FORM_LIMIT)?;
    let read = body::read(body, FORM_LIMIT, in_time).await?;
    Form::parse(&read.bytes)
}

fn unsupported() -> Problem {
    Problem::new(
        400,
        "unsupported-content-type",
        "The content type is not supported here",
    )
}

/// The token API: form in, JSON out.
async fn auth(
    gateway: &Arc<Gateway>,
    handler: AuthHandler,
    headers: &HeaderMap,
    form: impl Future<Output = Result<Form, Problems>>,
    client: IpAddr,
    seen: &mut Seen,
) -> Result<serde_json::Value, Problems> {
    let credentials = if seen.route == "auth/revoke" {
        let (caller, actor) = admit(gateway, headers, None, Action::RevokeToken, seen).await?;
        Some(
            gateway
                .access
                .credentials(&caller, &actor, Class::Command, seen.request),
        )
    } else {
        None
    };
    let call = AuthCall {
        gateway: Arc::clone(gateway),
        request: seen.request,
        form: form.await?,
        caller: credentials,
        source: client.to_string(),
    };
    handler(call).await
}

/// The token, its revocation, and the policy.
async fn admit(
    gateway: &Gateway,
    headers: &HeaderMap,
    api: Option<crate::routes::Api>,
    action: Action,
    seen: &mut Seen,
) -> Result<(Authenticated, Actor), Problems> {
    let caller = gateway
        .access
        .authenticate(headers, &gateway.contact, gateway.peers(), seen.request)
        .await?;
    seen.actor = Some(caller.token.actor.clone());
    let actor = gateway
        .access
        .admit(&caller, api, action, gateway.peers(), seen.request)
        .await?;
    Ok((caller, actor))
}

/// The three APIs.
async fn api(
    gateway: &Arc<Gateway>,
    route: &'static Route,
    parts: &http::request::Parts,
    body: Incoming,
    format: Format,
    seen: &mut Seen,
) -> Result<Vec<u8>, Problems> {
    seen.route = route.path;
    let limit = gateway.config.body_limit;
    let kind = request_kind(header(&parts.headers, header::CONTENT_TYPE.as_str()));
    if route.kind == Kind::Command {
        match kind {
            RequestKind::Transit | RequestKind::Json | RequestKind::Missing => {}
            RequestKind::Form | RequestKind::Multipart | RequestKind::Other => {
                return Err(unsupported().into());
            }
        }
        body::check_declared(&parts.headers, limit)?;
    }
    let (caller, actor) =
        admit(gateway, &parts.headers, Some(route.api), route.action, seen).await?;
    let read = match route.kind {
        Kind::Query => None,
        Kind::Command => Some(body::read(body, limit, gateway.config.read_timeout).await?),
    };
    let parsed = match &read {
        None => Body::empty(),
        Some(read) if read.bytes.is_empty() => Body::empty(),
        Some(_) if kind == RequestKind::Missing => return Err(unsupported().into()),
        Some(read) => Body::decode(kind, &read.bytes)?,
    };
    if read.is_some_and(|read| read.slow) {
        judge_again(gateway, &caller, route, seen).await?;
    }
    let class = match route.kind {
        Kind::Query => Class::Read,
        Kind::Command => Class::Command,
    };
    let credentials = gateway
        .access
        .credentials(&caller, &actor, class, seen.request);
    let call = Call {
        gateway: Arc::clone(gateway),
        credentials,
        query: Query::parse(parts.uri.query().unwrap_or(""))?,
        body: parsed,
    };
    let answer = run(gateway, route, call).await?;
    let related: Credentials =
        gateway
            .access
            .credentials(&caller, &actor, Class::Read, seen.request);
    answer.write(gateway, &related, format).await
}

/// A command without an access token: what is in its body proves who may. A service sees the gateway
/// itself, as before a login.
async fn open_command(
    gateway: &Arc<Gateway>,
    handler: Handler,
    parts: &http::request::Parts,
    body: Incoming,
    format: Format,
    request: RequestId,
) -> Result<Vec<u8>, Problems> {
    let kind = request_kind(header(&parts.headers, header::CONTENT_TYPE.as_str()));
    if !matches!(kind, RequestKind::Transit | RequestKind::Json) {
        return Err(unsupported().into());
    }
    body::check_declared(&parts.headers, FORM_LIMIT)?;
    let read = body::read(body, FORM_LIMIT, gateway.config.read_timeout).await?;
    let credentials = gateway.identity().own(Class::Command, request);
    let call = Call {
        gateway: Arc::clone(gateway),
        credentials,
        query: Query::parse(parts.uri.query().unwrap_or(""))?,
        body: Body::decode(kind, &read.bytes)?,
    };
    let answer = gateway
        .tasks
        .spawn(trace::carry(handler(call)))
        .await
        .unwrap_or_else(|_| Err(Problem::internal().into()))?;
    let related = gateway.identity().own(Class::Read, request);
    answer.write(gateway, &related, format).await
}

/// A body that came slowly leaves time for a ban or a logout.
async fn judge_again(
    gateway: &Gateway,
    caller: &Authenticated,
    route: &Route,
    seen: &Seen,
) -> Result<(), Problems> {
    if !gateway.access.is_still_good(caller) {
        return Err(Problem::invalid_token().into());
    }
    let api = Some(route.api);
    gateway
        .access
        .admit(caller, api, route.action, gateway.peers(), seen.request)
        .await?;
    Ok(())
}

/// Commands run on when their client hangs up.
async fn run(
    gateway: &Gateway,
    route: &'static Route,
    call: Call,
) -> Result<crate::render::Answer, Problems> {
    match route.kind {
        Kind::Query => (route.handler)(call).await,
        Kind::Command => gateway
            .tasks
            .spawn(trace::carry((route.handler)(call)))
            .await
            .unwrap_or_else(|_| Err(Problem::internal().into())),
    }
}
