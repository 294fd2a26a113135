//! Calls between processes over real sockets.

use crate::process::{
    BAN, Deployment, FOLLOW, Process, SHOW, call, call_held, local, peer_at, quick, request, send,
    until,
};
use futures::FutureExt as _;
use http_body_util::BodyExt as _;
use parking_lot::Mutex;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use stoa_rpc::{Peer, RemoteConfig, ServerConfig};
use stoa_telemetry::trace::{TraceContext, within};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;
use tonic::Code;
use tower::ServiceExt as _;

/// Two processes and a peer that is connected to both.
async fn two(d: &Deployment) -> (Process, Process, Peer) {
    let (one, two) = (d.process("one"), d.process("two"));
    let peer = peer_at(&[one.address, two.address], None);
    let counts = peer.counts().unwrap();
    until(|| counts.connections.get() == 2).await;
    (one, two, peer)
}

#[tokio::test]
async fn calls_are_spread_over_all_addresses() {
    let d = Deployment::new();
    let (one, two, peer) = two(&d).await;
    let mut answered = HashSet::new();
    while answered.len() < 2 {
        let outcome = call(&peer, SHOW, &d.read()).await;
        assert_eq!(outcome.code, Code::Ok);
        answered.extend(outcome.by);
    }
    assert!(one.calls() > 0 && two.calls() > 0);
}

