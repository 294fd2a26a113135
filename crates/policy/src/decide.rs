//! The two questions.

use crate::{
    Action, Actor, Denied, Level, Ownership, Permission, Resource, Standing, UserState,
    WhilePending, effective,
};

/// May this caller do this at all? Asked by the gateway before the body is read.
///
/// # Errors
/// [`Denied`] says how to refuse.
pub fn admit(actor: &Actor, action: Action, standing: &Standing<'_>) -> Result<(), Denied> {
    let rule = action.rule();
    if !rule.levels.contains(actor.level) {
        return Err(Denied::Forbidden);
    }
    match actor.level {
        Level::Anonymous => {
            if rule.public_read && standing.settings.private {
                return Err(Denied::Forbidden);
            }
            Ok(())
        }
        Level::User | Level::TrustedUser | Level::LimitedUser => {
            admit_user(actor, action, standing)
        }
        Level::Operator => match standing.role {
            Some(role) if role >= rule.role => Ok(()),
            _ => Err(Denied::Forbidden),
        },
        Level::Integration | Level::Service | Level::System => Ok(()),
    }
}

fn admit_user(actor: &Actor, action: Action, standing: &Standing<'_>) -> Result<(), Denied> {
    let rule = action.rule();
    // Fail closed: a user level without a known user may do nothing.
    let user = standing.user.ok_or(Denied::Forbidden)?;
    let spared = user.except_session.is_some() && user.except_session == actor.session;
    if user.state == UserState::Deleted || (actor.user_epoch < user.epoch && !spared) {
        return Err(Denied::DeadToken);
    }
    let private = standing.settings.private;
    if user.state == UserState::Banned {
        // A banned user reads what an anonymous visitor reads.
        let as_anonymous = rule.while_banned && !(rule.public_read && private);
        return if as_anonymous {
            Ok(())
        } else {
            Err(Denied::Forbidden)
        };
    }
    if user.state == UserState::PendingApproval {
        match rule.while_pending {
            WhilePending::Allowed => {}
            WhilePending::Refused => return Err(Denied::PendingApproval),
            WhilePending::RefusedIfPrivate if private => {
                return Err(Denied::PendingApprovalToRead);
            }
            WhilePending::RefusedIfPrivate => {}
        }
    }
    let permissions = effective(standing.settings, user);
    if rule.public_read && private && !permissions.read {
        return Err(Denied::Read);
    }
    match rule.permission {
        Some(Permission::PostListings) if !permissions.post_listings => Err(Denied::PostListings),
        Some(Permission::InitiateTransactions) if !permissions.initiate_transactions => {
            Err(Denied::InitiateTransactions)
        }
        _ => Ok(()),
    }
}

/// May this caller do this to this resource, now? Asked by the owning service, for writes last
/// inside the transaction, with the caller's row read again under its lock.
///
/// # Errors
/// [`Denied`] says how to refuse.
pub fn require(
    actor: &Actor,
    action: Action,
    standing: &Standing<'_>,
    resource: &Resource,
) -> Result<(), Denied> {
    admit(actor, action, standing)?;
    let me = match actor.level {
        Level::Integration | Level::Operator | Level::Service | Level::System => return Ok(()),
        Level::Anonymous => None,
        // A banned user sees what an anonymous visitor sees, not even the own pending review.
        _ if standing
            .user
            .is_some_and(|user| user.state == UserState::Banned) =>
        {
            None
        }
        Level::User | Level::TrustedUser | Level::LimitedUser => actor.user,
    };
    let is_me = |id| me == Some(id);
    match (action.rule().ownership, *resource) {
        (Ownership::Any, _) | (_, Resource::None) => Ok(()),
        (Ownership::Public, Resource::User { public, .. } | Resource::Listing { public, .. }) => {
            if public {
                Ok(())
            } else {
                Err(Denied::Hidden)
            }
        }
        (Ownership::Public, Resource::Review { author, public }) => {
            if public || is_me(author) {
                Ok(())
            } else {
                Err(Denied::Hidden)
            }
        }
        (Ownership::Own, Resource::Listing { author: owner, .. })
        | (Ownership::Own, Resource::User { id: owner, .. }) => {
            if is_me(owner) {
                Ok(())
            } else {
                Err(Denied::Forbidden)
            }
        }
        (Ownership::Party, Resource::Transaction { customer, provider }) => {
            if is_me(customer) || is_me(provider) {
                Ok(())
            } else {
                Err(Denied::Forbidden)
            }
        }
        // A resource of a kind that the rule does not speak of.
        (Ownership::Public | Ownership::Own | Ownership::Party, _) => Err(Denied::Forbidden),
    }
}

/// Is this a trusted context, which privileged transitions need?
pub const fn is_trusted(actor: &Actor) -> bool {
    Action::PrivilegedTransition
        .rule()
        .levels
        .contains(actor.level)
}
