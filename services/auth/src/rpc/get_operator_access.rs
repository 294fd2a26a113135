//! What an operator may do now: roles are read at use and never stand in a token.

use crate::Auth;
use crate::access;
use crate::error::Error;
use crate::store::operators;
use stoa_policy::Action;
use stoa_proto::auth::{GetOperatorAccessRequest, OperatorAccess};
use stoa_rpc::Caller;
use stoa_types::id::OperatorId;
use stoa_types::{Problem, SourceKind};

pub(super) async fn get_operator_access(
    auth: &Auth,
    caller: Caller,
    request: GetOperatorAccessRequest,
) -> Result<OperatorAccess, Error> {
    let id = OperatorId::parse(&request.operator_id).map_err(|why| {
        let path = vec!["operatorId".into()];
        Error::Invalid(Problem::invalid_value(SourceKind::Query, path, why.to_string()).into())
    })?;
    access::may_read(auth, &caller, Action::OperatorAccess).await?;
    let operator = operators::operator(&auth.db, id)
        .await?
        .filter(|operator| !operator.disabled);
    Ok(OperatorAccess {
        operator_id: id.to_string(),
        role: operator
            .as_ref()
            .map_or_else(String::new, |operator| operator.role.name().to_owned()),
        epoch: operator.map_or(0, |operator| operator.epoch),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use stoa_db::{Db, sql};
    use stoa_policy::Role;

    async fn access_of(world: &World, id: &str) -> Told<(String, i64)> {
        let request = GetOperatorAccessRequest {
            operator_id: id.into(),
        };
        let answer = get_operator_access(&world.auth, world.nobody(), request).await;
        told(answer).map(|access| (access.role, access.epoch))
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        async fn roles_are_those_of_the_moment(db: Db) {
            let world = World::new(db).await;
            let staff = world.operator(Role::Staff).await.actor.operator.unwrap().to_string();
            assert_eq!(access_of(&world, &staff).await.unwrap(), ("staff".into(), 0));
            world.run(sql("UPDATE operators SET role = 'read-only', epoch = 1")).await;
            assert_eq!(access_of(&world, &staff).await.unwrap(), ("read-only".into(), 1));
            world.run(sql("UPDATE operators SET disabled_at = 1")).await;
            assert_eq!(access_of(&world, &staff).await.unwrap().0, "");
            let unknown = OperatorId::random(&*world.entropy).to_string();
            assert_eq!(access_of(&world, &unknown).await.unwrap().0, "");
            assert_eq!(refusal(access_of(&world, "x").await).0, 400);
        }
    }
}
