//! The HTTP edge: tokens to access levels, routes, wire formats, composition.
//!
//! A request passes, in this order: its route, content type and declared length, the contact
//! with `auth` and `users`, the token and its revocation ([`access`]), `policy::admit`, then the
//! body is read and an endpoint ([`endpoints`]) takes its parameters, calls a service and hands
//! back resources, which [`render`] completes with what was asked to be included and writes in
//! the client's format. No database, no rule about users, listings or transactions.

mod access;
mod call;
mod config;
mod endpoints;
mod http;
mod render;
mod routes;
mod service;

pub use access::access_claims;
pub use config::Config;
pub use http::Server;
pub use routes::{Api, RouteInfo, route_infos};
pub use service::{Deps, Gateway, Peers, VirtualClock};
