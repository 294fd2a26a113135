//! All SQL of this service.

mod listings;
mod removals;
mod statements;

pub(crate) use listings::{
    actor_version, author_states, hidden_authors, insert, listing, listings_by_id, live_after,
    live_of_author, own_page, replace, shown,
};
pub(crate) use removals::{
    Removal, finish_removal, first_removal, live_batch, removal_of, request_removal,
};

use stoa_db::{MigrationSet, migrations};

/// The tables of this service and of its feed.
pub(crate) const MIGRATIONS: MigrationSet =
    migrations!("0001_listings").with(&[&stoa_feed::MIGRATIONS]);

#[cfg(test)]
mod tests {
    use super::MIGRATIONS;
    use stoa_db::Db;

    stoa_testkit::on_every_engine! { MIGRATIONS;
        async fn every_statement_fits_the_schema(db: Db) {
            for (name, text) in super::statements::ALL {
                if let Err(error) = db.prepare(text).await {
                    panic!("{name}: {error:?}");
                }
            }
        }
    }
}
