use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::Span as Exported;
use std::net::SocketAddr;
use std::time::Duration;
use stoa_telemetry::metrics_text;
use stoa_telemetry::trace::{Kind, NotExporting, Span, TraceContext, TraceSettings, export_traces};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};
use uuid::Uuid;

/// A collector that hands on what it gets.
struct Collector(mpsc::UnboundedSender<(String, Exported)>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for resource in request.into_inner().resource_spans {
            let name = format!("{:?}", resource.resource);
            for span in resource.scope_spans.into_iter().flat_map(|s| s.spans) {
                let _ = self.0.send((name.clone(), span));
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

/// How many spans had that fate.
fn spans(fate: &str) -> u64 {
    let series = format!(r#"stoa_trace_spans_total{{fate="{fate}"}} "#);
    let text = metrics_text();
    text.lines()
        .find_map(|line| line.strip_prefix(series.as_str()))
        .map_or(0, |count| count.parse().unwrap())
}

fn dropped() -> u64 {
    spans("dropped")
}

fn settings(address: SocketAddr) -> TraceSettings {
    TraceSettings {
        endpoint: format!("http://{address}"),
        sample: 1.0,
        service_name: "stoa-tests".to_owned(),
    }
}

// One test: a process exports once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_wait_for_no_collector_and_reach_it_once_it_is_there() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let export = export_traces(&settings(address)).unwrap();
    let again = export_traces(&settings(address));
    assert!(matches!(again, Err(NotExporting::AlreadySet)));

    // Nobody listens. Many more spans than there is room for are taken without a wait.
    let started = Instant::now();
    for n in 0..20_000_u128 {
        Span::request("early", Uuid::from_u128(n + 1)).end();
    }
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(dropped() > 0, "a queue has an end");

    let (sender, mut received) = mpsc::unbounded_channel();
    let mut collector = JoinSet::new();
    let listener = TcpListener::bind(address).await.unwrap();
    collector.spawn(
        Server::builder()
            .add_service(TraceServiceServer::new(Collector(sender)))
            .serve_with_incoming(TcpIncoming::from(listener)),
    );
    let seen = async { received.recv().await.unwrap() };
    let (resource, span) = tokio::time::timeout(Duration::from_secs(30), seen)
        .await
        .unwrap();
    assert!(resource.contains("stoa-tests"), "{resource}");
    assert_eq!(span.name, "early");
    let all = async {
        while spans("sent") + dropped() < 20_000 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), all)
        .await
        .unwrap();

    // What is under way at the end still arrives, with what was said of it.
    let id = Uuid::from_u128(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
    let other = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let mut first = Span::request("first", id);
    first.link(TraceContext::parse(other).unwrap());
    first
        .around(async {
            let mut step = Span::step(Kind::Client, || "step");
            step.set("rpc.system", "grpc");
            step.fail();
        })
        .await;
    first.end();
    export.flush().await;
    let mut last = Vec::new();
    while let Ok((_, span)) = received.try_recv() {
        if span.trace_id == id.as_bytes() {
            last.push(span);
        }
    }
    let [step, first] = last.as_slice() else {
        panic!("{last:?}");
    };
    assert_eq!((step.name.as_str(), first.name.as_str()), ("step", "first"));
    assert_eq!(step.parent_span_id, first.span_id);
    assert!(first.parent_span_id.is_empty());
    assert_eq!(step.attributes[0].key, "rpc.system");
    assert_eq!(step.status.as_ref().unwrap().code, 2, "an error");
    assert_eq!(first.links[0].trace_id[0], 0x0a);
    assert!(step.start_time_unix_nano <= step.end_time_unix_nano);

    // After the end nothing waits and nothing breaks.
    let before = dropped();
    Span::request("late", id).end();
    assert_eq!(dropped(), before + 1);
}
