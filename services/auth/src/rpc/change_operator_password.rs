//! The own password of an operator, with the present one. Every session ends, this one too.

use super::given;
use crate::Auth;
use crate::access;
use crate::audit;
use crate::domain::operator_password::{NewPassword, refused};
use crate::error::Error;
use crate::operators::{self as commands, Ending};
use crate::store::operators;
use stoa_feed::Origin;
use stoa_policy::{Action, Denied};
use stoa_proto::auth::{self as pb, ChangeOperatorPasswordRequest};
use stoa_rpc::Caller;

pub(super) async fn change_operator_password(
    auth: &Auth,
    caller: Caller,
    request: ChangeOperatorPasswordRequest,
) -> Result<pb::Operator, Error> {
    given(&[
        ("currentPassword", &request.current_password),
        ("newPassword", &request.new_password),
    ])?;
    let id = caller.actor.operator.ok_or(Denied::Forbidden)?;
    access::may_read(auth, &caller, Action::ChangeOperatorPassword).await?;
    let found = operators::shown(&auth.db, id)
        .await?
        .ok_or(Denied::Forbidden)?;
    let stored = found.operator.password();
    let checked = auth.hasher.verify(request.current_password, stored).await?;
    if !checked.ok {
        return Err(Error::WrongPassword);
    }
    let new = NewPassword::parse(request.new_password, &found.email)
        .map_err(|why| Error::Invalid(refused(why).into()))?;
    let hash = &auth.hasher.hash(new.into_text()).await?;
    let origin = Origin::of(&caller);
    let ending = &Ending {
        lifetimes: &auth.tokens.lifetimes,
        origin: &origin,
        entropy: &*auth.entropy,
        now: auth.real_clock.now(),
    };
    let (caller, operator) = (&caller, &found.operator);
    auth.db
        .write(|tx| async move {
            access::may_write(&tx, &caller.actor, Action::ChangeOperatorPassword).await?;
            commands::replace_password(&tx, operator, hash, ending)
                .await?
                .ok_or(Error::WrongPassword)?;
            let action = Action::ChangeOperatorPassword.name();
            audit::command(&tx, auth, caller, action, |entry| {
                entry.target("operator", id)
            })
            .await?;
            Ok::<(), Error>(())
        })
        .await?;
    Ok(commands::message(&found, None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::create_operator::tests::CHOSEN;
    use crate::rpc::grant_operator::tests::log_in;
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use stoa_db::Db;
    use stoa_policy::{Actor, Role};
    use stoa_types::id::OperatorId;

    async fn change(world: &World, caller: &Caller, old: &str, new: &str) -> Told<pb::Operator> {
        let request = ChangeOperatorPasswordRequest {
            current_password: old.into(),
            new_password: new.into(),
        };
        told(change_operator_password(&world.auth, caller.clone(), request).await)
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: security S26, operator operators/change_password
        async fn the_own_password_changes_with_the_present_one_and_ends_every_session(db: Db) {
            let world = World::new(db).await;
            let old = world.born.operator_password.clone();
            let tokens = log_in(&world, "owner@example.com", &old).await.unwrap();
            let claims = world.claims(&tokens.access_token);
            let id = OperatorId::parse(claims.sub.strip_prefix("op:").unwrap()).unwrap();
            let me = world.caller(Actor::operator(id, Role::Owner));
            assert_eq!(refusal(change(&world, &me, "wrong", CHOSEN).await).0, 403);
            let short = refusal(change(&world, &me, &old, "short").await);
            assert_eq!(short, (400, "validation-invalid-value".into()));
            assert_eq!(refusal(change(&world, &me, "", CHOSEN).await).0, 400);
            change(&world, &me, &old, CHOSEN).await.unwrap();
            assert_eq!(refusal(log_in(&world, "owner@example.com", &old).await).0, 401);
            let new = log_in(&world, "owner@example.com", CHOSEN).await.unwrap();
            assert_eq!(world.claims(&new.access_token).oep, Some(claims.oep.unwrap() + 1));
            assert_eq!(world.revoked().await.pop().unwrap().0, "op");
        }
    }
}
