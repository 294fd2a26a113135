//! Schemas come up to date, together and once.

use crate::MIGRATIONS;
use futures::future::join_all;
use stoa_db::{Db, DbError, MigrationSet};
use stoa_testkit::engine::Place;

const SHARED: MigrationSet = MigrationSet {
    service: "shared-room",
    sqlite: &[("0001_letters", "CREATE TABLE letters (id TEXT PRIMARY KEY)")],
    postgres: &[("0001_letters", "CREATE TABLE letters (id TEXT PRIMARY KEY)")],
    others: &[],
};
const SECOND: (&str, &str) = ("0002_second", "CREATE TABLE second (id TEXT)");
const NEWER: MigrationSet = MigrationSet {
    sqlite: &[MIGRATIONS.sqlite[0], SECOND],
    postgres: &[MIGRATIONS.postgres[0], SECOND],
    ..MIGRATIONS
};
const NONSENSE: (&str, &str) = (
    "0003_third",
    "CREATE TABLE third (id TEXT); CREATE NONSENSE",
);
const BROKEN: MigrationSet = MigrationSet {
    sqlite: &[MIGRATIONS.sqlite[0], SECOND, NONSENSE],
    postgres: &[MIGRATIONS.postgres[0], SECOND, NONSENSE],
    ..MIGRATIONS
};

fn named(sqlite: &'static str, postgres: &'static str) -> MigrationSet {
    let texts = |name| &*Box::leak(Box::new([(name, "CREATE TABLE x (id TEXT)")]));
    MigrationSet {
        sqlite: texts(sqlite),
        postgres: texts(postgres),
        ..MIGRATIONS
    }
}

fn failure(result: Result<Db, DbError>) -> DbError {
    result.map(drop).unwrap_err()
}

stoa_testkit::on_every_engine! { MIGRATIONS;
    async fn several_processes_may_migrate_at_once(place: Place) {
        let all = join_all((0..6).map(|_| Db::open_migrated(&place.config, &place.set))).await;
        for db in all {
            assert!(db.unwrap().all("SELECT id FROM things").await.unwrap().is_empty());
        }
    }

    async fn a_schema_that_lacks_a_migration_is_not_opened(place: Place) {
        let missing = |name: &str| DbError::NotMigrated {
            service: "stoa-db".into(),
            missing: name.into(),
        };
        assert_eq!(failure(Db::open(&place.config, &place.set).await), missing("0001_things"));
        Db::migrate(&place.config, &place.set).await.unwrap();
        assert_eq!(failure(Db::open(&place.config, &NEWER).await), missing("0002_second"));
        Db::migrate(&place.config, &NEWER).await.unwrap();
        Db::open(&place.config, &NEWER).await.unwrap();
    }

    async fn old_code_runs_on_a_newer_schema(place: Place) {
        Db::migrate(&place.config, &NEWER).await.unwrap();
        let old = place.open().await;
        assert!(old.all("SELECT id FROM second").await.unwrap().is_empty());
    }

    async fn a_failing_migration_leaves_nothing_behind(place: Place) {
        let failed = Db::migrate(&place.config, &BROKEN).await;
        assert!(matches!(failed, Err(DbError::Migration { .. })), "{failed:?}");
        Db::migrate(&place.config, &NEWER).await.unwrap();
    }

    async fn an_edited_migration_is_refused(place: Place) {
        place.open().await;
        let edited = named("0001_things", "0001_things");
        let refused = Db::migrate(&place.config, &edited).await;
        assert!(matches!(refused, Err(DbError::Migration { .. })), "{refused:?}");
    }

    async fn names_are_numbered_and_equal_on_both_engines(place: Place) {
        for (sqlite, postgres) in [
            ("0001_x", "0001_y"),
            ("0002_x", "0002_x"),
            ("1_x", "1_x"),
            ("0001_", "0001_"),
            ("first", "first"),
        ] {
            let refused = Db::migrate(&place.config, &named(sqlite, postgres)).await;
            assert!(matches!(refused, Err(DbError::Migration { .. })), "{sqlite} {refused:?}");
        }
    }

    async fn shared_rooms_keep_tables_in_the_same_schema(place: Place) {
        const BOTH: MigrationSet = MIGRATIONS.with(&[&SHARED]);
        place.open().await;
        let missing = failure(Db::open(&place.config, &BOTH).await);
        assert!(matches!(&missing, DbError::NotMigrated { service, .. } if service == "shared-room"));
        let db = Db::open_migrated(&place.config, &BOTH).await.unwrap();
        assert!(db.all("SELECT l.id FROM letters l JOIN things t ON t.id = l.id").await.is_ok());
    }
}
