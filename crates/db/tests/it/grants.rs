//! What the role of a service may do on its schema.

use crate::{MIGRATIONS, add, ids, insert};
use stoa_db::{AppendOnly, Db, DbConfig, DbError, sql};
use stoa_testkit::engine::Place;

/// Things are evidence; large ones can no longer matter.
const APPEND_ONLY: &[AppendOnly] = &[
    AppendOnly {
        table: "things",
        removable_when: Some("amount > 100"),
        changeable: Some(("amount", "note = 'open'")),
    },
    AppendOnly {
        table: "parts",
        removable_when: None,
        changeable: None,
    },
];

/// The same place under another role.
fn under(place: &Place, role: &str) -> Option<DbConfig> {
    let DbConfig::Postgres {
        url,
        schema,
        max_connections,
    } = &place.config
    else {
        return None;
    };
    Some(DbConfig::Postgres {
        url: url.replacen("postgres@", &format!("{role}@"), 1),
        schema: schema.clone(),
        max_connections: *max_connections,
    })
}

async fn refused(db: &Db, statement: &'static str) -> bool {
    let done = db
        .write(|tx| async move { tx.execute(sql(statement)).await })
        .await;
    matches!(done, Err(DbError::Failed(_)))
}

async fn changed(db: &Db, statement: &'static str) -> u64 {
    db.write(|tx| async move { tx.execute(sql(statement)).await })
        .await
        .unwrap()
}

stoa_testkit::on_every_engine! { MIGRATIONS;
    // contract: security S66
    async fn a_service_may_touch_its_rows_and_nothing_else(place: Place) {
        let owner = place.open().await;
        let DbConfig::Postgres { schema, .. } = &place.config else {
            let refused = Db::grant(&place.config, "somebody", APPEND_ONLY).await;
            assert!(matches!(refused, Err(DbError::Config(_))), "SQLite has no roles");
            return;
        };
        // The role is named like the schema, which is nobody else's.
        changed(&owner, "DO $$ BEGIN EXECUTE format('CREATE ROLE %I LOGIN',
                         current_setting('search_path')); END $$").await;
        let bad = Db::grant(&place.config, "a; DROP", APPEND_ONLY).await;
        assert!(matches!(bad, Err(DbError::Config(_))));
        Db::grant(&place.config, schema, APPEND_ONLY).await.unwrap();
        Db::grant(&place.config, schema, APPEND_ONLY).await.unwrap();

        let db = Db::open(&under(&place, schema).unwrap(), &MIGRATIONS).await.unwrap();
        add(&db, "a").await;
        db.write(|tx| async move { tx.execute(insert("open")).await }).await.unwrap();
        assert_eq!(ids(&db).await, ["a", "open"]);
        for ddl in [
            "CREATE TABLE mine (id TEXT)",
            "DROP TABLE parts",
            "ALTER TABLE parts ADD COLUMN more TEXT",
            "TRUNCATE things",
        ] {
            assert!(refused(&db, ddl).await, "{ddl}");
        }
        assert!(refused(&db, "UPDATE things SET note = 'else'").await);
        // Rows that stay for ever, whatever their owner would like.
        assert!(refused(&db, "UPDATE parts SET position = 2").await);
        assert!(refused(&db, "DELETE FROM parts").await);
        assert_eq!(changed(&db, "UPDATE things SET amount = 5").await, 1, "the open one");
        assert_eq!(changed(&db, "DELETE FROM things").await, 0, "neither is at its end");
        assert_eq!(changed(&db, "UPDATE things SET amount = 500").await, 1);
        assert_eq!(changed(&db, "DELETE FROM things").await, 1);
        assert_eq!(ids(&db).await, ["a"]);
        db.purge_deleted().await.unwrap();
        db.close().await;
        changed(&owner, "DO $$ BEGIN EXECUTE format('DROP OWNED BY %I', current_setting('search_path'));
                         EXECUTE format('DROP ROLE %I', current_setting('search_path')); END $$").await;
        owner.close().await;
    }
}
