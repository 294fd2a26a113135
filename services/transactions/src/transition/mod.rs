//! Takes transitions: for callers, for dry runs and for time.
//!
//! The engine in `stoa-process` decides; here is what surrounds it: whose states are read under
//! which lock, what is loaded, and that everything is stored in one commit. A transition that
//! reaches outside of the database opens an attempt first.

mod attempt;
mod commit;
mod initiate;
mod parties;
mod step;

pub(crate) use initiate::{Initiate, initiate, initiate_speculative};
pub(crate) use parties::Parties;
pub(crate) use step::{Caused, Step, step, step_speculative};

use crate::context::Context;
use crate::error::Error;
use parties::Profiles;
use stoa_policy::{Action, Actor, Level, Resource};
use stoa_process::engine::StepError;
use stoa_process::{Party, Transition};
use stoa_rpc::Credentials;
use stoa_types::id::UserId;

/// How often a write is tried again because it met a user whose state was not here.
const TRIES: usize = 3;

/// The states of both parties outside of a write; asks the users service where one is unknown.
async fn parties_known(
    context: &Context,
    customer: UserId,
    provider: UserId,
) -> Result<Parties, Error> {
    let actors = context.standings.actors();
    Ok(Parties::new(
        (customer, actors.known(customer).await?),
        (provider, actors.known(provider).await?),
    ))
}

/// Runs a write that wants to know users. When it meets one who is unknown here, the users
/// service is asked and the write runs again; in the last try unknown users are `Strict::No`.
pub(crate) async fn knowing<T, F, Fut>(context: &Context, mut write: F) -> Result<T, Error>
where
    F: FnMut(Strict) -> Fut,
    Fut: Future<Output = Result<T, Error>>,
{
    for _ in 1..TRIES {
        match write(Strict::Yes).await {
            Err(Error::UnknownUser(user)) => {
                context.standings.actors().known(user).await?;
            }
            done => return done,
        }
    }
    write(Strict::No).await
}

/// Whether a write may go on with users of whom nothing is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strict {
    /// It may not: they are asked for.
    Yes,
    /// It may: there are no such users, and they count as deleted.
    No,
}

impl Strict {
    /// Passes parties that are known.
    ///
    /// # Errors
    /// [`Error::UnknownUser`].
    pub(crate) fn check(self, parties: &Parties) -> Result<(), Error> {
        match (self, parties.missing()) {
            (Self::Yes, Some(user)) => Err(Error::UnknownUser(user)),
            _ => Ok(()),
        }
    }
}

/// Asks the policy about a caller whose state is among the parties.
fn require(
    context: &Context,
    actor: &Actor,
    action: Action,
    parties: &Parties,
    resource: &Resource,
) -> Result<(), Error> {
    let settings = match actor.level {
        // Time does not depend on the settings, which may not have arrived yet.
        Level::System => Default::default(),
        _ => context.standings.settings().access()?,
    };
    let standing = parties.standing(actor, settings);
    Ok(stoa_policy::require(
        actor,
        action,
        &standing.as_standing(),
        resource,
    )?)
}

/// The profile data that a transition reveals.
async fn profiles(
    context: &Context,
    credentials: &Credentials,
    transition: Option<&Transition>,
    customer: UserId,
    provider: UserId,
) -> Result<Profiles, Error> {
    let reveals = |party| transition.is_some_and(|t| t.reveals_profile_of(party));
    let mut profiles = Profiles::default();
    if reveals(Party::Customer) {
        profiles.customer = context.profile(credentials, customer).await?;
    }
    if reveals(Party::Provider) {
        profiles.provider = context.profile(credentials, provider).await?;
    }
    Ok(profiles)
}

/// True for refusals that come before any action has run, and so before an attempt.
fn is_check(error: &Error) -> bool {
    match error {
        Error::Step(
            StepError::PartyGone(_)
            | StepError::InvalidTransition { .. }
            | StepError::NotTrusted
            | StepError::Params(_)
            | StepError::ListingNotFound
            | StepError::SameAuthorAndCustomer,
        ) => true,
        Error::Step(
            StepError::AlreadyReviewed(_)
            | StepError::InvalidActionSequence { .. }
            | StepError::ActionFailed { .. }
            | StepError::ActionNotAvailable(_)
            | StepError::NoPaymentAdapter(_),
        ) => false,
        Error::Denied(_)
        | Error::Refused(_)
        | Error::UnknownAlias
        | Error::NotFound
        | Error::TransactionNotFound
        | Error::Locked
        | Error::UnknownUser(_)
        | Error::Damaged(_)
        | Error::Feed(_)
        | Error::Db(_) => true,
    }
}

/// Tells the job when something is due at once.
fn wake_timers(context: &Context, due_now: bool) {
    if due_now {
        context.timer_due.notify_one();
    }
}