#[tokio::test]
async fn a_call_takes_its_trace_along() {
    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    let d = Deployment::new();
    let one = d.process("one");
    let peer = peer_at(&[one.address], None);
    for (path, credentials) in [(SHOW, d.read()), (BAN, d.command())] {
        let context = TraceContext::parse(TRACE);
        let outcome = within(context, call(&peer, path, &credentials)).await;
        assert_eq!(outcome.trace.as_deref(), Some(TRACE), "{path}");
    }
    let outcome = call(&peer, SHOW, &d.read()).await;
    assert_eq!(
        outcome.trace.as_deref(),
        Some(""),
        "a call outside of any trace"
    );
    let text = stoa_telemetry::metrics_text();
    assert!(
        text.contains(r#"stoa_peer_connections{peer="users"}"#),
        "{text}"
    );
}

#[tokio::test]
async fn a_busy_address_gets_fewer_calls() {
    let d = Deployment::new();
    let (one, two, peer) = two(&d).await;
    let held = call_held(&peer, SHOW, d.read());
    until(|| one.calls() + two.calls() == 1).await;
    let (busy, free) = if one.calls() == 1 {
        (&one, &two)
    } else {
        (&two, &one)
    };
    for _ in 0..20 {
        assert!(call(&peer, SHOW, &d.read()).await.is_ok());
    }
    assert_eq!((busy.calls(), free.calls()), (1, 20));
    busy.release();
    assert!(held.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_dead_address_fails_no_read_and_comes_back() {
    let d = Deployment::new();
    let (one, _two, peer) = two(&d).await;
    let address = one.address;
    one.kill();
    for _ in 0..100 {
        assert!(call(&peer, SHOW, &d.read()).await.is_ok());
    }
    let again = d.process_with("again", ServerConfig::new(address, None));
    loop {
        let outcome = call(&peer, SHOW, &d.read()).await;
        assert_eq!(outcome.code, Code::Ok);
        if outcome.by.as_deref() == Some("again") {
            break;
        }
    }
    assert!(again.calls() > 0);
}

#[tokio::test]
async fn a_read_in_flight_is_made_again_and_a_command_is_not() {
    let d = Deployment::new();
    for (path, credentials) in [(SHOW, d.read()), (BAN, d.command())] {
        let (one, two, peer) = two(&d).await;
        let held = call_held(&peer, path, credentials);
        until(|| one.calls() + two.calls() == 1).await;
        let (hit, other) = if one.calls() == 1 {
            (one, two)
        } else {
            (two, one)
        };
        other.release();
        hit.kill();
        let outcome = held.await.unwrap();
        if path == SHOW {
            assert!(outcome.is_ok(), "{outcome:?}");
            assert_eq!(other.calls(), 1);
        } else {
            assert_eq!(outcome.code, Code::Unavailable);
            assert_eq!(other.calls(), 0);
        }
    }
}

#[tokio::test]
async fn a_command_is_made_again_only_if_the_peer_did_not_begin_with_it() {
    let d = Deployment::new();
    for (reason, path, repeated) in [
        (h2::Reason::REFUSED_STREAM, BAN, true),
        (h2::Reason::REFUSED_STREAM, SHOW, true),
        (h2::Reason::INTERNAL_ERROR, BAN, false),
        (h2::Reason::INTERNAL_ERROR, SHOW, true),
    ] {
        let listener = tokio::net::TcpListener::bind(local(0)).await.unwrap();
        let refusing = listener.local_addr().unwrap();
        let _refuses =
            tokio_util::task::AbortOnDropHandle::new(stoa_rpc::Tasks::new().spawn(async move {
                let (stream, _) = listener.accept().await.unwrap();
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((_, mut respond))) = connection.accept().await {
                    respond.send_reset(reason);
                }
            }));
        let good = d.process("good");
        let peer = peer_at(&[refusing, good.address], None);
        let counts = peer.counts().unwrap();
        until(|| counts.connections.get() == 2).await;
        let mut failed = 0;
        for _ in 0..20 {
            let credentials = if path == BAN { d.command() } else { d.read() };
            let outcome = call(&peer, path, &credentials).await;
            failed += usize::from(!outcome.is_ok());
        }
        assert_eq!(failed == 0, repeated, "{reason:?} {path}");
        assert_eq!(counts.retries.get() > 0, repeated, "{reason:?} {path}");
        assert_eq!(good.calls(), 20 - failed);
    }
}

#[tokio::test]
async fn processes_start_in_any_order() {
    let d = Deployment::new();
    let free = std::net::TcpListener::bind(local(0)).unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let peer = peer_at(&[address], None);
    let credentials = d.read();
    let mut early = call(&peer, SHOW, &credentials).boxed();
    assert!(futures::poll!(&mut early).is_pending());
    let _one = d.process_with("one", ServerConfig::new(address, None));
    assert!(early.await.is_ok());
}

#[tokio::test]
async fn a_process_that_listens_and_does_not_serve_gets_no_calls() {
    let d = Deployment::new();
    let silent = tokio::net::TcpListener::bind(local(0)).await.unwrap();
    let good = d.process("good");
    let addresses = [silent.local_addr().unwrap(), good.address];
    let peer = peer_at(&addresses, None);
    // Its side of the connection is there.
    let _connection = silent.accept().await.unwrap();
    for _ in 0..20 {
        assert!(call(&peer, SHOW, &d.read()).await.is_ok());
    }
    assert_eq!(good.calls(), 20);
    assert_eq!(peer.counts().unwrap().retries.get(), 0);
}

#[tokio::test]
async fn a_peer_that_stays_away_is_unavailable_soon() {
    let d = Deployment::new();
    let free = std::net::TcpListener::bind(local(0)).unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let mut config = RemoteConfig::new("users", vec![address.to_string()], None);
    config.timing.patience = Duration::from_millis(50);
    let peer = Peer::remote(config);
    let outcome = call(&peer, SHOW, &d.read()).await;
    assert_eq!(outcome.code, Code::Unavailable);
    // It has been away for long enough: nobody waits for it any more.
    let credentials = d.read();
    let second = call(&peer, SHOW, &credentials);
    let second = tokio::time::timeout(Duration::from_millis(40), second);
    assert_eq!(second.await.unwrap().code, Code::Unavailable);
    assert_eq!(peer.counts().unwrap().failures.get(), 2);
}

#[tokio::test]
async fn new_addresses_of_a_name_are_used_and_old_ones_left() {
    let d = Deployment::new();
    let (one, two) = (d.process("one"), d.process("two"));
    let name = Arc::new(Mutex::new(vec![one.address]));
    let mut config = RemoteConfig::new("users", vec!["users.example:1".into()], None);
    config.timing = quick();
    let listed = Arc::clone(&name);
    config.resolver = Arc::new(move |_| {
        let now = listed.lock().clone();
        Box::pin(async move { Ok(now) })
    });
    let peer = Peer::remote(config);
    assert_eq!(
        call(&peer, SHOW, &d.read()).await.by.as_deref(),
        Some("one")
    );
    let held = call_held(&peer, SHOW, d.read());
    one.reached(2).await;
    *name.lock() = vec![two.address];
    let counts = peer.counts().unwrap();
    two.counts_connections(1).await;
    until(|| counts.addresses.get() == 1).await;
    for _ in 0..20 {
        let outcome = call(&peer, SHOW, &d.read()).await;
        assert_eq!(outcome.by.as_deref(), Some("two"));
    }
    // What ran at the old address ends there.
    one.release();
    assert_eq!(held.await.unwrap().by.as_deref(), Some("one"));
    until(|| one.counts.connections.get() == 0).await;
}

#[tokio::test]
async fn a_lost_connection_ends_streams_at_once() {
    let d = Deployment::new();
    let one = d.process("one");
    let peer = peer_at(&[one.address], None).streaming();
    let answer = peer.oneshot(request(FOLLOW, &d.own())).await.unwrap();
    let mut body = answer.into_body();
    assert!(body.frame().await.unwrap().unwrap().is_data());
    one.kill();
    let error = body.frame().await.unwrap().unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
}

/// A way to an address that can be cut: bytes vanish, nobody is told.
async fn cuttable(to: std::net::SocketAddr) -> (std::net::SocketAddr, watch::Sender<bool>) {
    let listener = tokio::net::TcpListener::bind(local(0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let cut = watch::Sender::new(false);
    let is_cut = cut.subscribe();
    let tasks = stoa_rpc::Tasks::new();
    tasks.clone().spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = tokio::net::TcpStream::connect(to).await.unwrap();
            let (near, far) = (near.into_split(), far.into_split());
            tasks.spawn(carry(near.0, far.1, is_cut.clone()));
            tasks.spawn(carry(far.0, near.1, is_cut.clone()));
        }
    });
    (address, cut)
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut cut: watch::Receiver<bool>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        if *cut.borrow() {
            // Neither side learns anything before the way is whole again.
            let _ = cut.wait_for(|cut| !cut).await;
            return;
        }
        if to.write_all(&buffer[..n]).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_cut_network_is_noticed_by_missing_signs_of_life() {
    let d = Deployment::new();
    let one = d.process("one");
    let (address, cut) = cuttable(one.address).await;
    let mut config = RemoteConfig::new("users", vec![address.to_string()], None);
    config.timing.keep_alive = Duration::from_millis(50);
    config.timing.keep_alive_timeout = Duration::from_millis(100);
    config.timing.patience = Duration::from_millis(50);
    let peer = Peer::remote(config);
    let streams = peer.clone().streaming();
    let mut stream = streams.oneshot(request(FOLLOW, &d.own())).await.unwrap();
    assert!(stream.body_mut().frame().await.unwrap().unwrap().is_data());
    let held = call_held(&peer, BAN, d.command());
    one.reached(2).await;
    cut.send_replace(true);
    let error = stream.body_mut().frame().await.unwrap().unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    assert_eq!(held.await.unwrap().code, Code::Unavailable);
    // Whole again, it is used again.
    cut.send_replace(false);
    while !call(&peer, SHOW, &d.read()).await.is_ok() {}
}

// contract: security S65
#[tokio::test]
async fn no_plain_text_leaves_the_machine() {
    let d = Deployment::new();
    let mut config = RemoteConfig::new("users", vec!["192.0.2.1:9090".into()], None);
    config.timing.patience = Duration::from_millis(50);
    let peer = Peer::remote(config);
    let outcome = call(&peer, SHOW, &d.read()).await;
    assert_eq!(outcome.code, Code::Unavailable);
    // Refused before anything was sent, not after the time that connecting may take.
    assert!(peer.counts().unwrap().connect_failures.get() > 0);
}

#[tokio::test]
async fn a_name_that_gets_its_first_address_late_is_found() {
    let d = Deployment::new();
    let one = d.process("one");
    let name = Arc::new(Mutex::new(vec![]));
    let mut config = RemoteConfig::new("users", vec!["users.example:1".into()], None);
    config.timing.resolve_every = Duration::from_secs(3_600);
    config.timing.patience = Duration::from_secs(60);
    let (listed, asked) = (Arc::clone(&name), watch::Sender::new(0));
    let counted = asked.clone();
    config.resolver = Arc::new(move |_| {
        let now = listed.lock().clone();
        counted.send_modify(|n| *n += 1);
        Box::pin(async move { Ok(now) })
    });
    let peer = Peer::remote(config);
    asked.subscribe().wait_for(|n| *n > 0).await.unwrap();
    *name.lock() = vec![one.address];
    assert!(call(&peer, SHOW, &d.read()).await.is_ok());
}

#[tokio::test]
async fn a_call_ends_at_its_deadline() {
    let d = Deployment::new();
    let one = d.process("one");
    let peer = peer_at(&[one.address], None);
    let mut read = request(SHOW, &d.read());
    read.headers_mut().insert("x-hold", "1".parse().unwrap());
    read.headers_mut()
        .insert("grpc-timeout", "50m".parse().unwrap());
    assert_eq!(send(&peer, read).await.code, Code::DeadlineExceeded);
    until(|| one.dropped() == 1).await;
    until(|| one.counts.running.get() == 0).await;
}

#[tokio::test]
async fn a_command_runs_to_its_end_when_its_caller_waits_no_longer() {
    let d = Deployment::new();
    let one = d.process("one");
    let peer = peer_at(&[one.address], None);
    let mut command = request(BAN, &d.command());
    command.headers_mut().insert("x-hold", "1".parse().unwrap());
    command
        .headers_mut()
        .insert("grpc-timeout", "50m".parse().unwrap());
    assert_eq!(send(&peer, command).await.code, Code::DeadlineExceeded);
    // It still takes up its place.
    assert_eq!(one.counts.running.get(), 1);
    one.release();
    one.tasks.shut_down().await;
    assert_eq!(one.dropped(), 0);
    assert_eq!(one.counts.running.get(), 0);
}

#[tokio::test]
async fn what_is_too_much_is_turned_away_and_goes_elsewhere() {
    let d = Deployment::new();
    let mut config = ServerConfig::new(local(0), None);
    config.max_concurrent = 1;
    let (one, two) = (d.process_with("one", config), d.process("two"));
    let alone = peer_at(&[one.address], None);
    let held = call_held(&alone, SHOW, d.read());
    one.reached(1).await;
    assert_eq!(call(&alone, SHOW, &d.read()).await.code, Code::Unavailable);
    assert!(one.counts.shed.get() > 0);
    // Streams are not counted among the calls.
    let streams = alone.clone().streaming();
    let stream = streams.oneshot(request(FOLLOW, &d.own())).await.unwrap();
    assert!(!stream.headers().contains_key("stoa-shed"));

    let both = peer_at(&[one.address, two.address], None);
    let counts = both.counts().unwrap();
    until(|| counts.connections.get() == 2).await;
    while counts.shed.get() == 0 {
        assert!(call(&both, SHOW, &d.read()).await.is_ok());
        assert!(call(&both, BAN, &d.command()).await.is_ok());
    }
    one.release();
    assert!(held.await.unwrap().is_ok());
    assert!(call(&alone, SHOW, &d.read()).await.is_ok());
}

#[tokio::test]
async fn a_stopping_process_finishes_its_calls_and_ends_its_streams() {
    let d = Deployment::new();
    let (one, two) = (d.process("one"), d.process("two"));
    let alone = peer_at(&[one.address], None);
    let held = call_held(&alone, SHOW, d.read());
    let streams = alone.clone().streaming();
    let mut stream = streams.oneshot(request(FOLLOW, &d.own())).await.unwrap();
    one.reached(2).await;
    assert!(stream.body_mut().frame().await.unwrap().unwrap().is_data());
    let both = peer_at(&[one.address, two.address], None);
    let counts = both.counts().unwrap();
    until(|| counts.connections.get() == 2).await;

    let tasks = one.tasks.clone();
    let stopped = stoa_rpc::Tasks::new().spawn(async move { tasks.shut_down().await });
    let end = stream.body_mut().frame().await.unwrap().unwrap();
    let status = tonic::Status::from_header_map(end.trailers_ref().unwrap()).unwrap();
    assert_eq!(status.code(), Code::Unavailable);
    for _ in 0..50 {
        assert!(call(&both, SHOW, &d.read()).await.is_ok());
        assert!(call(&both, BAN, &d.command()).await.is_ok());
    }
    assert!(!stopped.is_finished());
    one.release();
    assert!(held.await.unwrap().is_ok());
    stopped.await.unwrap();
}

/// Makes calls from several sides at once until `done`; returns how many failed.
async fn load(
    d: &Arc<Deployment>,
    peer: &Peer,
    path: &'static str,
    done: &watch::Sender<bool>,
) -> usize {
    let tasks = stoa_rpc::Tasks::new();
    let callers: Vec<_> = (0..16)
        .map(|_| {
            let (d, peer, done) = (Arc::clone(d), peer.clone(), done.subscribe());
            tasks.spawn(async move {
                let mut failed = 0;
                while !*done.borrow() {
                    let credentials = if path == BAN { d.command() } else { d.read() };
                    let outcome = call(&peer, path, &credentials).await;
                    failed += usize::from(!outcome.is_ok());
                }
                failed
            })
        })
        .collect();
    let mut failed = 0;
    for caller in callers {
        failed += caller.await.unwrap();
    }
    failed
}

#[tokio::test]
async fn under_load_a_stop_fails_no_command_and_a_kill_fails_no_read() {
    let d = Arc::new(Deployment::new());
    for (path, kill) in [(BAN, false), (SHOW, false), (SHOW, true)] {
        let (one, two, peer) = two(&d).await;
        let done = watch::Sender::new(false);
        let disturb = async {
            one.reached(100).await;
            if kill {
                one.kill();
            } else {
                one.tasks.shut_down().await;
            }
            let now = two.calls();
            two.reached(now + 200).await;
            done.send_replace(true);
        };
        let (failed, ()) = futures::join!(load(&d, &peer, path, &done), disturb);
        assert_eq!(failed, 0, "{path}, killed: {kill}");
    }
}

#[tokio::test]
async fn connections_beyond_the_limit_and_silent_ones_are_closed() {
    let d = Deployment::new();
    let mut config = ServerConfig::new(local(0), None);
    config.max_connections = 1;
    config.handshake = Duration::from_millis(200);
    let one = d.process_with("one", config);
    let mut silent = tokio::net::TcpStream::connect(one.address).await.unwrap();
    one.counts_connections(1).await;
    let mut second = tokio::net::TcpStream::connect(one.address).await.unwrap();
    assert_eq!(second.read(&mut [0; 64]).await.unwrap_or(0), 0);
    assert_eq!(one.counts.refused_connections.get(), 1);
    // The first never says a word; its place is free again soon.
    let mut greeting = Vec::new();
    let _ = silent.read_to_end(&mut greeting).await;
    until(|| one.counts.connections.get() == 0).await;
    assert_eq!(one.counts.failed_handshakes.get(), 1);
    let peer = peer_at(&[one.address], None);
    assert!(call(&peer, SHOW, &d.read()).await.is_ok());
}

#[tokio::test]
async fn a_message_that_does_not_arrive_holds_its_place_for_a_while_only() {
    let d = Deployment::new();
    let mut config = ServerConfig::new(local(0), None);
    config.max_concurrent = 1;
    config.arrival = Duration::from_millis(300);
    let one = d.process_with("one", config);
    let stream = tokio::net::TcpStream::connect(one.address).await.unwrap();
    let (mut sender, connection) = h2::client::handshake(stream).await.unwrap();
    stoa_rpc::Tasks::new().spawn(async move {
        let _ = connection.await;
    });
    let uri = format!("http://users{SHOW}");
    let slow = request(&uri, &d.read()).map(|_| ());
    let (answer, _rest_never_comes) = sender.send_request(slow, false).unwrap();
    until(|| one.counts.running.get() == 1).await;
    let answer = answer.await.unwrap();
    let status = tonic::Status::from_header_map(answer.headers()).unwrap();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!((one.calls(), one.counts.running.get()), (0, 0));
    let peer = peer_at(&[one.address], None);
    assert!(call(&peer, SHOW, &d.read()).await.is_ok());
}

// contract: security S65
#[tokio::test]
async fn without_tls_only_the_loopback_is_served() {
    for (address, served) in [("0.0.0.0", false), ("::", false), ("127.0.0.1", true)] {
        let config = ServerConfig::new(
            (address.parse::<std::net::IpAddr>().unwrap(), 0).into(),
            None,
        );
        assert_eq!(stoa_rpc::RpcServer::bind(config).await.is_ok(), served);
    }
}

#[tokio::test]
async fn descriptors_are_served_only_where_that_is_set() {
    use tonic_reflection::pb::v1::ServerReflectionRequest;
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
    let d = Deployment::new();
    for reflection in [false, true] {
        let mut config = ServerConfig::new(local(0), None);
        config.reflection = reflection;
        let one = d.process_with("one", config);
        let mut client = ServerReflectionClient::new(peer_at(&[one.address], None).streaming());
        let ask = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let asked = client
            .server_reflection_info(futures::stream::iter([ask]))
            .await;
        assert_eq!(asked.is_ok(), reflection);
        let Ok(answers) = asked else { continue };
        let answer = answers.into_inner().message().await.unwrap().unwrap();
        let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
            panic!("{answer:?}");
        };
        let names: Vec<_> = list.service.into_iter().map(|s| s.name).collect();
        assert!(
            names.iter().any(|name| name == "stoa.users.v1.Users"),
            "{names:?}"
        );
    }
}
