//! Calls between services: internal tokens, the guard in front of every service, peers, tasks.
//!
//! A request crosses this crate three times. The gateway makes an internal token of what it
//! verified ([`Identity`]); a [`Peer`] carries the call to the other service, in the same process
//! or over a channel; the [`Guard`] of that service verifies the token, looks the RPC up in the
//! access table and hands the handler a [`Caller`]. Refusals travel back as [`Problems`] in the
//! details of the gRPC status ([`status`]).

pub mod access_token;
mod caller;
pub mod certificates;
mod edges;
pub mod files;
mod guard;
mod identity;
mod key_files;
pub mod keys;
mod measure;
mod peer;
pub mod status;
mod tasks;
mod token;
pub mod transport;
mod trust;
mod unary;

pub use caller::Caller;
pub use guard::{Guard, GuardSettings};
pub use identity::{Credentials, Identity};
pub use key_files::KeyFileError;
pub use peer::{LocalSlot, Peer};
pub use tasks::Tasks;
pub use token::{COMMAND_LIFE_S, Claims, READ_LIFE_S, SERVICE_LIFE_S};
pub use transport::{
    PeerCounts, RemoteConfig, RpcServer, ServerConfig, ServerCounts, ServerError, Tls, TlsError,
    TlsFiles,
};
pub use trust::{PROCESSES, Trust};
pub use unary::{field, unary};

pub use stoa_types::{Problem, Problems};
