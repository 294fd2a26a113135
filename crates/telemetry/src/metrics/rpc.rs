//! Calls between services.

use super::Shelf;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    service: &'static str,
    rpc: &'static str,
    code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Rpc {
    service: &'static str,
    rpc: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    service: &'static str,
    sender: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfPeer {
    peer: &'static str,
}

/// Rate, errors and duration of calls per RPC, on the side of the service; and the connections to
/// other processes.
pub struct RpcMetrics {
    calls: Family<Call, Counter>,
    durations: Family<Rpc, Histogram>,
    refused: Family<Refused, Counter>,
    peer_addresses: Family<OfPeer, Gauge>,
    peer_connections: Family<OfPeer, Gauge>,
    peer_running: Family<OfPeer, Gauge>,
    peer_calls: Family<OfPeer, Counter>,
    peer_retries: Family<OfPeer, Counter>,
    peer_failures: Family<OfPeer, Counter>,
    peer_shed: Family<OfPeer, Counter>,
    peer_connect_failures: Family<OfPeer, Counter>,
    server_connections: Gauge,
    server_running: Gauge,
    server_streams: Gauge,
    server_shed: Counter,
    server_refused_connections: Counter,
    server_failed_handshakes: Counter,
}

/// Figures of the calls to one peer, as the transport keeps them.
#[derive(Clone, Copy, Debug, Default)]
pub struct PeerFigures {
    /// Addresses that are known.
    pub addresses: i64,
    /// Connections that are up.
    pub connections: i64,
    /// Calls and streams that are running.
    pub running: i64,
    /// Calls and streams that were begun.
    pub calls: u64,
    /// Repeats of calls.
    pub retries: u64,
    /// Calls that ended without an answer.
    pub failures: u64,
    /// Answers that said the peer had too much to do.
    pub shed: u64,
    /// Attempts to connect that failed.
    pub connect_failures: u64,
}

/// Figures of the RPC server of this process, as the transport keeps them.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServerFigures {
    /// Connections that are up.
    pub connections: i64,
    /// Calls that are running, without streams.
    pub running: i64,
    /// Streams that are running.
    pub streams: i64,
    /// Calls turned away because too many were running.
    pub shed: u64,
    /// Connections turned away because there were too many.
    pub refused_connections: u64,
    /// Connections that did not get through their handshake.
    pub failed_handshakes: u64,
}

impl RpcMetrics {
    pub(super) fn new(shelf: &mut Shelf) -> Self {
        let buckets = || Histogram::new(exponential_buckets(0.0001, 2.5, 13));
        let metrics = Self {
            calls: Family::default(),
            durations: Family::new_with_constructor(buckets),
            refused: Family::default(),
            peer_addresses: Family::default(),
            peer_connections: Family::default(),
            peer_running: Family::default(),
            peer_calls: Family::default(),
            peer_retries: Family::default(),
            peer_failures: Family::default(),
            peer_shed: Family::default(),
            peer_connect_failures: Family::default(),
            server_connections: Gauge::default(),
            server_running: Gauge::default(),
            server_streams: Gauge::default(),
            server_shed: Counter::default(),
            server_refused_connections: Counter::default(),
            server_failed_handshakes: Counter::default(),
        };
        let m = &metrics;
        shelf.register("rpc_requests", "Calls by RPC and code", m.calls.clone());
        shelf.register(
            "rpc_duration_seconds",
            "Time from a call's arrival to its answer",
            m.durations.clone(),
        );
        shelf.register(
            "rpc_refused",
            "Calls that the guard did not let through",
            m.refused.clone(),
        );
        shelf.register(
            "peer_addresses",
            "Addresses of a peer that are known",
            m.peer_addresses.clone(),
        );
        shelf.register(
            "peer_connections",
            "Connections to a peer that are up",
            m.peer_connections.clone(),
        );
        shelf.register(
            "peer_running",
            "Calls and streams to a peer that are running",
            m.peer_running.clone(),
        );
        shelf.register(
            "peer_calls",
            "Calls and streams to a peer",
            m.peer_calls.clone(),
        );
        shelf.register(
            "peer_retries",
            "Repeats of calls to a peer",
            m.peer_retries.clone(),
        );
        shelf.register(
            "peer_failures",
            "Calls to a peer that ended without its answer",
            m.peer_failures.clone(),
        );
        shelf.register(
            "peer_shed",
            "Answers of a peer that had too much to do",
            m.peer_shed.clone(),
        );
        shelf.register(
            "peer_connect_failures",
            "Attempts to connect to a peer that failed",
            m.peer_connect_failures.clone(),
        );
        shelf.register(
            "rpc_server_connections",
            "Connections of other processes that are up",
            m.server_connections.clone(),
        );
        shelf.register(
            "rpc_server_running",
            "Calls of other processes that are running",
            m.server_running.clone(),
        );
        shelf.register(
            "rpc_server_streams",
            "Streams to other processes that are running",
            m.server_streams.clone(),
        );
        shelf.register(
            "rpc_server_shed",
            "Calls turned away because too many were running",
            m.server_shed.clone(),
        );
        shelf.register(
            "rpc_server_refused_connections",
            "Connections turned away because there were too many",
            m.server_refused_connections.clone(),
        );
        shelf.register(
            "rpc_server_failed_handshakes",
            "Connections that did not get through their handshake",
            m.server_failed_handshakes.clone(),
        );
        metrics
    }

