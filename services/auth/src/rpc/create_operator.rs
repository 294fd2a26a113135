//! A new operator. Nobody chooses another's password: the answer alone carries a token with which
//! the new operator chooses one within an hour.

use crate::Auth;
use crate::access;
use crate::audit;
use crate::error::Error;
use crate::operators::{self, NewOperator, ResetToken};
use stoa_policy::Action;
use stoa_proto::auth::{self as pb, CreateOperatorRequest};
use stoa_rpc::Caller;

pub(super) async fn create_operator(
    auth: &Auth,
    caller: Caller,
    request: CreateOperatorRequest,
) -> Result<pb::Operator, Error> {
    let new = NewOperator::parse(&request.email, &request.role, &*auth.entropy)
        .map_err(Error::Invalid)?;
    let now = auth.real_clock.now();
    let token = ResetToken::generate(now, &*auth.entropy);
    let (caller, new, given) = (&caller, &new, &token);
    let made = auth
        .db
        .write(|tx| async move {
            access::may_write(&tx, &caller.actor, Action::CreateOperator).await?;
            let made = new.store(&tx, given, now).await?;
            let action = Action::CreateOperator.name();
            audit::command(&tx, auth, caller, action, |entry| new.complete(entry)).await?;
            Ok::<_, Error>(made)
        })
        .await?;
    Ok(operators::message(&made, Some(&token)))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::rpc::grant_operator::tests::log_in;
    use crate::rpc::reset_operator_password::tests::reset;
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use stoa_db::Db;
    use stoa_policy::Role;

    pub(in crate::rpc) const CHOSEN: &str = "a covered walk in Athens";

    pub(in crate::rpc) async fn create(
        world: &World,
        caller: &Caller,
        email: &str,
        role: &str,
    ) -> Told<pb::Operator> {
        let request = CreateOperatorRequest {
            email: email.into(),
            role: role.into(),
        };
        told(create_operator(&world.auth, caller.clone(), request).await)
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: operator operators/create, security S26
        async fn a_new_operator_chooses_a_password_with_the_token_and_nobody_else_does(db: Db) {
            let world = World::new(db).await;
            let owner = world.operator(Role::Owner).await;
            let made = create(&world, &owner, " Olivia@Market.example ", "staff").await.unwrap();
            assert_eq!((made.email.as_str(), made.role.as_str()), ("olivia@market.example", "staff"));
            assert!(!made.has_password);
            let token = made.reset_token.unwrap();
            assert!(token.starts_with("sor_") && token.len() == 47);
            for password in ["", CHOSEN, &token] {
                let early = log_in(&world, "olivia@market.example", password).await;
                assert!(early.is_err(), "{password}");
            }
            let short = reset(&world, &token, "short").await;
            assert_eq!(refusal(short), (400, "validation-invalid-value".into()));
            let chosen = reset(&world, &token, CHOSEN).await.unwrap();
            assert_eq!((chosen.id.as_str(), chosen.has_password), (made.id.as_str(), true));
            assert_eq!(chosen.reset_token, None);
            assert!(log_in(&world, "olivia@market.example", CHOSEN).await.is_ok());
            let again = reset(&world, &token, "another covered walk").await;
            assert_eq!(refusal(again).0, 401, "once");
        }

        // contract: security S26 (1 h)
        async fn the_token_counts_for_an_hour(db: Db) {
            let world = World::new(db).await;
            let owner = world.operator(Role::Owner).await;
            let late = create(&world, &owner, "late@market.example", "staff").await.unwrap();
            world.pass_s(3600);
            let token = late.reset_token.unwrap();
            assert_eq!(refusal(reset(&world, &token, CHOSEN).await).0, 401);
        }

        // contract: security S28
        async fn only_an_owner_makes_operators_with_an_address_of_their_own(db: Db) {
            let world = World::new(db).await;
            for role in [Role::Staff, Role::ReadOnly] {
                let caller = world.operator(role).await;
                let answer = create(&world, &caller, "x@market.example", "owner").await;
                assert_eq!(refusal(answer).0, 403);
            }
            let owner = world.operator(Role::Owner).await;
            create(&world, &owner, "x@market.example", "owner").await.unwrap();
            let taken = create(&world, &owner, "X@market.example", "staff").await;
            assert_eq!(refusal(taken), (409, "email-taken".into()));
            for (email, role) in [
                ("x", "staff"),
                ("@market.example", "staff"),
                ("a b@market.example", "staff"),
                ("y@market.example", "root"),
            ] {
                assert_eq!(refusal(create(&world, &owner, email, role).await).0, 400, "{email}");
            }
        }
    }
}
