//! Ends an operator's access: tokens and sessions are dead, resets open nothing. There is no way
//! back; the last owner stays.

use super::operator_id;
use crate::Auth;
use crate::access;
use crate::audit;
use crate::error::Error;
use crate::operators::{self, Ending};
use stoa_feed::Origin;
use stoa_policy::Action;
use stoa_proto::auth::{self as pb, DisableOperatorRequest};
use stoa_rpc::Caller;

pub(super) async fn disable_operator(
    auth: &Auth,
    caller: Caller,
    request: DisableOperatorRequest,
) -> Result<pb::Operator, Error> {
    let id = operator_id(&request.id)?;
    let origin = Origin::of(&caller);
    let ending = Ending {
        lifetimes: &auth.tokens.lifetimes,
        origin: &origin,
        entropy: &*auth.entropy,
        now: auth.real_clock.now(),
    };
    let (caller, ending, reason) = (&caller, &ending, request.reason.as_deref());
    let disabled = auth
        .db
        .write(|tx| async move {
            access::may_write(&tx, &caller.actor, Action::DisableOperator).await?;
            let disabled = operators::disable(&tx, id, ending).await?;
            let action = Action::DisableOperator.name();
            audit::command(&tx, auth, caller, action, |entry| {
                let changes = [("disabled", Some(false.into()), Some(true.into()))];
                entry.target("operator", id).changed(reason, &changes)
            })
            .await?;
            Ok::<_, Error>(disabled)
        })
        .await?;
    Ok(operators::message(&disabled, None))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::rpc::create_operator::tests::{CHOSEN, create};
    use crate::rpc::grant_operator::tests::log_in;
    use crate::rpc::refresh::tests::refresh_of;
    use crate::rpc::reset_operator_password::tests::reset;
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use stoa_db::{Db, sql};
    use stoa_policy::Role;
    use stoa_testkit::engine::Place;

    pub(in crate::rpc) async fn disable(
        world: &World,
        caller: &Caller,
        id: &str,
    ) -> Told<pb::Operator> {
        let request = DisableOperatorRequest {
            id: id.into(),
            reason: Some("left the company".into()),
        };
        told(disable_operator(&world.auth, caller.clone(), request).await)
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: security S13 (operator disabled), security 2.6, security S12 (operators)
        async fn a_disabled_operator_is_out_with_all_that_was_opened(db: Db) {
            let world = World::new(db).await;
            let owner = world.operator(Role::Owner).await;
            let made = create(&world, &owner, "o@market.example", "staff").await.unwrap();
            reset(&world, &made.reset_token.unwrap(), CHOSEN).await.unwrap();
            let tokens = log_in(&world, "o@market.example", CHOSEN).await.unwrap();
            let oep = world.claims(&tokens.access_token).oep.unwrap();
            let disabled = disable(&world, &owner, &made.id).await.unwrap();
            assert!(disabled.disabled_at_ms.is_some());
            // The gateway refuses every lower epoch.
            let (kind, key, _) = world.revoked().await.pop().unwrap();
            assert_eq!((kind.as_str(), key), ("op", made.id.clone()));
            let (epoch,): (i64,) = world
                .row("SELECT epoch FROM revocation_log WHERE kind = 'op' ORDER BY epoch DESC LIMIT 1")
                .await;
            assert!(epoch > oep);
            assert_eq!(refusal(refresh_of(&world, None, tokens.refresh_token).await).0, 401);
            assert_eq!(refusal(log_in(&world, "o@market.example", CHOSEN).await).0, 401);
            let again = refusal(disable(&world, &owner, &made.id).await);
            assert_eq!(again, (409, "operator-disabled".into()));
        }

        // contract: security S26
        async fn the_last_owner_stays(db: Db) {
            let world = World::new(db).await;
            world.run(sql("UPDATE operators SET disabled_at = 1")).await;
            let owner = world.operator(Role::Owner).await;
            let id = owner.actor.operator.unwrap().to_string();
            world.operator(Role::Staff).await;
            let last = refusal(disable(&world, &owner, &id).await);
            assert_eq!(last, (409, "last-owner".into()));
            world.operator(Role::Owner).await;
            assert!(disable(&world, &owner, &id).await.is_ok());
        }

        // contract: security S26 (two at once)
        async fn two_owners_who_disable_each_other_leave_one(place: Place) {
            let world = World::new(place.open().await).await;
            world.run(sql("UPDATE operators SET disabled_at = 1")).await;
            let (one, other) = (world.operator(Role::Owner).await, world.operator(Role::Owner).await);
            let id = |caller: &Caller| caller.actor.operator.unwrap().to_string();
            let (one_id, other_id) = (id(&one), id(&other));
            let (a, b) = futures::join!(
                disable(&world, &one, &other_id),
                disable(&world, &other, &one_id),
            );
            assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
            let left = "SELECT COUNT(*) FROM operators WHERE disabled_at IS NULL";
            assert_eq!(world.row::<(i64,)>(left).await, (1,));
        }

        async fn only_an_owner_disables_and_only_who_is_there(db: Db) {
            let world = World::new(db).await;
            let owner = world.operator(Role::Owner).await;
            let id = owner.actor.operator.unwrap().to_string();
            for role in [Role::Staff, Role::ReadOnly] {
                let caller = world.operator(role).await;
                assert_eq!(refusal(disable(&world, &caller, &id).await).0, 403);
            }
            let unknown = stoa_types::id::OperatorId::random(&*world.entropy).to_string();
            let answer = refusal(disable(&world, &owner, &unknown).await);
            assert_eq!(answer, (409, "operator-not-found".into()));
            assert_eq!(refusal(disable(&world, &owner, "x").await).0, 400);
        }
    }
}
