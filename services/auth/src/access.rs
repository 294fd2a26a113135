//! What the policy is asked with: the standing of the caller, read where the decision is made.

use crate::Auth;
use crate::error::Error;
use crate::store::operators;
use stoa_db::Tx;
use stoa_feed::projections::actors;
use stoa_policy::{Action, Actor, Level, Resource, Role, Standing, UserAccess, require};
use stoa_rpc::Caller;

/// The caller may use the token endpoint: the gateway, before anybody is authenticated.
pub(crate) fn may_grant(caller: &Caller) -> Result<(), Error> {
    require(
        &caller.actor,
        Action::GrantToken,
        &Standing::default(),
        &Resource::None,
    )?;
    Ok(())
}

/// The caller may read this: users by their state, operators by their role, as they are now.
pub(crate) async fn may_read(auth: &Auth, caller: &Caller, action: Action) -> Result<(), Error> {
    let actor = &caller.actor;
    let user = match actor.user.filter(|_| actor.level.is_user()) {
        Some(id) => auth.actors.known(id).await?,
        None => None,
    };
    let role = match (actor.level, actor.operator) {
        (Level::Operator, Some(id)) => role_of(operators::operator(&auth.db, id).await?),
        _ => None,
    };
    decide(actor, action, user.as_ref(), role)
}

/// The caller may write this, judged inside the write.
pub(crate) async fn may_write(tx: &Tx, actor: &Actor, action: Action) -> Result<(), Error> {
    let user = match actor.user.filter(|_| actor.level.is_user()) {
        Some(id) => actors::read_for_write(tx, id).await?,
        None => None,
    };
    let role = match (actor.level, actor.operator) {
        (Level::Operator, Some(id)) => role_of(operators::operator_for_write(tx, id).await?),
        _ => None,
    };
    decide(actor, action, user.as_ref(), role)
}

fn decide(
    actor: &Actor,
    action: Action,
    user: Option<&UserAccess>,
    role: Option<Role>,
) -> Result<(), Error> {
    let standing = Standing {
        user,
        role,
        ..Standing::default()
    };
    require(actor, action, &standing, &Resource::None)?;
    Ok(())
}

fn role_of(operator: Option<operators::Operator>) -> Option<Role> {
    operator
        .filter(|operator| !operator.disabled)
        .map(|operator| operator.role)
}
