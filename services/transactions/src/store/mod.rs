//! All SQL of this service.
//!
//! Reads and writes are functions that give a statement with its values; a handler runs it on the
//! database or inside its write transaction. Rows read themselves.

pub(crate) mod attempts;
pub(crate) mod dialect;
pub(crate) mod erasures;
pub(crate) mod messages;
pub(crate) mod processes;
pub(crate) mod reviews;
pub(crate) mod search;
pub(crate) mod timers;
pub(crate) mod transactions;

use stoa_db::{MigrationSet, migrations};

/// The tables of this service and of its feed.
pub(crate) const MIGRATIONS: MigrationSet = migrations!(
    "0001_transactions",
    "0002_attempt_ends_by_time",
    "0003_erased_texts"
)
.with(&[&stoa_feed::MIGRATIONS]);

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_db::Db;

    stoa_testkit::on_every_engine! { MIGRATIONS;
        async fn every_statement_fits_the_schema(db: Db) {
            let all = [
                attempts::ALL, erasures::ALL, messages::ALL, processes::ALL, reviews::ALL,
                timers::ALL, transactions::ALL, dialect::of(db.engine()),
            ];
            for (name, text) in all.into_iter().flatten() {
                db.prepare(text).await.unwrap_or_else(|e| panic!("{name}: {e:?}"));
            }
        }
    }
}
