//! What a transition would do; nothing is stored.

use super::id_in;
use super::transition::caused;
use crate::context::Context;
use crate::error::Error;
use crate::transition::{self, Step};
use stoa_policy::{Action, Resource};
use stoa_proto::transactions as pb;
use stoa_rpc::Caller;
use stoa_types::SourceKind;
use stoa_types::id::TransactionId;

pub(super) async fn transition_speculative(
    context: &Context,
    caller: Caller,
    request: pb::TransitionRequest,
) -> Result<pb::Transaction, Error> {
    let action = Action::TransitionSpeculative;
    let standing = context.standings.prepare(&caller).await?;
    stoa_policy::require(
        &caller.actor,
        action,
        &standing.as_standing(),
        &Resource::None,
    )?;
    let id = id_in(SourceKind::Body, "id", TransactionId::parse(&request.id))?;
    let caused = caused(&caller, standing, action);
    let wanted = Step {
        id,
        transition: &request.transition,
        params: &request.params,
    };
    Ok(transition::step_speculative(context, &caused, wanted)
        .await?
        .shown())
}

#[cfg(test)]
mod tests {
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use stoa_db::Db;

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: integration I14
        async fn a_dry_transition_shows_what_would_be_and_changes_nothing(db: Db) {
            let world = World::new(db).await;
            let id = world.requested().await.id;
            let dry = async |actor, transition| {
                world.transition_speculative(&actor, &id, transition, "").await
            };
            let declined = dry(user(PROVIDER), "transition/decline").await.unwrap();
            assert_eq!((declined.id.as_str(), declined.state.as_str()), (&*id, "state/declined"));
            assert_eq!((declined.line_items.len(), declined.transitions.len()), (2, 2));
            let canceled = dry(integration(), "transition/cancel-from-requested").await.unwrap();
            assert_eq!(canceled.transitions[1].by, "operator");
            assert_eq!(refusal(dry(user(STRANGER), "transition/decline").await), forbidden());
            assert_eq!(
                refusal(dry(user(CUSTOMER), "transition/decline").await),
                conflict("transaction-invalid-transition")
            );
            assert_eq!(world.tx(&id).await.version, 1);
            assert_eq!(world.envelopes().await.len(), 1);
        }
    }
}