    /// What counts the calls of one RPC; made once per RPC. `rpc` is its name without the package.
    pub fn of(&'static self, service: &'static str, rpc: &'static str) -> RpcCounter {
        let ok = Call {
            service,
            rpc,
            code: "Ok",
        };
        RpcCounter {
            metrics: self,
            service,
            rpc,
            ok: self.calls.get_or_create_owned(&ok),
            duration: self.durations.get_or_create_owned(&Rpc { service, rpc }),
        }
    }

    /// Counts a call that the guard did not let through; `sender` is a `process` of the deployment,
    /// or a `program` of the owner.
    pub fn refused(&self, service: &'static str, sender: &'static str, reason: &'static str) {
        let refused = Refused {
            service,
            sender,
            reason,
        };
        self.refused.get_or_create(&refused).inc();
    }

    /// Takes over the figures of a peer.
    pub fn set_peer(&self, peer: &'static str, figures: &PeerFigures) {
        let of = OfPeer { peer };
        for (family, value) in [
            (&self.peer_addresses, figures.addresses),
            (&self.peer_connections, figures.connections),
            (&self.peer_running, figures.running),
        ] {
            family.get_or_create(&of).set(value);
        }
        for (family, value) in [
            (&self.peer_calls, figures.calls),
            (&self.peer_retries, figures.retries),
            (&self.peer_failures, figures.failures),
            (&self.peer_shed, figures.shed),
            (&self.peer_connect_failures, figures.connect_failures),
        ] {
            super::store(&family.get_or_create(&of), value);
        }
    }

    /// Takes over the figures of the RPC server.
    pub fn set_server(&self, figures: &ServerFigures) {
        self.server_connections.set(figures.connections);
        self.server_running.set(figures.running);
        self.server_streams.set(figures.streams);
        super::store(&self.server_shed, figures.shed);
        super::store(
            &self.server_refused_connections,
            figures.refused_connections,
        );
        super::store(&self.server_failed_handshakes, figures.failed_handshakes);
    }
}

/// Counts the calls of one RPC. Cheap to clone.
#[derive(Clone)]
pub struct RpcCounter {
    metrics: &'static RpcMetrics,
    service: &'static str,
    rpc: &'static str,
    ok: Counter,
    duration: Histogram,
}

impl RpcCounter {
    /// Counts an answer; `code` is the name of its gRPC code, `Ok` for none.
    pub fn answered(&self, code: &'static str, took: Duration) {
        if code == "Ok" {
            self.ok.inc();
        } else {
            let (service, rpc) = (self.service, self.rpc);
            self.metrics
                .calls
                .get_or_create(&Call { service, rpc, code })
                .inc();
        }
        self.duration.observe(took.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_rpc_and_code() {
        let metrics = &crate::metrics().rpc;
        let counter = metrics.of("users", "Users/Show");
        counter.answered("Ok", Duration::from_millis(1));
        counter.answered("NotFound", Duration::from_millis(1));
        metrics.refused("users", "process", "no-token");
        let peer = PeerFigures {
            connections: 2,
            retries: 3,
            ..PeerFigures::default()
        };
        metrics.set_peer("users", &peer);
        metrics.set_peer("users", &peer);
        let text = crate::metrics_text();
        for line in [
            r#"stoa_rpc_requests_total{service="users",rpc="Users/Show",code="Ok"} 1"#,
            r#"stoa_rpc_requests_total{service="users",rpc="Users/Show",code="NotFound"} 1"#,
            r#"stoa_rpc_duration_seconds_count{service="users",rpc="Users/Show"} 2"#,
            r#"stoa_rpc_refused_total{service="users",sender="process",reason="no-token"} 1"#,
            r#"stoa_peer_connections{peer="users"} 2"#,
            r#"stoa_peer_retries_total{peer="users"} 3"#,
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
