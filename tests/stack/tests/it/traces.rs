//! One trace from a request to the last effect of what it changed, as a collector sees it.

use crate::soon;
use crate::world::World;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::json;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use stoa_telemetry::trace::{TraceSettings, export_traces};
use stoa_testkit::callers::PASSWORD;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// A collector that keeps what it gets, each span with the name of the process that sent it.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<(String, Span)>>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for sent in request.into_inner().resource_spans {
            let process = name_of(sent.resource);
            let spans = sent.scope_spans.into_iter().flat_map(|scope| scope.spans);
            let named = spans.map(|span| (process.clone(), span));
            self.0.lock().unwrap().extend(named);
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

/// The name of the process that a resource stands for.
fn name_of(resource: Option<Resource>) -> String {
    let attributes = resource.unwrap_or_default().attributes;
    let name = attributes.into_iter().find(|a| a.key == "service.name");
    match name.and_then(|name| name.value?.value) {
        Some(Value::StringValue(name)) => name,
        other => panic!("a resource without a name: {other:?}"),
    }
}

impl Collector {
    /// Starts receiving; gives the address, and what ends it when it is dropped.
    async fn receive(&self) -> (String, JoinSet<Result<(), tonic::transport::Error>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let mut receiving = JoinSet::new();
        receiving.spawn(
            Server::builder()
                .add_service(TraceServiceServer::new(self.clone()))
                .serve_with_incoming(TcpIncoming::from(listener)),
        );
        (endpoint, receiving)
    }

    /// The traces that begin with a span of that name. Other tests of this process may be traced,
    /// too.
    fn traces(&self, root: &str) -> Vec<Trace> {
        let spans = self.0.lock().unwrap();
        let roots = spans
            .iter()
            .filter(|(_, span)| span.parent_span_id.is_empty() && span.name == root);
        roots
            .map(|(_, root)| {
                let of_trace = spans.iter().filter(|(_, s)| s.trace_id == root.trace_id);
                let by_id = of_trace
                    .map(|(process, span)| (span.span_id.clone(), (process.clone(), span.clone())));
                Trace(by_id.collect())
            })
            .collect()
    }
}

/// The spans of one trace by their ids, with their processes.
struct Trace(HashMap<Vec<u8>, (String, Span)>);

impl Trace {
    fn has(&self, name: &str) -> bool {
        self.0.values().any(|(_, span)| span.name == name)
    }

    /// The processes that sent spans of this name.
    fn processes(&self, name: &str) -> BTreeSet<&str> {
        let named = self.0.values().filter(|(_, span)| span.name == name);
        named.map(|(process, _)| process.as_str()).collect()
    }

    /// The names from a span up to the root, nothing when a span on the way is missing.
    fn way_up(&self, name: &str) -> Option<Vec<&str>> {
        let mut span = &self.0.values().find(|(_, span)| span.name == name)?.1;
        let mut names = vec![span.name.as_str()];
        while !span.parent_span_id.is_empty() {
            span = &self.0.get(&span.parent_span_id)?.1;
            names.push(&span.name);
        }
        Some(names)
    }

    fn is_whole(&self) -> bool {
        self.0.values().all(|(_, span)| {
            span.parent_span_id.is_empty() || self.0.contains_key(&span.parent_span_id)
        })
    }
}

const SIGN_UP: &str = "POST current_user/create";
const CALL: &str = "stoa.users.v1.Users/CreateCurrent";

/// Services that take the sign-up from the feed of users.
const CONSUMERS: [&str; 4] = ["auth", "listings", "transactions", "event-log"];

/// The whole trace of a sign-up, from the request to the last consumer.
async fn sign_up(collector: &Collector) -> Trace {
    let complete = |trace: &Trace| {
        let consumed = |service| trace.has(&format!("{service} user.created"));
        trace.is_whole() && CONSUMERS.iter().all(consumed)
    };
    soon(async || collector.traces(SIGN_UP).iter().any(complete)).await;
    let trace = collector
        .traces(SIGN_UP)
        .into_iter()
        .find(complete)
        .unwrap();
    // The caller's span and the service's, then the transaction, then its statements.
    for statement in ["INSERT outbox", "INSERT users"] {
        let way = trace.way_up(statement).unwrap();
        assert_eq!(way, [statement, "WRITE users", CALL, CALL, SIGN_UP]);
    }
    for service in CONSUMERS {
        let consumer = format!("{service} user.created");
        let way = trace.way_up(&consumer).unwrap();
        assert!(way.ends_with(&[CALL, CALL, SIGN_UP]), "{way:?}");
        let schema = service.replace('-', "_");
        let write = trace
            .way_up(&format!("WRITE {schema}"))
            .or_else(|| trace.way_up(&format!("WRITE {service}")));
        assert_eq!(write.unwrap()[1], consumer, "what it does stands below");
    }
    trace
}

