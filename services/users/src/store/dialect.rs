//! Statements that cannot be the same on both engines.

use stoa_db::{Engine, Tx};

/// One user, locked until the transaction ends. SQLite knows no `FOR UPDATE` and needs none: it
/// has one writer, and the transaction is it.
pub(crate) fn user_locked(tx: &Tx) -> &'static str {
    match tx.engine() {
        Engine::Sqlite => super::users::USER,
        Engine::Postgres => super::users::USER_FOR_UPDATE,
    }
}

/// The end of a selection whose rows stay locked until the transaction ends; see [`user_locked`].
pub(crate) fn locking(tx: &Tx) -> &'static str {
    match tx.engine() {
        Engine::Sqlite => "",
        Engine::Postgres => " FOR UPDATE",
    }
}
