//! Figures of the transport, for whoever exports them.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// A number that goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// The number now.
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn up(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn down(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A number that only goes up.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// The number now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Figures of the calls to one peer service.
#[derive(Debug, Default)]
pub struct PeerCounts {
    /// Addresses that are known.
    pub addresses: Gauge,
    /// Connections that are up.
    pub connections: Gauge,
    /// Calls and streams that are running.
    pub running: Gauge,
    /// Calls and streams that were begun.
    pub calls: Counter,
    /// Repeats of calls.
    pub retries: Counter,
    /// Calls that ended without an answer of the peer.
    pub failures: Counter,
    /// Answers that said the peer had too much to do.
    pub shed: Counter,
    /// Attempts to connect that failed.
    pub connect_failures: Counter,
}

/// Figures of one RPC server.
#[derive(Debug, Default)]
pub struct ServerCounts {
    /// Connections that are up.
    pub connections: Gauge,
    /// Calls that are running, without streams.
    pub running: Gauge,
    /// Streams that are running.
    pub streams: Gauge,
    /// Calls that were taken in, without those shed.
    pub calls: Counter,
    /// Calls turned away because too many were running.
    pub shed: Counter,
    /// Connections turned away because there were too many.
    pub refused_connections: Counter,
    /// Connections that did not get through their handshake.
    pub failed_handshakes: Counter,
}
