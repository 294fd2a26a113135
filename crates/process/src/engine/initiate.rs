//! Starts a run.

use super::step::{Context, checked_params, parties_present};
use super::{Command, Facts, StepError, StepEvent, Stepped};
use crate::definition::{Actor, Party, Process, Transition};
use crate::params::Params;
use crate::run::{ProtectedData, Run};
use stoa_types::ExtendedData;
use stoa_types::id::{ListingId, UserId};

/// A start that passed the checks that need nothing but the command. In between the caller loads
/// the listing that it names.
#[derive(Debug)]
pub struct Initiation<'a> {
    process: &'a Process,
    transition: &'a Transition,
    command: &'a Command<'a>,
    params: Params,
    listing: ListingId,
    caller_is: Party,
}

/// A listing as the engine sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListingFacts {
    /// Its author.
    pub author: UserId,
    /// Published: neither draft, pending, closed nor deleted.
    pub published: bool,
}

/// What a start needs beside its command.
#[derive(Clone, Debug)]
pub struct Start<'a> {
    /// Who calls.
    pub caller: UserId,
    /// The listing, or nothing when there is none of that id.
    pub listing: Option<ListingFacts>,
    /// The two parties; who is who tells [`Initiation::caller_is`].
    pub facts: &'a Facts,
}

impl<'a> Initiation<'a> {
    /// Checks transition, trust and parameters.
    ///
    /// # Errors
    /// [`StepError::InvalidTransition`] when the transition does not start this process,
    /// [`StepError::NotTrusted`], [`StepError::Params`].
    pub fn check(process: &'a Process, command: &'a Command<'a>) -> Result<Self, StepError> {
        let invalid = |why| StepError::InvalidTransition {
            transition: command.transition.to_owned(),
            why,
        };
        let transition = process
            .transition(command.transition)
            .ok_or_else(|| invalid("it does not exist"))?;
        let caller_is = match (&transition.from, transition.actor().party()) {
            (None, Some(party)) => party,
            _ => return Err(invalid("it does not start a transaction")),
        };
        let params = checked_params(transition, command.trusted, command.params)?;
        let listing = params
            .string("listingId")
            .and_then(|id| ListingId::parse(&id).ok());
        // The check of the parameters has seen that it is there.
        let listing = listing.ok_or(StepError::ListingNotFound)?;
        Ok(Self {
            process,
            transition,
            command,
            params,
            listing,
            caller_is,
        })
    }

    /// The listing that the command names.
    pub fn listing(&self) -> ListingId {
        self.listing
    }

    /// The party that the caller becomes; the author of the listing becomes the other one.
    pub fn caller_is(&self) -> Party {
        self.caller_is
    }

    /// The transition.
    pub fn transition(&self) -> &Transition {
        self.transition
    }

    /// Runs the implicit initializer and the actions.
    ///
    /// # Errors
    /// [`StepError`]; nothing has happened then.
    pub fn run(self, start: &Start<'_>) -> Result<Stepped, StepError> {
        let listing = start
            .listing
            .filter(|listing| listing.published)
            .ok_or(StepError::ListingNotFound)?;
        if listing.author == start.caller {
            return Err(StepError::SameAuthorAndCustomer);
        }
        let actor = Actor::from(self.caller_is);
        parties_present(actor, start.facts)?;
        let (customer, provider) = match self.caller_is {
            Party::Customer => (start.caller, listing.author),
            Party::Provider => (listing.author, start.caller),
        };
        let run = Run {
            listing: self.listing,
            customer,
            provider,
            state: self.transition.to.clone(),
            history: Vec::new(),
            line_items: Vec::new(),
            payin_total: None,
            payout_total: None,
            protected_data: ProtectedData::default(),
            metadata: ExtendedData::empty(),
            reviews: Vec::new(),
            booking: None,
        };
        let context = Context {
            process: self.process,
            transition: self.transition,
            actor,
            trusted: self.command.trusted,
            command: self.command,
            facts: start.facts,
        };
        context.take(run, &self.params, StepEvent::TransactionInitiated)
    }
}
