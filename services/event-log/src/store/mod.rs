//! The only place with SQL: the log and its counter, queries, erasures, retention.

pub(crate) mod erasures;
pub(crate) mod gaps;
pub(crate) mod log;
pub(crate) mod query;
pub(crate) mod retention;

/// Name of the lock for changes of stored events. Two replicas that each take another person out
/// of one event would otherwise bring back what the other one removed.
const REWRITING: &str = "stored events";

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_db::Db;

    stoa_testkit::on_every_engine! { crate::MIGRATIONS;
        async fn every_statement_fits_the_schema(db: Db) {
            for (name, text) in [log::ALL, gaps::ALL, erasures::ALL, retention::ALL].concat() {
                if let Err(error) = db.prepare(text).await {
                    panic!("{name}: {error:?}");
                }
            }
        }
    }
}
