//! Pure stepping: a run and a command in, the next run and its effects out.
//!
//! The order is that of the specification of transitions: parties, transition, trust, parameters,
//! then the actions one after the other on a copy. The first failure wins and nothing of the copy
//! is left. A speculative call is the same call whose result is not stored.

mod action;
mod effect;
mod error;
mod initiate;
mod schedule;
mod step;

pub use effect::{Effect, StepEvent};
pub use error::StepError;
pub use initiate::{Initiation, ListingFacts, Start};
pub use schedule::{DueNotification, ScheduledTransition};
pub use step::transition;

use crate::definition::Party;
use crate::run::Run;
use stoa_types::{ExtendedData, Timestamp};

/// Most transitions of one transaction, the initial one included; an official limit.
pub const MAX_TRANSITIONS: usize = 100;

/// What somebody wants to happen.
#[derive(Clone, Copy, Debug)]
pub struct Command<'a> {
    /// The name of the transition, `transition/accept`.
    pub transition: &'a str,
    /// The JSON text of the parameters; empty counts as `{}`. Ignored for delayed transitions.
    pub params: &'a str,
    /// The caller holds a trusted token. Operators and the system always count as trusted.
    pub trusted: bool,
    /// The instant of everything that this command does.
    pub at: Timestamp,
}

/// Whether a user may still take part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// Yes.
    #[default]
    Active,
    /// Banned: only operators and the system still move the user's transactions.
    Banned,
    /// Deleted: nothing moves them.
    Deleted,
}

/// What the engine must know of one party.
#[derive(Clone, Debug, Default)]
pub struct PartyFacts {
    /// Whether the user may still take part.
    pub standing: Standing,
    /// The protected data of the user's profile; needed only when
    /// [`Transition::reveals_profile_of`](crate::Transition::reveals_profile_of) says so.
    pub profile: Option<ExtendedData>,
}

/// What the engine must know of both parties. The default: both active, no profile loaded.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Of the customer.
    pub customer: PartyFacts,
    /// Of the provider.
    pub provider: PartyFacts,
}

impl Facts {
    /// The facts of one party.
    pub fn of(&self, party: Party) -> &PartyFacts {
        match party {
            Party::Customer => &self.customer,
            Party::Provider => &self.provider,
        }
    }
}

/// The result of a transition. All of it belongs in one database transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stepped {
    /// The run after it. What was scheduled for the run before it is void.
    pub run: Run,
    /// What the actions did, in their order.
    pub effects: Vec<Effect>,
    /// The public events in their order; the transaction's own is the last.
    pub events: Vec<StepEvent>,
    /// The delayed transitions that leave the new state, the earliest first.
    pub delayed: Vec<ScheduledTransition>,
    /// The notifications that this transition causes, in the order of the definition.
    pub notifications: Vec<DueNotification>,
}
