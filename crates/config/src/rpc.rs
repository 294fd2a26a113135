//! Sections `rpc`, `peers` and `tls`: how the processes of an installation reach each other.

use crate::BadConfig;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// The gRPC side of a process of one service.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rpc {
    /// Address that the other processes call. Off loopback it needs the section `tls`.
    pub listen: SocketAddr,
    /// Most calls that run at once, 1 to 65536; more are refused at once, and reads are tried
    /// again by the caller.
    pub max_concurrent: usize,
    /// Server reflection for `grpcurl` and the like; refused in a live marketplace.
    pub reflection: bool,
}

impl Default for Rpc {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9090)),
            max_concurrent: 1024,
            reflection: false,
        }
    }
}

impl Rpc {
    pub(crate) fn check(&self) -> Result<(), BadConfig> {
        if (1..=65_536).contains(&self.max_concurrent) {
            return Ok(());
        }
        Err(BadConfig::Invalid {
            key: "rpc.max_concurrent",
            why: "must lie between 1 and 65536",
        })
    }
}

/// Where the other services are: `host:port`, several separated by commas. A name stands for all
/// its addresses and is resolved again every few seconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Peers {
    /// Addresses of `auth`.
    pub auth: String,
    /// Addresses of `users`.
    pub users: String,
    /// Addresses of `listings`.
    pub listings: String,
    /// Addresses of `transactions`.
    pub transactions: String,
    /// Addresses of `event-log`.
    pub event_log: String,
}

impl Default for Peers {
    fn default() -> Self {
        let local = |port: u16| format!("127.0.0.1:{port}");
        Self {
            auth: local(9091),
            users: local(9092),
            listings: local(9093),
            transactions: local(9094),
            event_log: local(9095),
        }
    }
}

impl Peers {
    /// Every service with its addresses as they are written.
    pub fn all(&self) -> [(&'static str, &str); 5] {
        [
            ("auth", &self.auth),
            ("users", &self.users),
            ("listings", &self.listings),
            ("transactions", &self.transactions),
            ("event-log", &self.event_log),
        ]
    }

    /// The addresses of a service, one by one; nothing for a name that is none.
    pub fn addresses(&self, service: &str) -> Vec<String> {
        let written = self.all().into_iter().find(|(name, _)| *name == service);
        let list = written.map_or("", |(_, list)| list);
        list.split(',').map(|one| one.trim().to_owned()).collect()
    }

    pub(crate) fn check(&self) -> Result<(), BadConfig> {
        let is_address = |text: &str| {
            let Some((host, port)) = text.trim().rsplit_once(':') else {
                return false;
            };
            !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port != 0)
        };
        if self
            .all()
            .iter()
            .all(|(_, list)| list.split(',').all(is_address))
        {
            return Ok(());
        }
        Err(BadConfig::Invalid {
            key: "peers",
            why: "each must be host:port, several separated by commas",
        })
    }
}

/// Mutual TLS between the processes: all three files, or none on loopback. They are read again
/// when they change.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// Certificates (PEM) of the authority that signed those of all processes.
    pub ca: Option<PathBuf>,
    /// The own certificate (PEM), for both directions.
    pub certificate: Option<PathBuf>,
    /// Its private key (PEM), readable for its owner only.
    pub key: Option<PathBuf>,
}

impl Tls {
    /// The three files: authority, certificate, key; nothing when TLS is not configured.
    pub fn files(&self) -> Option<(&PathBuf, &PathBuf, &PathBuf)> {
        Some((
            self.ca.as_ref()?,
            self.certificate.as_ref()?,
            self.key.as_ref()?,
        ))
    }

    pub(crate) fn check(&self) -> Result<(), BadConfig> {
        let given = [&self.ca, &self.certificate, &self.key];
        if given.iter().all(|file| file.is_some()) || given.iter().all(|file| file.is_none()) {
            return Ok(());
        }
        Err(BadConfig::Invalid {
            key: "tls",
            why: "needs ca, certificate and key together",
        })
    }
}
