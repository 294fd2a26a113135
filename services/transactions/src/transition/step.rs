//! Moves a transaction.

use super::commit::{self, Commit};
use super::{
    Parties, Profiles, Strict, attempt, is_check, knowing, parties_known, profiles, require,
    wake_timers,
};
use crate::context::Context;
use crate::domain::{StoredReview, Transaction};
use crate::error::Error;
use crate::processes::Versioned;
use crate::store::dialect;
use crate::store::timers::{self, DueTimer};
use crate::store::{reviews, transactions};
use stoa_db::Tx;
use stoa_feed::{Origin, OwnedStanding};
use stoa_policy::{Action, Actor, Level};
use stoa_process::engine::{self, Command, Stepped};
use stoa_process::{Actor as By, Party};
use stoa_rpc::Credentials;
use stoa_types::Timestamp;
use stoa_types::id::{AttemptId, TransactionId};

/// Who moves a transaction, and why.
pub(crate) struct Caused<'a> {
    /// The caller, or the system.
    pub(crate) actor: &'a Actor,
    /// The caller's standing when the call came in.
    pub(crate) standing: OwnedStanding,
    /// What the policy is asked.
    pub(crate) action: Action,
    /// What other services are asked with.
    pub(crate) credentials: Credentials,
    /// What the events say.
    pub(crate) origin: Origin,
    /// The timer that fired.
    pub(crate) timer: Option<&'a DueTimer>,
}

/// A transition that is wanted.
#[derive(Clone, Copy)]
pub(crate) struct Step<'a> {
    /// Which transaction.
    pub(crate) id: TransactionId,
    /// Which transition.
    pub(crate) transition: &'a str,
    /// Its parameters, JSON text.
    pub(crate) params: &'a str,
}

/// What was loaded before anything is decided under lock.
struct Ready<'a> {
    seen: Transaction,
    process: Versioned,
    command: Command<'a>,
    profiles: Profiles,
    outside: bool,
}

/// Loads, and refuses strangers.
async fn ready<'a>(
    context: &Context,
    caused: &Caused<'_>,
    wanted: Step<'a>,
) -> Result<Ready<'a>, Error> {
    let found: Option<Transaction> = context.db.opt_as(transactions::by_id(wanted.id)).await?;
    let seen = found.ok_or(Error::TransactionNotFound)?;
    let (customer, provider) = (seen.run.customer, seen.run.provider);
    // Early, so that a stranger learns nothing; the decision that counts is made in the write.
    let standing = caused.standing.as_standing();
    stoa_policy::require(caused.actor, caused.action, &standing, &seen.resource())?;
    let process = context
        .processes
        .version(&seen.process_name, seen.process_version)
        .await?;
    let transition = process.process.transition(wanted.transition);
    let profiles = profiles(context, &caused.credentials, transition, customer, provider).await?;
    let outside = transition.is_some_and(stoa_process::Transition::needs_outside_call);
    let command = Command {
        transition: wanted.transition,
        params: wanted.params,
        trusted: stoa_policy::is_trusted(caused.actor),
        at: context.clock.now(),
    };
    Ok(Ready {
        seen,
        process,
        command,
        profiles,
        outside,
    })
}

impl Ready<'_> {
    /// The caller's part in the transaction.
    fn by(&self, actor: &Actor) -> Result<By, Error> {
        match actor.level {
            Level::Integration | Level::Operator | Level::Service => Ok(By::Operator),
            Level::System => Ok(By::System),
            Level::User | Level::TrustedUser | Level::LimitedUser => {
                let party = actor.user.and_then(|user| self.seen.run.party_of(user));
                Ok(party.ok_or(stoa_policy::Denied::Forbidden)?.into())
            }
            Level::Anonymous => Err(stoa_policy::Denied::Forbidden.into()),
        }
    }

    fn run(
        &self,
        actor: &Actor,
        transaction: &Transaction,
        reviews: &[StoredReview],
        parties: &Parties,
    ) -> Result<Stepped, Error> {
        let mut run = transaction.run.clone();
        run.reviews = reviews.iter().map(|stored| stored.review.clone()).collect();
        let facts = parties.facts(self.profiles.clone());
        let by = self.by(actor)?;
        Ok(engine::transition(
            &self.process.process,
            &run,
            by,
            &self.command,
            &facts,
        )?)
    }
}

