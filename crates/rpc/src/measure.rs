//! Where calls meet traces and metrics.

use crate::transport::{PeerCounts, ServerCounts};
use std::sync::Arc;
use stoa_telemetry::trace::{self, Kind, Span, TraceContext};
use stoa_telemetry::{PeerFigures, RpcCounter, ServerFigures, metrics, on_scrape};
use tokio::time::Instant;
use tonic::Code;
use tonic::body::Body;

/// Names the trace in a call that goes out; gives the span of the call where it is recorded.
pub(crate) fn outgoing(request: &mut http::Request<Body>) -> Option<Span> {
    let span = Span::step(Kind::Client, || name(request.uri().path()));
    trace::outgoing(span.context()?, request.headers_mut());
    span.is_recording().then_some(span)
}

/// A call that came in. Dropped without an answer, it counts as cancelled.
pub(crate) struct Arrived {
    counter: RpcCounter,
    span: Span,
    started: Instant,
    code: Code,
}

impl Arrived {
    /// The call that the headers tell of.
    pub(crate) fn new(request: &http::Request<Body>, counter: RpcCounter) -> Self {
        Self {
            span: incoming(request),
            counter,
            started: Instant::now(),
            code: Code::Cancelled,
        }
    }

    /// What the handler runs under.
    pub(crate) const fn context(&self) -> Option<TraceContext> {
        self.span.context()
    }

    /// The call is answered.
    pub(crate) fn answered(mut self, answer: &http::Response<Body>) {
        self.code = code_of(answer);
    }
}

impl Drop for Arrived {
    fn drop(&mut self) {
        self.counter
            .answered(code_name(self.code), self.started.elapsed());
        note_code(&mut self.span, self.code);
    }
}

/// The span of a call that came in.
pub(crate) fn incoming(request: &http::Request<Body>) -> Span {
    let context = trace::incoming(request.headers());
    Span::remote(context, Kind::Server, || name(request.uri().path()))
}

/// Notes how a call ended.
pub(crate) fn note_answer(span: &mut Span, answer: &http::Response<Body>) {
    note_code(span, code_of(answer));
}

fn note_code(span: &mut Span, code: Code) {
    if !span.is_recording() {
        return;
    }
    span.set("rpc.system", "grpc");
    span.set("rpc.grpc.status_code", i64::from(i32::from(code)));
    if matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    ) {
        span.fail();
    }
}

/// `stoa.users.v1.Users/Show`: the path of an RPC of ours, from generated code on both sides.
fn name(path: &str) -> String {
    path.trim_start_matches('/').to_owned()
}

/// The name of an RPC as a label: without its package.
pub(crate) fn label(path: &'static str) -> &'static str {
    path.rsplit_once('.').map_or(path, |(_, name)| name)
}

/// A refusal says its code in the head of the answer; where there is none, a message follows.
fn code_of(answer: &http::Response<Body>) -> Code {
    answer
        .headers()
        .get("grpc-status")
        .map_or(Code::Ok, |value| Code::from_bytes(value.as_bytes()))
}

const fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "Ok",
        Code::Cancelled => "Cancelled",
        Code::Unknown => "Unknown",
        Code::InvalidArgument => "InvalidArgument",
        Code::DeadlineExceeded => "DeadlineExceeded",
        Code::NotFound => "NotFound",
        Code::AlreadyExists => "AlreadyExists",
        Code::PermissionDenied => "PermissionDenied",
        Code::ResourceExhausted => "ResourceExhausted",
        Code::FailedPrecondition => "FailedPrecondition",
        Code::Aborted => "Aborted",
        Code::OutOfRange => "OutOfRange",
        Code::Unimplemented => "Unimplemented",
        Code::Internal => "Internal",
        Code::Unavailable => "Unavailable",
        Code::DataLoss => "DataLoss",
        Code::Unauthenticated => "Unauthenticated",
    }
}

/// Shows the figures of the calls to a peer, as long as there are any.
pub(crate) fn show_peer(peer: &'static str, counts: &Arc<PeerCounts>) {
    let counts = Arc::downgrade(counts);
    on_scrape(move || {
        let Some(counts) = counts.upgrade() else {
            return false;
        };
        metrics().rpc.set_peer(
            peer,
            &PeerFigures {
                addresses: counts.addresses.get(),
                connections: counts.connections.get(),
                running: counts.running.get(),
                calls: counts.calls.get(),
                retries: counts.retries.get(),
                failures: counts.failures.get(),
                shed: counts.shed.get(),
                connect_failures: counts.connect_failures.get(),
            },
        );
        true
    });
}

/// Shows the figures of the server, as long as it lives.
pub(crate) fn show_server(counts: &Arc<ServerCounts>) {
    let counts = Arc::downgrade(counts);
    on_scrape(move || {
        let Some(counts) = counts.upgrade() else {
            return false;
        };
        metrics().rpc.set_server(&ServerFigures {
            connections: counts.connections.get(),
            running: counts.running.get(),
            streams: counts.streams.get(),
            shed: counts.shed.get(),
            refused_connections: counts.refused_connections.get(),
            failed_handshakes: counts.failed_handshakes.get(),
        });
        true
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_telemetry::trace::within;
    use tonic::Status;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

    #[tokio::test]
    async fn a_call_names_the_trace_it_belongs_to_and_no_other() {
        let request = || http::Request::new(Body::empty());
        let mut inside = request();
        let context = TraceContext::parse(PARENT);
        within(context, async { outgoing(&mut inside) }).await;
        assert_eq!(inside.headers()["traceparent"], PARENT);
        assert_eq!(incoming(&inside).context(), context);
        let mut outside = request();
        assert!(outgoing(&mut outside).is_none());
        assert!(!outside.headers().contains_key("traceparent"));
    }

    #[test]
    fn calls_are_counted_under_the_code_of_their_answer() {
        let request = http::Request::new(Body::empty());
        let counter = metrics().rpc.of("tests", "Tests/Count");
        let arrived = || Arrived::new(&request, counter.clone());
        arrived().answered(&http::Response::new(Body::empty()));
        arrived().answered(&Status::not_found("x").into_http());
        drop(arrived());
        let text = stoa_telemetry::metrics_text();
        for code in ["Ok", "NotFound", "Cancelled"] {
            let line = format!(
                r#"stoa_rpc_requests_total{{service="tests",rpc="Tests/Count",code="{code}"}} 1"#
            );
            assert!(text.contains(&line), "{line}\n{text}");
        }
        assert_eq!(label("/stoa.users.v1.Users/Show"), "Users/Show");
    }
}
