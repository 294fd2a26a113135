//! The rules as a page that people read and diffs show.

use crate::{Action, Level, Ownership, Permission, Role, WhilePending};
use std::fmt::Write as _;

const HEAD: &str = "# Who may do what

Printed from `src/actions.rs` by `cargo xtask gen`; a test compares them. Do not edit.

Levels: A anonymous, U user, T trusted user, L login-as (limited), I integration, O operator with
the least role named, P program of the owner (an internal caller: it needs the action in its own
list, too), S system. `banned`: allowed to a banned user. `waiting`: allowed to a user
who waits for approval. `private`: on a private marketplace refused to anonymous callers and to
users without the permission `read`. `needs`: permission of the user, where the marketplace asks
for it. `whose`: what a marketplace user may act on.

| Action | Levels | Role | Banned | Waiting | Private | Needs | Whose |
|---|---|---|---|---|---|---|---|
";

/// The whole page.
pub fn rules() -> String {
    let mut page = HEAD.to_owned();
    for action in Action::ALL {
        let rule = action.rule();
        let levels: Vec<&str> = Level::ALL
            .into_iter()
            .filter(|level| rule.levels.contains(*level))
            .map(letter)
            .collect();
        let users = Level::ALL
            .into_iter()
            .any(|l| l.is_user() && rule.levels.contains(l));
        let role = match (rule.levels.contains(Level::Operator), rule.role) {
            (false, _) => "",
            (true, Role::ReadOnly) => "read-only",
            (true, Role::Staff) => "staff",
            (true, Role::Owner) => "owner",
        };
        let banned = if !users {
            ""
        } else if rule.while_banned {
            "yes"
        } else {
            "no"
        };
        let waiting = match (users, rule.while_pending) {
            (false, _) => "",
            (true, WhilePending::Allowed) => "yes",
            (true, WhilePending::Refused) => "no",
            (true, WhilePending::RefusedIfPrivate) => "unless private",
        };
        let needs = match rule.permission {
            None => "",
            Some(Permission::PostListings) => "postListings",
            Some(Permission::InitiateTransactions) => "initiateTransactions",
        };
        let whose = match rule.ownership {
            Ownership::Any => "",
            Ownership::Public => "public",
            Ownership::Own => "own",
            Ownership::Party => "party",
        };
        let private = if rule.public_read { "refused" } else { "" };
        writeln!(
            page,
            "| `{}` | {} | {role} | {banned} | {waiting} | {private} | {needs} | {whose} |",
            action.name(),
            levels.join(" "),
        )
        .expect("writing to a string does not fail");
    }
    page
}

const fn letter(level: Level) -> &'static str {
    match level {
        Level::Anonymous => "A",
        Level::User => "U",
        Level::TrustedUser => "T",
        Level::LimitedUser => "L",
        Level::Integration => "I",
        Level::Operator => "O",
        Level::Service => "P",
        Level::System => "S",
    }
}
