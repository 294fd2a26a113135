//! HTTP: connections, the way of a request, its answer.

mod answer;
mod body;
mod pipeline;
mod server;

pub use server::Server;
