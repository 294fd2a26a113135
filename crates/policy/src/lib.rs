//! The one place that says who may do what.
//!
//! Every route and every RPC names an [`Action`]; each action has one [`Rule`]. A rule is applied
//! twice: [`admit`] in the gateway, before the body is read, and [`require`] in the service that
//! owns the resource, last inside the write transaction. Both are pure: what they judge by comes
//! in as values. The rules are printed to `RULES.md`, so that a change of rights is a visible diff.
//!
//! To add an action: one entry in `actions.rs`, then `cargo xtask gen` for the printed table.

mod actions;
mod actor;
mod decide;
mod denied;
pub mod feeds;
pub mod printed;
mod rule;
mod standing;
pub mod view;

pub use actions::Action;
pub use actor::{Actor, Level, Levels, Role};
pub use decide::{admit, is_trusted, require};
pub use denied::Denied;
pub use rule::{Ownership, Permission, Rule, WhilePending};
pub use standing::{
    AccessSettings, Environment, Permissions, Resource, Standing, UserAccess, UserState, effective,
};
