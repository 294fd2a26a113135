//! The shape of a rule.

use crate::{Levels, Role};

/// A permission of users that a rule may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// `postListings`.
    PostListings,
    /// `initiateTransactions`.
    InitiateTransactions,
}

/// What a user may do while waiting for approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhilePending {
    /// As an approved user.
    Allowed,
    /// Nothing of this.
    Refused,
    /// Nothing of this on a private marketplace.
    RefusedIfPrivate,
}

/// Whose resource a marketplace user may act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// Anyone's.
    Any,
    /// Anyone's that is public; others are hidden.
    Public,
    /// The own one.
    Own,
    /// One the user is a party of.
    Party,
}

/// Who may do one action. Integration, operators and the system are bound by level and role only.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Levels that may do it.
    pub levels: Levels,
    /// Least role of an operator.
    pub role: Role,
    /// Users: allowed while banned.
    pub while_banned: bool,
    /// Users: allowed while waiting for approval.
    pub while_pending: WhilePending,
    /// A private marketplace refuses it to anonymous callers, and to users without the permission
    /// `read` where that is asked for.
    pub public_read: bool,
    /// A permission that users need where the marketplace asks for it.
    pub permission: Option<Permission>,
    /// Whose resource users may act on.
    pub ownership: Ownership,
}

impl Rule {
    /// A rule for these levels and nothing else: refused while banned, allowed while waiting for
    /// approval, operators of any role.
    pub(crate) const fn levels(levels: Levels) -> Self {
        Self {
            levels,
            role: Role::ReadOnly,
            while_banned: false,
            while_pending: WhilePending::Allowed,
            public_read: false,
            permission: None,
            ownership: Ownership::Any,
        }
    }

    pub(crate) const fn staff(mut self) -> Self {
        self.role = Role::Staff;
        self
    }

    pub(crate) const fn owner(mut self) -> Self {
        self.role = Role::Owner;
        self
    }

    pub(crate) const fn while_banned(mut self) -> Self {
        self.while_banned = true;
        self
    }

    /// Part of what a marketplace shows to its public.
    pub(crate) const fn public_read(mut self) -> Self {
        self.public_read = true;
        self.while_banned = true;
        self.while_pending = WhilePending::RefusedIfPrivate;
        self.ownership = Ownership::Public;
        self
    }

    pub(crate) const fn approved(mut self) -> Self {
        self.while_pending = WhilePending::Refused;
        self
    }

    pub(crate) const fn permitted(mut self, permission: Permission) -> Self {
        self.permission = Some(permission);
        self
    }

    pub(crate) const fn own(mut self) -> Self {
        self.ownership = Ownership::Own;
        self
    }

    pub(crate) const fn party(mut self) -> Self {
        self.ownership = Ownership::Party;
        self
    }
}
