//! Moves a run by one transition.

use super::action::{self, Work};
use super::{Command, Facts, MAX_TRANSITIONS, Standing, StepError, StepEvent, Stepped, schedule};
use crate::definition::{Actor, Party, Process, Transition, Trigger};
use crate::params::Params;
use crate::run::{HistoryEntry, Run};

/// Takes a transition of a run that exists.
///
/// `actor` is the caller's role in this transaction, or the operator, or the system for a delayed
/// transition that is due.
///
/// # Errors
/// [`StepError`]; nothing has happened then.
pub fn transition(
    process: &Process,
    run: &Run,
    actor: Actor,
    command: &Command<'_>,
    facts: &Facts,
) -> Result<Stepped, StepError> {
    parties_present(actor, facts)?;
    let invalid = |why| StepError::InvalidTransition {
        transition: command.transition.to_owned(),
        why,
    };
    let transition = process
        .transition(command.transition)
        .ok_or_else(|| invalid("it does not exist"))?;
    if transition.from.as_ref() != Some(&run.state) {
        return Err(invalid("it does not start from the present state"));
    }
    match (&transition.trigger, actor) {
        (Trigger::At(_), Actor::System) => {}
        (Trigger::At(_), _) => return Err(invalid("only time takes it")),
        (Trigger::Actor(taker), _) if *taker == actor => {}
        (Trigger::Actor(_), _) => return Err(invalid("it is another actor's")),
    }
    if run.history.len() >= MAX_TRANSITIONS {
        return Err(invalid("the transaction has had 100 transitions"));
    }
    let trusted = command.trusted || matches!(actor, Actor::Operator | Actor::System);
    // Time gives no parameters; a delayed transition that needs one fails its check.
    let given = if actor == Actor::System {
        ""
    } else {
        command.params
    };
    let params = checked_params(transition, trusted, given)?;
    let context = Context {
        process,
        transition,
        actor,
        trusted,
        command,
        facts,
    };
    context.take(run.clone(), &params, StepEvent::TransactionTransitioned)
}

/// Steps 8 and 9 of the specification: trust, then parameters.
pub(super) fn checked_params(
    transition: &Transition,
    trusted: bool,
    given: &str,
) -> Result<Params, StepError> {
    if transition.privileged && !trusted {
        return Err(StepError::NotTrusted);
    }
    let params = Params::parse(given).map_err(StepError::Params)?;
    params
        .check(&transition.params())
        .map_err(StepError::Params)?;
    Ok(params)
}

/// Refuses when a party is gone. A ban stops only the two parties, so that refunds and expiries
/// of a banned person's transactions stay possible.
pub(super) fn parties_present(actor: Actor, facts: &Facts) -> Result<(), StepError> {
    for party in [Party::Customer, Party::Provider] {
        let gone = match facts.of(party).standing {
            Standing::Active => false,
            Standing::Banned => actor.party().is_some(),
            Standing::Deleted => true,
        };
        if gone {
            return Err(StepError::PartyGone(party));
        }
    }
    Ok(())
}

/// A transition that passed its checks.
pub(super) struct Context<'a> {
    pub(super) process: &'a Process,
    pub(super) transition: &'a Transition,
    pub(super) actor: Actor,
    pub(super) trusted: bool,
    pub(super) command: &'a Command<'a>,
    pub(super) facts: &'a Facts,
}

impl Context<'_> {
    /// Runs the actions on `run`, then enters the new state.
    pub(super) fn take(
        &self,
        run: Run,
        params: &Params,
        own_event: StepEvent,
    ) -> Result<Stepped, StepError> {
        let now = self.command.at;
        let mut work = Work::new(self, run, params);
        for action in &self.transition.actions {
            action::run(action, &mut work)?;
        }
        let Work {
            mut run, effects, ..
        } = work;
        run.state = self.transition.to.clone();
        run.history.push(HistoryEntry {
            transition: self.transition.name.clone(),
            at: now,
            by: self.actor,
        });
        Ok(Stepped {
            events: StepEvent::all(&effects, own_event),
            delayed: schedule::delayed(self.process, &run, now),
            notifications: schedule::notifications(self.process, self.transition, &run, now),
            effects,
            run,
        })
    }
}