/// Moves a transaction and stores it.
///
/// # Errors
/// In the order of the specification of transitions. [`Error::Locked`] when another transition is
/// under way; for a timer that is void also [`Error::NotFound`].
pub(crate) async fn step(
    context: &Context,
    caused: &Caused<'_>,
    wanted: Step<'_>,
) -> Result<Transaction, Error> {
    let ready = ready(context, caused, wanted).await?;
    if !ready.outside {
        return store(context, caused, &ready, None).await;
    }
    if let Err(error) = dry_run(context, caused, &ready).await
        && is_check(&error)
    {
        return Err(error);
    }
    let attempt = attempt::open(context, wanted.id, wanted.transition).await?;
    let done = store(context, caused, &ready, Some(attempt)).await;
    if done.is_err() {
        attempt::abort(context, attempt).await?;
    }
    done
}

/// What a transition would do.
///
/// # Errors
/// Those of [`step`].
pub(crate) async fn step_speculative(
    context: &Context,
    caused: &Caused<'_>,
    wanted: Step<'_>,
) -> Result<Transaction, Error> {
    let ready = ready(context, caused, wanted).await?;
    let stepped = dry_run(context, caused, &ready).await?;
    Ok(ready.seen.moved_to(stepped.run))
}

async fn dry_run(
    context: &Context,
    caused: &Caused<'_>,
    ready: &Ready<'_>,
) -> Result<Stepped, Error> {
    let run = &ready.seen.run;
    let parties = parties_known(context, run.customer, run.provider).await?;
    let reviews: Vec<StoredReview> = context
        .db
        .all_as(reviews::of_transaction(ready.seen.id))
        .await?;
    ready.run(caused.actor, &ready.seen, &reviews, &parties)
}

async fn store(
    context: &Context,
    caused: &Caused<'_>,
    ready: &Ready<'_>,
    attempt: Option<AttemptId>,
) -> Result<Transaction, Error> {
    let real_now = context.real_clock.now();
    let (transaction, due_now) = knowing(context, |strict: Strict| {
        context.db.write(move |tx| async move {
            stored(&tx, context, caused, ready, (strict, attempt, real_now)).await
        })
    })
    .await?;
    wake_timers(context, due_now);
    Ok(transaction)
}

async fn stored(
    tx: &Tx,
    context: &Context,
    caused: &Caused<'_>,
    ready: &Ready<'_>,
    (strict, attempt, real_now): (Strict, Option<AttemptId>, Timestamp),
) -> Result<(Transaction, bool), Error> {
    let id = ready.seen.id;
    let user = |party: Party| ready.seen.run.user(party);
    let parties = Parties::locked(tx, user(Party::Customer), user(Party::Provider)).await?;
    strict.check(&parties)?;
    let locked = dialect::locked(tx, id, attempt, real_now).await?;
    let locked = locked.ok_or(Error::TransactionNotFound)?;
    if locked.attempted {
        return Err(Error::Locked);
    }
    let before = locked.transaction;
    if let Some(timer) = caused.timer {
        let entry = i64::try_from(before.run.history.len()).unwrap_or(i64::MAX);
        let is_void = timer.entry != entry || tx.opt(timers::held(timer)).await?.is_none();
        if is_void {
            return Err(Error::NotFound);
        }
    }
    let reviews: Vec<StoredReview> = tx.all_as(reviews::of_transaction(id)).await?;
    require(
        context,
        caused.actor,
        caused.action,
        &parties,
        &before.resource(),
    )?;
    let stepped = ready.run(caused.actor, &before, &reviews, &parties)?;
    let after = before.moved_to(stepped.run.clone());
    let commit = Commit {
        before: Some(&before),
        after: &after,
        stepped: &stepped,
        reviews: &reviews,
        at: ready.command.at,
        origin: &caused.origin,
        attempt,
    };
    commit::store(tx, context, &commit).await?;
    let due_now = stepped
        .delayed
        .iter()
        .any(|timer| timer.run_at <= ready.command.at);
    Ok((after, due_now))
}
