//! The contract between the services, generated from `proto/`.
//!
//! [`METHODS`] is the access table: for every RPC its action, its class and its callers, read
//! from the options in the proto files at build time.

#[allow(
    missing_docs,
    reason = "the comments of the generated code stand in proto/"
)]
#[allow(clippy::all, reason = "generated code")]
mod generated {
    pub mod stoa {
        pub mod access {
            pub mod v1 {
                tonic::include_proto!("stoa.access.v1");
            }
        }
        pub mod audit {
            pub mod v1 {
                tonic::include_proto!("stoa.audit.v1");
            }
        }
        pub mod auth {
            pub mod v1 {
                tonic::include_proto!("stoa.auth.v1");
            }
        }
        pub mod event_log {
            pub mod v1 {
                tonic::include_proto!("stoa.event_log.v1");
            }
        }
        pub mod events {
            pub mod v1 {
                tonic::include_proto!("stoa.events.v1");
            }
        }
        pub mod feed {
            pub mod v1 {
                tonic::include_proto!("stoa.feed.v1");
            }
        }
        pub mod listings {
            pub mod v1 {
                tonic::include_proto!("stoa.listings.v1");
            }
        }
        pub mod problem {
            pub mod v1 {
                tonic::include_proto!("stoa.problem.v1");
            }
        }
        pub mod transactions {
            pub mod v1 {
                tonic::include_proto!("stoa.transactions.v1");
            }
        }
        pub mod types {
            pub mod v1 {
                tonic::include_proto!("stoa.types.v1");
            }
        }
        pub mod users {
            pub mod v1 {
                tonic::include_proto!("stoa.users.v1");
            }
        }
    }
}

pub use generated::stoa::audit::v1 as audit;
pub use generated::stoa::auth::v1 as auth;
pub use generated::stoa::event_log::v1 as event_log;
pub use generated::stoa::events::v1 as events;
pub use generated::stoa::feed::v1 as feed;
pub use generated::stoa::listings::v1 as listings;
pub use generated::stoa::problem::v1 as problem;
pub use generated::stoa::transactions::v1 as transactions;
pub use generated::stoa::types::v1 as types;
pub use generated::stoa::users::v1 as users;

mod convert;
mod switches;

pub use switches::{SWITCHES, Switch};

/// Whether an RPC changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It only reads.
    Read,
    /// It changes something and needs a command token.
    Command,
}

/// What the proto files say about one RPC.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// The path of the HTTP/2 request: `/stoa.users.v1.Users/Show`.
    pub path: &'static str,
    /// Name of the action in `stoa-policy`.
    pub action: &'static str,
    /// Read or command.
    pub class: Class,
    /// True when the answer is a stream.
    pub streaming: bool,
    /// Processes that may call it.
    pub callers: &'static [&'static str],
}

/// The access table of all services.
pub const METHODS: &[Method] = include!(concat!(env!("OUT_DIR"), "/access_table.rs"));

/// Paths of all RPCs, also of those without an access option.
pub const METHOD_PATHS: &[&str] = include!(concat!(env!("OUT_DIR"), "/method_paths.rs"));

/// The descriptor set of all proto files, for reflection and for tests of compatibility.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/stoa.descriptors.bin"));

/// The entry of an RPC by its path.
pub fn method(path: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_has_an_action_and_a_caller() {
        assert!(METHOD_PATHS.len() > 40);
        for path in METHOD_PATHS {
            let entry = method(path).unwrap_or_else(|| panic!("{path} has no access option"));
            assert!(!entry.action.is_empty(), "{path} has no action");
            assert!(!entry.callers.is_empty(), "{path} has no caller");
        }
    }
}
