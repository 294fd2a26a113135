//! Keeps what users are searched by in step with the search schemas: a new schema is a new key, for
//! which the values of all users are collected in batches; when none is left, queries go by it. The
//! values of a schema that is gone are removed.
//!
//! Every user's row says for which key its values were collected last, and for which version. So
//! the job goes on where it stopped, and finds whom a program of an earlier release changed.

use crate::domain::search::{changes, superseded};
use crate::error::Error;
use crate::store::search;
use std::time::Duration;
use stoa_db::Db;
use stoa_feed::projections::Settings;

/// How often it looks by itself; a change of the settings wakes it.
pub(crate) const POLL: Duration = Duration::from_secs(2);

/// The job. Cheap to clone.
#[derive(Clone)]
pub(crate) struct CollectValues {
    pub(crate) db: Db,
    pub(crate) settings: Settings,
}

impl CollectValues {
    /// Does what there is to do now; true when there was anything.
    pub(crate) async fn once(&self) -> Result<bool, Error> {
        let mut any = self.follow_settings().await?;
        while self.batch().await? {
            any = true;
        }
        any |= self.finish().await?;
        while let Some(key) = search::dropped(&self.db).await? {
            let swept = self
                .db
                .write(|tx| async move { search::sweep(&tx, key).await });
            swept.await?;
            any = true;
        }
        Ok(any)
    }

    /// Declares and drops keys as the settings say; true when there were changes.
    async fn follow_settings(&self) -> Result<bool, Error> {
        let Some(settings) = self.settings.latest() else {
            return Ok(false);
        };
        let changes = changes(&search::keys(&self.db).await?, &settings.search_schemas);
        if changes.added.is_empty() && changes.dropped.is_empty() {
            return Ok(false);
        }
        let changes = &changes;
        // One replica does this at a time, under the lease of the job.
        self.db
            .write(|tx| async move {
                for key in &changes.dropped {
                    search::drop_key(&tx, *key).await?;
                }
                for schema in &changes.added {
                    search::add_key(&tx, schema).await?;
                }
                Ok::<_, Error>(true)
            })
            .await
    }

    /// Collects the values of some users; false when there is nobody left.
    pub(crate) async fn batch(&self) -> Result<bool, Error> {
        let keys = search::keys(&self.db).await?;
        let users = search::behind(&self.db, &keys).await?;
        if users.is_empty() {
            return Ok(false);
        }
        let (keys, users) = (keys.as_slice(), users.as_slice());
        let collected = self
            .db
            .write(|tx| async move { search::collect(&tx, keys, users).await });
        collected.await?;
        Ok(true)
    }

