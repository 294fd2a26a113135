//! The account of a request.

use crate::{MIGRATIONS, insert, spawn};
use stoa_db::{Db, accounting, sql};

stoa_testkit::on_every_engine! { MIGRATIONS;
    async fn a_request_knows_how_many_statements_it_ran(db: Db) {
        let request = async {
            db.write(|tx| async move {
                tx.execute(insert("a")).await?;
                tx.savepoint(|tx| async move { tx.execute(insert("b")).await }).await
            })
            .await?;
            db.all("SELECT id FROM things").await
        };
        let (rows, statements) = accounting::scope(request).await;
        assert_eq!(rows.unwrap().len(), 2);
        assert_eq!(statements.count, 3);
        assert!(statements.micros > 0);
    }

    async fn a_failed_statement_counts_too(db: Db) {
        let (failed, statements) = accounting::scope(db.all("SELECT nonsense")).await;
        assert!(failed.is_err());
        assert_eq!(statements.count, 1);
    }

    async fn what_runs_in_another_task_counts_when_it_is_carried(db: Db) {
        let request = async {
            let inside = db.clone();
            let carried = accounting::carry(async move { inside.all("SELECT id FROM things").await });
            spawn(carried).await.unwrap()?;
            let inside = db.clone();
            let alone = async move { inside.all("SELECT id FROM things").await };
            spawn(alone).await.unwrap()
        };
        let (rows, statements) = accounting::scope(request).await;
        rows.unwrap();
        assert_eq!(statements.count, 1);
    }

    async fn outside_of_a_scope_nothing_is_counted(db: Db) {
        let work = accounting::carry(async { db.one(sql("SELECT $1 IS NULL").bind(1_i64)).await });
        assert!(work.await.is_ok());
        let ((), statements) = accounting::scope(async {}).await;
        assert_eq!(statements, accounting::Statements::default());
    }
}
