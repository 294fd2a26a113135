//! What `deploy/` says, held against the binary and against the plan of who may talk to whom.

mod compose;
#[cfg(feature = "binary")]
mod distributed;
mod edges;
mod hardening;
mod image;
#[cfg(feature = "binary")]
mod installation;
mod manifests;
mod overlays;
mod processes;
mod programs;
mod readme;
mod settings;
