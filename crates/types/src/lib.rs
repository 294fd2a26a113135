//! Ids, time, money, extended data and problems: the words every room of Stoa shares.
//!
//! This crate knows no database, no network and no wire format. What it parses once is never
//! checked again: an [`id::UserId`] is a canonical UUID, a [`Money`] has a currency, an
//! [`ExtendedData`] is a JSON object within its limits.

pub mod clock;
pub mod entropy;
pub mod extended_data;
pub mod id;
pub mod money;
pub mod problem;
pub mod timestamp;

pub use clock::{Clock, ManualClock, SystemClock};
pub use entropy::{Entropy, OsEntropy, SeededEntropy};
pub use extended_data::ExtendedData;
pub use money::{Currency, LatLng, Money};
pub use problem::{PathItem, Problem, Problems, Source, SourceKind};
pub use timestamp::Timestamp;
