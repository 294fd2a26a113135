//! Whoever has the token of an operator's reset chooses the password: before anybody is
//! authenticated, like a grant.

use super::given;
use crate::Auth;
use crate::audit;
use crate::domain::audit::Entry;
use crate::error::Error;
use crate::operators::{self, Ending};
use stoa_feed::Origin;
use stoa_policy::{Action, Level, Resource, Standing, require};
use stoa_proto::auth::{self as pb, ResetOperatorPasswordRequest};
use stoa_rpc::Caller;

const ACTION: Action = Action::ResetOperatorPassword;

pub(super) async fn reset_operator_password(
    auth: &Auth,
    caller: Caller,
    request: ResetOperatorPasswordRequest,
) -> Result<pb::Operator, Error> {
    let work = decide(auth, &caller, request);
    audit::grant(auth, ACTION.name(), &caller, None, work).await
}

async fn decide(
    auth: &Auth,
    caller: &Caller,
    request: ResetOperatorPasswordRequest,
) -> Result<pb::Operator, Error> {
    require(&caller.actor, ACTION, &Standing::default(), &Resource::None)?;
    given(&[
        ("token", &request.token),
        ("newPassword", &request.new_password),
    ])?;
    let origin = Origin::of(caller);
    let now = auth.real_clock.now();
    let ending = Ending {
        lifetimes: &auth.tokens.lifetimes,
        origin: &origin,
        entropy: &*auth.entropy,
        now,
    };
    let entry = |operator| Entry {
        operator: format!("{operator}"),
        level: Level::Operator.name().to_owned(),
        ..Entry::of(caller, ACTION.name(), now, &*auth.entropy).target("operator", operator)
    };
    let (token, password) = (&request.token, request.new_password.clone());
    let chosen = operators::redeem(&auth.db, &auth.hasher, token, password, &ending, entry).await?;
    Ok(operators::message(&chosen, None))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::rpc::create_operator::tests::{CHOSEN, create};
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use stoa_db::Db;
    use stoa_policy::Role;

    pub(in crate::rpc) async fn reset(
        world: &World,
        token: &str,
        password: &str,
    ) -> Told<pb::Operator> {
        let request = ResetOperatorPasswordRequest {
            token: token.into(),
            new_password: password.into(),
        };
        told(reset_operator_password(&world.auth, world.nobody(), request).await)
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: security S26, security S69
        async fn a_token_that_is_none_opens_nothing_and_is_written_down(db: Db) {
            let world = World::new(db).await;
            let owner = world.operator(Role::Owner).await;
            let made = create(&world, &owner, "o@market.example", "staff").await.unwrap();
            for token in ["sor_x", &made.id, "srt_x"] {
                assert_eq!(refusal(reset(&world, token, CHOSEN).await).0, 401);
            }
            let refused = world.audited("operators.reset_password").await;
            assert_eq!(refused.len(), 3);
            assert!(refused.iter().all(|entry| entry.code == "bad-reset-token"));
            let token = made.reset_token.unwrap();
            let (one, other) = futures::join!(
                reset(&world, &token, CHOSEN),
                reset(&world, &token, "another covered walk"),
            );
            assert!(one.is_ok() != other.is_ok(), "one of two wins");
        }
    }
}