// contract: security S68 (traces)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_up_and_a_ban_are_one_trace_each_to_their_last_effect() {
    let collector = Collector::default();
    let (endpoint, _receiving) = collector.receive().await;
    let export = export_traces(&TraceSettings {
        endpoint,
        sample: 1.0,
        service_name: "stoa-tests".to_owned(),
    })
    .unwrap();

    let world = World::start().await;
    let fields = json!({ "email": "marked-address@example.com", "lastName": "Markedlast" });
    let person = world.sign_up_with("markedname", fields).await;
    let listing = world.listing(&person, "markedtitle").await;
    let operator = world.operator().await.access;
    world.operate(&operator, "ban", &person.id).await;
    world.settle().await;

    sign_up(&collector).await;

    // A ban: the job of listings that works on it, and the public log's note of that.
    let last = "event-log listing.deleted";
    let banned = || {
        let traces = collector.traces("POST users/ban");
        traces
            .into_iter()
            .find(|trace| trace.is_whole() && trace.has(last))
    };
    soon(async || banned().is_some()).await;
    let trace = banned().unwrap();
    let way = trace.way_up(last).unwrap();
    assert!(way.contains(&"listings user.banned"), "{way:?}");

    // The figures of the same work: every part counts, and nobody is named.
    let metrics = stoa_telemetry::metrics_text();
    for series in [
        r#"stoa_http_requests_total{route="current_user/create",status="200"}"#,
        r#"stoa_rpc_requests_total{service="users",rpc="Users/CreateCurrent",code="Ok"}"#,
        r#"stoa_rpc_duration_seconds_count{service="users",rpc="Users/CreateCurrent"}"#,
        r#"stoa_feed_lag_positions{service="listings",owner="users",cursor="users"} 0"#,
        r#"stoa_feed_lag_seconds{service="listings",owner="users",cursor="users"}"#,
        r#"stoa_feed_contact_age_seconds{follower="gateway",owner="auth"}"#,
        r#"stoa_sequencer_pass_age_seconds{service="users"}"#,
        r#"stoa_revocation_lag_seconds_count{owner="users"}"#,
        r#"stoa_job_age_seconds{service="listings",job="remove listings"}"#,
        r#"stoa_db_operation_duration_seconds_count{database="users",operation="write"}"#,
        r#"stoa_db_connections_limit{database="users"}"#,
        "stoa_timer_lag_seconds 0",
        "stoa_password_hashes_waiting 0",
    ] {
        assert!(metrics.contains(series), "{series}\n{metrics}");
    }

    export.flush().await;
    let spans = collector.0.lock().unwrap();
    let all = format!("{spans:?}").to_lowercase();
    let secrets = ["marked", &person.id, &listing, person.token(), PASSWORD];
    for secret in secrets {
        assert!(!metrics.to_lowercase().contains(&secret.to_lowercase()));
        assert!(!all.contains(&secret.to_lowercase()), "{secret}");
    }
}

mod distributed {
    use super::*;
    use stoa_testkit::cluster::{Cluster, Setup};

    // contract: security S68 (traces)
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_sign_up_is_one_trace_through_the_processes_that_work_on_it() {
        let collector = Collector::default();
        let (endpoint, _receiving) = collector.receive().await;
        let setting = |key: &str, value: &str| (format!("STOA_TELEMETRY__{key}"), value.to_owned());
        let cluster = Cluster::start(Setup {
            environment: vec![
                setting("OTLP_ENDPOINT", &endpoint),
                setting("SAMPLE", "1.0"),
            ],
            ..Setup::default()
        })
        .await;
        cluster.marketplace(0).sign_up("traced").await;
        let trace = sign_up(&collector).await;
        assert_eq!(trace.processes(SIGN_UP), ["stoa-gateway"].into());
        assert_eq!(trace.processes(CALL), ["stoa-gateway", "stoa-users"].into());
        for statement in ["INSERT outbox", "INSERT users", "WRITE users"] {
            assert_eq!(
                trace.processes(statement),
                ["stoa-users"].into(),
                "{statement}"
            );
        }
        for service in CONSUMERS {
            let process = format!("stoa-{service}");
            let consumer = format!("{service} user.created");
            assert_eq!(trace.processes(&consumer), [process.as_str()].into());
        }
        cluster.stop().await;
    }
}
