//! A token with which an operator chooses a new password within an hour. Who asked for it hands it
//! over; the present password counts until then.

use super::operator_id;
use crate::Auth;
use crate::access;
use crate::audit;
use crate::error::Error;
use crate::operators::{self, ResetToken};
use stoa_policy::Action;
use stoa_proto::auth::{self as pb, StartOperatorPasswordResetRequest};
use stoa_rpc::Caller;

pub(super) async fn start_operator_password_reset(
    auth: &Auth,
    caller: Caller,
    request: StartOperatorPasswordResetRequest,
) -> Result<pb::Operator, Error> {
    let id = operator_id(&request.id)?;
    let now = auth.real_clock.now();
    let token = ResetToken::generate(now, &*auth.entropy);
    let (caller, given) = (&caller, &token);
    let found = auth
        .db
        .write(|tx| async move {
            access::may_write(&tx, &caller.actor, Action::StartOperatorPasswordReset).await?;
            let found = operators::living(&tx, id).await?;
            operators::put_reset(&tx, &found.operator, given, now).await?;
            let action = Action::StartOperatorPasswordReset.name();
            audit::command(&tx, auth, caller, action, |entry| {
                entry.target("operator", id)
            })
            .await?;
            Ok::<_, Error>(found)
        })
        .await?;
    Ok(operators::message(&found, Some(&token)))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::rpc::create_operator::tests::CHOSEN;
    use crate::rpc::disable_operator::tests::disable;
    use crate::rpc::grant_operator::tests::log_in;
    use crate::rpc::reset_operator_password::tests::reset;
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use stoa_db::Db;
    use stoa_policy::Role;

    pub(in crate::rpc) async fn start(
        world: &World,
        caller: &Caller,
        id: &str,
    ) -> Told<pb::Operator> {
        let request = StartOperatorPasswordResetRequest { id: id.into() };
        told(start_operator_password_reset(&world.auth, caller.clone(), request).await)
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: security S26, security 2.6 (operator's password changed)
        async fn a_reset_replaces_the_password_and_ends_what_the_old_one_opened(db: Db) {
            let world = World::new(db).await;
            let owner = world.operator(Role::Owner).await;
            let old = world.born.operator_password.clone();
            let tokens = log_in(&world, "owner@example.com", &old).await.unwrap();
            let sub = world.claims(&tokens.access_token).sub;
            let id = sub.strip_prefix("op:").unwrap();
            let one = start(&world, &owner, id).await.unwrap().reset_token.unwrap();
            let two = start(&world, &owner, id).await.unwrap().reset_token.unwrap();
            assert!(log_in(&world, "owner@example.com", &old).await.is_ok());
            reset(&world, &two, CHOSEN).await.unwrap();
            assert_eq!(refusal(reset(&world, &one, CHOSEN).await).0, 401, "all of them end");
            assert_eq!(refusal(log_in(&world, "owner@example.com", &old).await).0, 401);
            let request = pb::RefreshRequest {
                client_id: None,
                refresh_token: tokens.refresh_token.unwrap(),
                source: String::new(),
            };
            let answer = super::super::refresh::refresh(&world.auth, world.nobody(), request).await;
            assert_eq!(refusal(told(answer)).0, 401);
            let new = log_in(&world, "owner@example.com", CHOSEN).await.unwrap();
            assert_eq!(world.claims(&new.access_token).oep, Some(1));
        }

        // contract: security S28
        async fn only_an_owner_starts_a_reset_of_somebody_who_is_there(db: Db) {
            let world = World::new(db).await;
            let owner = world.operator(Role::Owner).await;
            let staff = world.operator(Role::Staff).await;
            let id = staff.actor.operator.unwrap().to_string();
            assert_eq!(refusal(start(&world, &staff, &id).await).0, 403);
            let token = start(&world, &owner, &id).await.unwrap().reset_token.unwrap();
            disable(&world, &owner, &id).await.unwrap();
            assert_eq!(refusal(reset(&world, &token, CHOSEN).await).0, 401);
            let answer = refusal(start(&world, &owner, &id).await);
            assert_eq!(answer, (409, "operator-disabled".into()));
        }
    }
}
