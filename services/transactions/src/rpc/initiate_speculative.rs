//! What an initiation would give; nothing is stored.

use crate::context::Context;
use crate::error::Error;
use crate::transition::{self, Initiate};
use stoa_policy::{Action, Resource};
use stoa_proto::transactions as pb;
use stoa_rpc::Caller;

pub(super) async fn initiate_speculative(
    context: &Context,
    caller: Caller,
    request: pb::InitiateRequest,
) -> Result<pb::Transaction, Error> {
    let action = Action::InitiateSpeculative;
    let standing = context.standings.prepare(&caller).await?;
    stoa_policy::require(
        &caller.actor,
        action,
        &standing.as_standing(),
        &Resource::None,
    )?;
    let process = context.processes.of_alias(&request.process_alias).await?;
    let wanted = Initiate {
        caller: &caller,
        standing: &standing,
        action,
        process: &process,
        transition: &request.transition,
        params: &request.params,
    };
    Ok(transition::initiate_speculative(context, &wanted)
        .await?
        .shown())
}

#[cfg(test)]
mod tests {
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use stoa_db::Db;

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: engine E35, integration I14
        async fn a_dry_initiation_shows_everything_and_stores_nothing(db: Db) {
            let world = World::new(db).await;
            let params = request_params(LISTING);
            let dry = async |actor| {
                world
                    .initiate_speculative(&actor, FREE_REQUEST, "transition/request", &params)
                    .await
            };
            let (first, second) =
                (dry(trusted(CUSTOMER)).await.unwrap(), dry(trusted(CUSTOMER)).await.unwrap());
            assert_eq!(first.payout_total.unwrap().amount, 5000);
            assert_eq!((first.state.as_str(), first.transitions.len()), ("state/requested", 1));
            assert_ne!(first.id, second.id);
            assert_eq!(refusal(dry(user(CUSTOMER)).await), forbidden());
            assert_eq!(
                refusal(dry(trusted(PROVIDER)).await),
                conflict("transaction-same-author-and-customer")
            );
            assert_eq!(refusal(world.show(&user(CUSTOMER), &first.id).await).0, 404);
            assert_eq!(world.count("SELECT count(*) FROM timers").await, 0);
            assert!(world.envelopes().await.is_empty());
        }
    }
}
