//! What may happen next in a transaction, or what a process knows at all.
//!
//! Delayed transitions and the operator's are left out: no user can take them.

use super::{id_in, require_read};
use crate::context::Context;
use crate::domain::{Transaction, process_transition};
use crate::error::Error;
use crate::processes::Versioned;
use crate::store::transactions;
use stoa_policy::{Action, Resource};
use stoa_process::Transition;
use stoa_proto::transactions as pb;
use stoa_rpc::Caller;
use stoa_types::id::TransactionId;
use stoa_types::{Problem, SourceKind};

pub(super) async fn query_process_transitions(
    context: &Context,
    caller: Caller,
    request: pb::QueryProcessTransitionsRequest,
) -> Result<pb::QueryProcessTransitionsResponse, Error> {
    let transitions = match (&request.transaction_id, &request.process_alias) {
        (Some(id), None) => {
            let id = id_in(SourceKind::Query, "transactionId", TransactionId::parse(id))?;
            next(context, &caller, id).await?
        }
        (None, Some(alias)) => {
            require(context, &caller, &Resource::None).await?;
            of_process(context, alias).await?
        }
        _ => {
            let why = "exactly one of transactionId and processAlias is required";
            return Err(Problem::invalid_params(why).into());
        }
    };
    Ok(pb::QueryProcessTransitionsResponse { transitions })
}

async fn require(context: &Context, caller: &Caller, resource: &Resource) -> Result<(), Error> {
    require_read(context, caller, Action::QueryProcessTransitions, resource).await
}

/// What the caller may do next; nothing in a transaction that does not exist.
async fn next(
    context: &Context,
    caller: &Caller,
    id: TransactionId,
) -> Result<Vec<pb::ProcessTransition>, Error> {
    let found: Option<Transaction> = context.db.opt_as(transactions::by_id(id)).await?;
    let Some(transaction) = found else {
        require(context, caller, &Resource::None).await?;
        return Ok(Vec::new());
    };
    require(context, caller, &transaction.resource()).await?;
    let process = context
        .processes
        .version(&transaction.process_name, transaction.process_version)
        .await?;
    let run = &transaction.run;
    let party = caller.actor.user.and_then(|user| run.party_of(user));
    let party = party.ok_or(stoa_policy::Denied::Forbidden)?;
    let next = process.process.next_transitions(&run.state, party);
    Ok(described(&process, next))
}

/// What the parties can do in a process; nothing for an alias that does not exist.
async fn of_process(context: &Context, alias: &str) -> Result<Vec<pb::ProcessTransition>, Error> {
    let process = match context.processes.of_alias(alias).await {
        Err(Error::UnknownAlias) => return Ok(Vec::new()),
        process => process?,
    };
    let by_parties = process
        .process
        .transitions()
        .iter()
        .filter(|t| t.actor().party().is_some());
    Ok(described(&process, by_parties))
}

fn described<'a>(
    process: &Versioned,
    transitions: impl IntoIterator<Item = &'a Transition>,
) -> Vec<pb::ProcessTransition> {
    transitions
        .into_iter()
        .map(|transition| process_transition(&process.name, process.version, transition))
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use stoa_db::Db;
    use stoa_proto::transactions::QueryProcessTransitionsRequest as Query;

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: transactions T40
        async fn a_party_is_offered_what_it_may_take_next(db: Db) {
            let world = World::new(db).await;
            let id = world.requested().await.id;
            let names = async |actor, query| {
                let answer = world.process_transitions(&actor, query).await.unwrap();
                answer.transitions.into_iter().map(|t| t.name).collect::<Vec<_>>()
            };
            let of = |id: &str| Query { transaction_id: Some(id.into()), process_alias: None };
            assert_eq!(
                names(user(PROVIDER), of(&id)).await,
                ["transition/accept", "transition/decline"]
            );
            assert!(names(user(CUSTOMER), of(&id)).await.is_empty());
            assert!(names(user(CUSTOMER), of(&LISTING.to_string())).await.is_empty());
            let foreign = world.process_transitions(&user(STRANGER), of(&id)).await;
            assert_eq!(refusal(foreign), forbidden());
            let alias = Query { transaction_id: None, process_alias: Some(FREE_REQUEST.into()) };
            assert_eq!(names(user(STRANGER), alias).await.len(), 7);
            let neither = world.process_transitions(&user(CUSTOMER), Query::default()).await;
            assert_eq!(refusal(neither), (400, "validation-invalid-params".into()));
        }
    }
}
