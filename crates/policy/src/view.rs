//! Which form of a resource a caller sees. The owning service leaves everything else out.

use crate::{Actor, Level, Resource};
use stoa_types::id::UserId;

/// Form of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// What the marketplace shows to anyone.
    Public,
    /// What its owner sees.
    Own,
    /// What integrations and operators see.
    Full,
}

/// The form in which `actor` sees a thing that belongs to `owner`, where the API has a form for
/// owners (`currentUser`, `ownListing`).
pub fn of_owned(actor: &Actor, owner: UserId) -> View {
    match actor.level {
        Level::Integration | Level::Operator | Level::Service | Level::System => View::Full,
        Level::User | Level::TrustedUser | Level::LimitedUser if actor.user == Some(owner) => {
            View::Own
        }
        Level::Anonymous | Level::User | Level::TrustedUser | Level::LimitedUser => View::Public,
    }
}

/// The form in which `actor` sees a thing that another resource refers to: the full one for
/// integrations and operators, else the public one, also for its owner.
pub fn of_related(actor: &Actor) -> View {
    match actor.level {
        Level::Integration | Level::Operator | Level::Service | Level::System => View::Full,
        Level::Anonymous | Level::User | Level::TrustedUser | Level::LimitedUser => View::Public,
    }
}

/// True when `actor` may see that a review belongs to a transaction, or a transaction at all.
pub fn sees_transaction(actor: &Actor, resource: &Resource) -> bool {
    let Resource::Transaction { customer, provider } = *resource else {
        return false;
    };
    match actor.level {
        Level::Integration | Level::Operator | Level::Service | Level::System => true,
        Level::User | Level::TrustedUser | Level::LimitedUser => {
            actor.user == Some(customer) || actor.user == Some(provider)
        }
        Level::Anonymous => false,
    }
}
