//! Calls between processes: HTTP/2 over TCP, with mutual TLS between machines.

mod admission;
mod begun;
mod budget;
mod connection;
mod counts;
mod pool;
mod resolve;
mod sender;
mod server;
pub(crate) mod timing;
mod tls;

pub(crate) use admission::Place;
pub use counts::{Counter, Gauge, PeerCounts, ServerCounts};
pub(crate) use pool::Pool;
pub use pool::RemoteConfig;
pub use resolve::{Resolved, Resolver, system_resolver};
pub(crate) use sender::{CLIENT, Sender};
pub use server::{RpcServer, ServerConfig, ServerError};
pub use timing::Timing;
pub use tls::{Tls, TlsError, TlsFiles};

use std::collections::HashMap;
use std::sync::LazyLock;
use stoa_proto::Method;

/// Header of an answer that was given because too much was running: nothing was done.
pub(crate) const SHED: &str = "stoa-shed";

/// The entry of an RPC in the access table.
pub(crate) fn lookup(path: &str) -> Option<&'static Method> {
    static BY_PATH: LazyLock<HashMap<&'static str, &'static Method>> =
        LazyLock::new(|| stoa_proto::METHODS.iter().map(|m| (m.path, m)).collect());
    BY_PATH.get(path).copied()
}
