//! Transaction processes: the definition language, its validation, and pure stepping.
//!
//! Nothing here reads a clock, a database or a network: a definition, a run and a command come in
//! as values, and the next run with its effects comes out as a value. The caller stores and sends.
//!
//! - [`Process::parse`] turns the text of a definition into a graph, or into findings with row and
//!   column.
//! - [`engine::Initiation`] starts a run, [`engine::transition`] moves it.
//! - [`shipped()`] are the definitions that every installation has.
//!
//! A request and its acceptance:
//!
//! ```
//! use stoa_process::engine::{Command, Facts, Initiation, ListingFacts, Start, transition};
//! use stoa_process::{Actor, Process, shipped};
//! # use stoa_types::{Entropy, SeededEntropy, Timestamp, id::UserId};
//! # let entropy: &dyn Entropy = &SeededEntropy::new(1);
//! # let (caller, author) = (UserId::random(entropy), UserId::random(entropy));
//! # let now = Timestamp::from_ms(0);
//! let free_request = shipped().iter().find(|shipped| shipped.name == "free-request").unwrap();
//! let process = Process::parse(free_request.edn).unwrap();
//! let params = r#"{"listingId": "3c073fae-6172-4e75-8b92-f560d58cd47c", "lineItems": [
//!     {"code": "line-item/request", "quantity": 2, "unitPrice": {"amount": 5000, "currency": "EUR"}}]}"#;
//! let command = Command { transition: "transition/request", params, trusted: true, at: now };
//! let initiation = Initiation::check(&process, &command)?;
//! // Here the caller loads the listing `initiation.listing()` and both parties.
//! let listing = Some(ListingFacts { author, published: true });
//! let begun = initiation.run(&Start { caller, listing, facts: &Facts::default() })?;
//! assert_eq!(begun.run.payin_total.unwrap().amount, 10_000);
//! assert_eq!(begun.delayed[0].transition.as_str(), "transition/expire");
//!
//! let accept = Command { transition: "transition/accept", params: "{}", trusted: false, at: now };
//! let accepted = transition(&process, &begun.run, Actor::Provider, &accept, &Facts::default())?;
//! assert_eq!(accepted.run.state.as_str(), "state/accepted");
//! # Ok::<(), stoa_process::engine::StepError>(())
//! ```
//!
//! To build an action: give it a file in `engine/action/` and its arm in `engine/action/mod.rs`;
//! names, configuration and parameters of all actions stand in `definition/action_kind.rs` already.

mod decimal;
pub mod definition;
pub mod edn;
pub mod engine;
pub mod line_items;
mod params;
pub mod run;
mod shipped;
pub mod time;

pub use definition::{
    Action, ActionKind, Actor, Finding, Party, Process, Rule, StateName, Transition,
    TransitionName, Trigger,
};
pub use run::{BookingTimes, HistoryEntry, ProtectedData, Review, Run};
pub use rust_decimal::Decimal;
pub use shipped::{ALIAS, Shipped, shipped};
