//! Starts a transaction.

use super::commit::{self, Commit};
use super::{
    Parties, Strict, attempt, is_check, knowing, parties_known, profiles, require, wake_timers,
};
use crate::context::Context;
use crate::domain::{Transaction, listing_facts};
use crate::error::Error;
use crate::processes::Versioned;
use stoa_feed::outbox::SOURCE_TRANSACTION;
use stoa_feed::{Origin, OwnedStanding};
use stoa_policy::{Action, Level, Resource, effective};
use stoa_process::Party;
use stoa_process::engine::{Command, Initiation, ListingFacts, Start, Stepped};
use stoa_rpc::Caller;
use stoa_types::id::{AttemptId, TransactionId, UserId};

/// What a caller wants to start.
pub(crate) struct Initiate<'a> {
    /// Who.
    pub(crate) caller: &'a Caller,
    /// The caller's standing when the call came in.
    pub(crate) standing: &'a OwnedStanding,
    /// Which action that is.
    pub(crate) action: Action,
    /// The process.
    pub(crate) process: &'a Versioned,
    /// The initial transition.
    pub(crate) transition: &'a str,
    /// Its parameters, JSON text.
    pub(crate) params: &'a str,
}

/// What was loaded before anything is decided under lock.
struct Ready<'a> {
    command: Command<'a>,
    caller: UserId,
    listing: Option<ListingFacts>,
    customer: UserId,
    provider: UserId,
    profiles: super::Profiles,
    outside: bool,
}

async fn ready<'a>(context: &Context, wanted: &Initiate<'a>) -> Result<Ready<'a>, Error> {
    let actor = &wanted.caller.actor;
    let caller = actor.user.ok_or(stoa_policy::Denied::Forbidden)?;
    let command = Command {
        transition: wanted.transition,
        params: wanted.params,
        trusted: stoa_policy::is_trusted(actor),
        at: context.clock.now(),
    };
    let initiation = Initiation::check(&wanted.process.process, &command)?;
    let credentials = wanted.caller.forward("transactions");
    let answer = context.listing(&credentials, initiation.listing()).await?;
    let settings = wanted.standing.settings;
    let may_read = !settings.private
        || wanted
            .standing
            .user
            .as_ref()
            .is_some_and(|user| effective(settings, user).read);
    let listing = listing_facts(&answer, may_read);
    // Without a listing the engine refuses before it asks for the parties.
    let author = listing.map_or(caller, |listing| listing.author);
    let (customer, provider) = match initiation.caller_is() {
        Party::Customer => (caller, author),
        Party::Provider => (author, caller),
    };
    let transition = initiation.transition();
    let profiles = profiles(context, &credentials, Some(transition), customer, provider).await?;
    let outside = transition.needs_outside_call();
    Ok(Ready {
        command,
        caller,
        listing,
        customer,
        provider,
        profiles,
        outside,
    })
}

impl Ready<'_> {
    fn run(&self, process: &Versioned, parties: &Parties) -> Result<Stepped, Error> {
        let facts = parties.facts(self.profiles.clone());
        let start = Start {
            caller: self.caller,
            listing: self.listing,
            facts: &facts,
        };
        Ok(Initiation::check(&process.process, &self.command)?.run(&start)?)
    }

    fn transaction(
        &self,
        id: TransactionId,
        process: &Versioned,
        stepped: &Stepped,
    ) -> Transaction {
        Transaction {
            id,
            version: 1,
            process_name: process.name.clone(),
            process_version: process.version,
            created_at: self.command.at,
            run: stepped.run.clone(),
        }
    }
}

/// Starts a transaction and stores it.
///
/// # Errors
/// In the order of the specification of transitions: policy, transition, trust, parameters,
/// listing, parties, actions.
pub(crate) async fn initiate(
    context: &Context,
    wanted: &Initiate<'_>,
) -> Result<Transaction, Error> {
    let ready = ready(context, wanted).await?;
    let id = TransactionId::random(&*context.entropy);
    if !ready.outside {
        return store(context, wanted, &ready, id, None).await;
    }
    let dry = dry_run(context, wanted, &ready).await;
    if let Err(error) = dry
        && is_check(&error)
    {
        return Err(error);
    }
    let attempt = attempt::open(context, id, wanted.transition).await?;
    let done = store(context, wanted, &ready, id, Some(attempt)).await;
    if done.is_err() {
        attempt::abort(context, attempt).await?;
    }
    done
}

/// Starts a transaction that nobody will find.
///
/// # Errors
/// Those of [`initiate`].
pub(crate) async fn initiate_speculative(
    context: &Context,
    wanted: &Initiate<'_>,
) -> Result<Transaction, Error> {
    let ready = ready(context, wanted).await?;
    let stepped = dry_run(context, wanted, &ready).await?;
    let id = TransactionId::random(&*context.entropy);
    Ok(ready.transaction(id, wanted.process, &stepped))
}

async fn dry_run(
    context: &Context,
    wanted: &Initiate<'_>,
    ready: &Ready<'_>,
) -> Result<Stepped, Error> {
    let parties = parties_known(context, ready.customer, ready.provider).await?;
    require(
        context,
        &wanted.caller.actor,
        wanted.action,
        &parties,
        &Resource::None,
    )?;
    ready.run(wanted.process, &parties)
}

async fn store(
    context: &Context,
    wanted: &Initiate<'_>,
    ready: &Ready<'_>,
    id: TransactionId,
    attempt: Option<AttemptId>,
) -> Result<Transaction, Error> {
    let actor = &wanted.caller.actor;
    debug_assert!(actor.level != Level::System, "time starts nothing");
    let origin = Origin::of(wanted.caller).with_source(SOURCE_TRANSACTION);
    let origin = &origin;
    let (transaction, due_now) = knowing(context, |strict: Strict| {
        context.db.write(move |tx| async move {
            let parties = Parties::locked(&tx, ready.customer, ready.provider).await?;
            strict.check(&parties)?;
            require(context, actor, wanted.action, &parties, &Resource::None)?;
            let stepped = ready.run(wanted.process, &parties)?;
            let after = ready.transaction(id, wanted.process, &stepped);
            let commit = Commit {
                before: None,
                after: &after,
                stepped: &stepped,
                reviews: &[],
                at: ready.command.at,
                origin,
                attempt,
            };
            commit::store(&tx, context, &commit).await?;
            let due_now = stepped
                .delayed
                .iter()
                .any(|timer| timer.run_at <= ready.command.at);
            Ok::<_, Error>((after, due_now))
        })
    })
    .await?;
    wake_timers(context, due_now);
    Ok(transaction)
}