    /// Queries go by the keys whose values are complete; true when there are new ones.
    async fn finish(&self) -> Result<bool, Error> {
        let keys = search::keys(&self.db).await?;
        if keys.iter().all(|key| key.ready) {
            return Ok(false);
        }
        let keys = &keys;
        self.db
            .write(|tx| async move {
                for key in keys.iter().filter(|key| !key.ready) {
                    search::make_ready(&tx, key.id).await?;
                }
                for key in superseded(keys) {
                    search::drop_key(&tx, key).await?;
                }
                Ok::<_, Error>(true)
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MIGRATIONS;
    use crate::domain::search::tests::declared;
    use crate::rpc::harness::*;
    use stoa_db::sql;
    use stoa_types::id::UserId;

    /// Number of key, value and user of everything that is searched by.
    async fn values(db: &Db) -> Vec<(i64, String, UserId)> {
        db.all_as(
            "SELECT key_id, value, user_id FROM search_texts
             UNION ALL SELECT key_id, CAST(value AS TEXT), user_id FROM search_numbers
             ORDER BY 1, 2, 3",
        )
        .await
        .unwrap()
    }

    async fn ready(db: &Db) -> Vec<(i64, bool)> {
        let keys = search::keys(db).await.unwrap();
        keys.iter().map(|key| (key.id, key.ready)).collect()
    }

    fn texts(found: &[(i64, String, UserId)]) -> Vec<(i64, &str)> {
        found
            .iter()
            .map(|(key, text, _)| (*key, text.as_str()))
            .collect()
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: search S44
        async fn a_new_schema_finds_whom_there_is_and_an_old_one_answers_until_then(db: Db) {
            let world = World::new(db.clone()).await;
            let job = world.collecting();
            assert!(!job.once().await.unwrap());
            let a = world.sign_up("a@x.io").await;
            world.update(a, public_data(r#"{"city":"Oslo","tags":["x"]}"#)).await;
            let gone = world.sign_up("b@x.io").await;
            world.update(gone, public_data(r#"{"city":"Bergen"}"#)).await;
            world.delete(gone).await;

            world.declare(&[declared("public", "city", "enum")]).await;
            assert!(job.once().await.unwrap());
            assert!(!job.once().await.unwrap());
            assert_eq!((texts(&values(&db).await), ready(&db).await), (vec![(1, "Oslo")], vec![(1, true)]));

            // Another definition: the old one stays until the new one has all.
            world.declare(&[declared("public", "city", "text"), declared("public", "tags", "multi-enum")]).await;
            job.follow_settings().await.unwrap();
            assert_eq!(ready(&db).await, [(1, true), (2, false), (3, false)]);
            assert!(job.batch().await.unwrap());
            assert_eq!(ready(&db).await, [(1, true), (2, false), (3, false)]);
            job.once().await.unwrap();
            assert_eq!(ready(&db).await, [(2, true), (3, true)]);
            assert_eq!(texts(&values(&db).await), [(2, "<olso"), (2, "oslo"), (3, "x")]);

            world.declare(&[]).await;
            job.once().await.unwrap();
            assert_eq!((values(&db).await, ready(&db).await), (vec![], vec![]));
            // A number is never used again.
            world.declare(&[declared("public", "city", "enum")]).await;
            job.once().await.unwrap();
            assert_eq!(ready(&db).await, [(4, true)]);
        }

        async fn what_is_written_while_values_are_collected_is_there(db: Db) {
            let world = World::new(db.clone()).await;
            let job = world.collecting();
            for n in 0..205 {
                world.sign_up(&format!("u{n}@x.io")).await;
            }
            world.declare(&[declared("public", "city", "enum")]).await;
            job.follow_settings().await.unwrap();
            // Before the job has been there, and behind it.
            let (early, late) = (world.sign_up("early@x.io").await, world.sign_up("late@x.io").await);
            world.update(early, public_data(r#"{"city":"Oslo"}"#)).await;
            assert!(job.batch().await.unwrap());
            world.update(late, public_data(r#"{"city":"Bergen"}"#)).await;
            world.update(early, public_data(r#"{"city":"Molde"}"#)).await;
            job.once().await.unwrap();
            world.update(late, public_data(r#"{"city":null}"#)).await;
            let found = values(&db).await;
            assert_eq!(found, [(1, "Molde".to_owned(), early)]);
            assert!(!job.once().await.unwrap());
        }

        async fn changes_by_a_program_that_knows_nothing_of_it_are_found(db: Db) {
            let world = World::new(db.clone()).await;
            let job = world.collecting();
            world.declare(&[declared("public", "city", "enum")]).await;
            job.once().await.unwrap();
            let id = world.sign_up("a@x.io").await;
            world.update(id, public_data(r#"{"city":"Oslo"}"#)).await;
            let behind_our_back = |change: &'static str| {
                let db = db.clone();
                async move { db.write(|tx| async move { tx.execute(sql(change).bind(id)).await }).await.unwrap() }
            };
            behind_our_back(
                r#"UPDATE users SET version = version + 1, public_data = '{"city":"Molde"}' WHERE id = $1"#,
            )
            .await;
            // A change by us in between does not hide it.
            world.update(id, public_data(r#"{"other":1}"#)).await;
            assert!(job.once().await.unwrap());
            assert_eq!(texts(&values(&db).await), [(1, "Molde")]);
            behind_our_back(
                "UPDATE users SET version = version + 1, state = 'deleted', email = NULL WHERE id = $1",
            )
            .await;
            assert!(job.once().await.unwrap());
            assert_eq!(values(&db).await, []);
            assert!(!job.once().await.unwrap());
        }

        // contract: security S46
        async fn a_deletion_takes_what_the_user_was_searched_by_along(db: Db) {
            let world = World::new(db.clone()).await;
            let job = world.collecting();
            world.declare(&[declared("public", "city", "enum"), declared("public", "age", "long")]).await;
            job.once().await.unwrap();
            let id = world.sign_up("a@x.io").await;
            world.update(id, public_data(r#"{"city":"Oslo","age":3}"#)).await;
            assert_eq!(values(&db).await.len(), 2);
            world.delete(id).await;
            assert_eq!(values(&db).await, []);
            assert!(!job.once().await.unwrap());
        }
    }
}
