//! Everything that auth keeps: the only place with SQL.

pub(crate) mod adopt;
pub(crate) mod applications;
pub(crate) mod audit;
pub(crate) mod builtin_emails;
mod dialect;
pub(crate) mod installation;
pub(crate) mod keys;
pub(crate) mod operators;
pub(crate) mod revocations;
pub(crate) mod sessions;
pub(crate) mod settings;

use stoa_db::{MigrationSet, migrations};

/// The tables of auth and those of its feed.
pub(crate) const MIGRATIONS: MigrationSet = migrations!(
    "0001_auth",
    "0002_applications_and_keys",
    "0003_settings",
    "0004_audit",
    "0005_operator_resets",
)
.with(&[&stoa_feed::MIGRATIONS]);

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_db::Db;

    stoa_testkit::on_every_engine! { MIGRATIONS;
        async fn every_statement_fits_the_schema(db: Db) {
            for (name, text) in [
                adopt::ALL,
                applications::ALL,
                builtin_emails::ALL,
                audit::ALL,
                installation::ALL,
                keys::ALL,
                operators::ALL,
                revocations::ALL,
                sessions::ALL,
                settings::ALL,
            ]
            .concat()
            {
                db.prepare(text).await.unwrap_or_else(|e| panic!("{name}: {e:?}"));
            }
            for pair in dialect::PAIRS {
                db.prepare(db.pick(pair.0, pair.1)).await.unwrap();
            }
        }
    }
}
