//! Section `http`.

use crate::BadConfig;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr};

/// Addresses and limits of the edge.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Public address (`--listen`, `STOA_LISTEN`).
    pub listen: SocketAddr,
    /// Management address: health and metrics (`--management`).
    pub management: SocketAddr,
    /// Most bytes of a request body; 1 KB to 16 MB.
    pub body_limit: usize,
    /// Hosts that a development process serves beside the loopback names.
    pub hosts: Vec<String>,
}

impl Default for Http {
    fn default() -> Self {
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self {
            listen: local(8080),
            management: local(8081),
            body_limit: 512 * 1024,
            hosts: Vec::new(),
        }
    }
}

impl Http {
    pub(crate) fn check(&self) -> Result<(), BadConfig> {
        if (1024..=16 * 1024 * 1024).contains(&self.body_limit) {
            return Ok(());
        }
        Err(BadConfig::Invalid {
            key: "http.body_limit",
            why: "must lie between 1024 and 16777216",
        })
    }
}
