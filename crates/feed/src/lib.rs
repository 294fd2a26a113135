//! Outbox, sequencer, feed server and consumers: how services tell each other what happened.
//!
//! An owner writes envelopes in the transaction of each change ([`outbox::emit`]). Its
//! [`Sequencer`] gives committed envelopes gap-free positions, and [`FeedService`] streams them.
//! A service that works on them runs a [`Consumer`], whose cursor commits with its effect; a cache
//! without a database runs a [`Follower`].
//!
//! A service includes the tables of this room with one line:
//! `migrations!("0001_first").with(&[&stoa_feed::MIGRATIONS])`.

pub mod audit;
mod consumer;
pub mod erase;
pub mod erased;
mod error;
mod follower;
mod jobs;
pub mod kinds;
mod lease;
mod measure;
pub mod outbox;
pub mod projections;
mod restored;
mod retention;
mod sequencer;
mod server;
mod states;
mod store;
mod subscription;
mod wiring;

pub use consumer::{Consume, Consumer, Needs};
pub use error::Error;
pub use follower::{Follow, Follower};
pub use jobs::Job;
pub use lease::Lease;
pub use outbox::{EnvelopeBuilder, Origin, emit};
pub use projections::{OwnedStanding, Standings};
pub use restored::head;
pub use sequencer::{Progress, Sequencer};
pub use server::FeedService;
pub use states::USER_STATE;
pub use store::MIGRATIONS;
pub use wiring::Wiring;

/// Position after which a follower asks for nothing that is already there: it starts at the head.
pub const FROM_HEAD: u64 = u64::MAX;
