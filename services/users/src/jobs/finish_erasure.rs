//! Finishes what a deletion began: the person's values leave the outbox, mails in files are removed,
//! and the bytes leave the log of the database. It starts from rows, so it survives a restart, and doing it twice does no
//! harm.

use crate::error::Error;
use crate::mail::UsersDesk;
use crate::store::erasures;
use std::sync::Arc;
use std::time::Duration;
use stoa_db::Db;
use stoa_feed::erase::{Erasure, erase_outbox};
use stoa_mail::queue::Sender;
use stoa_types::Clock;

/// How often it looks for what is left over: from before a restart, or after a failure.
pub(crate) const POLL: Duration = Duration::from_secs(10);
/// Envelopes rewritten in one transaction.
const BATCH: u32 = 50;

/// The job. Cheap to clone.
#[derive(Clone)]
pub(crate) struct FinishErasure {
    pub(crate) db: Db,
    pub(crate) clock: Arc<dyn Clock>,
    /// Where mails leave; none: they wait in the queue, which the deletion has emptied.
    pub(crate) sender: Option<Sender<UsersDesk>>,
}

impl FinishErasure {
    /// Finishes what is there now; true when there was anything.
    pub(crate) async fn once(&self) -> Result<bool, Error> {
        let users = erasures::to_purge(&self.db).await?;
        if users.is_empty() {
            return Ok(false);
        }
        for user in &users {
            let now = self.clock.now();
            // Nobody's texts are in this service.
            let gone = Erasure {
                user: *user,
                texts: false,
            };
            while self
                .db
                .write(|tx| async move { erase_outbox(&tx, gone, BATCH, now).await })
                .await?
                > 0
            {}
            if let Some(sender) = &self.sender {
                sender.erase(*user).await?;
            }
        }
        self.db.purge_deleted().await?;
        let (users, now) = (users.as_slice(), self.clock.now());
        self.db
            .write(|tx| async move { erasures::purged(&tx, users, now).await })
            .await?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MIGRATIONS;
    use crate::rpc::harness::*;
    use stoa_db::DbConfig;
    use stoa_testkit::engine::Place;

    fn job(world: &World) -> FinishErasure {
        FinishErasure {
            db: world.cx.db.clone(),
            clock: world.clock.clone(),
            sender: Some(world.sender.clone()),
        }
    }

    /// Whether any file below the folder of the database holds the text.
    fn on_disk(config: &DbConfig, text: &str) -> bool {
        let DbConfig::Sqlite { path, .. } = config else {
            return false;
        };
        let files = std::fs::read_dir(path.parent().unwrap()).unwrap();
        files.into_iter().any(|file| {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            bytes
                .windows(text.len())
                .any(|window| window == text.as_bytes())
        })
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: security S46, users 35
        async fn nothing_personal_is_left_in_rows_outbox_or_files(place: Place) {
            let world = World::new(place.open().await).await;
            let mut request = create_request("zebra-mail@x.io");
            request.first_name = "Zebraname".into();
            request.bio = Some("zebra bio".into());
            request.private_data = Some(r#"{"phone":"zebra 555"}"#.into());
            let id = world.create(request).await.unwrap().id;
            let id = stoa_types::id::UserId::parse(&id).unwrap();
            world
                .update(id, public_data(r#"{"street":"zebra street"}"#))
                .await;
            world.sign_up("other@x.io").await;
            if matches!(place.config, DbConfig::Sqlite { .. }) {
                assert!(
                    on_disk(&place.config, "zebra street"),
                    "the scan sees what is there"
                );
            }
            let job = job(&world);
            assert!(!job.once().await.unwrap());
            world.delete(id).await;
            assert!(job.once().await.unwrap());
            assert!(!job.once().await.unwrap());
            for envelope in world.envelopes().await {
                let text = format!("{envelope:?}");
                assert!(!text.contains("ebra"), "{text}");
            }
            for text in ["zebra", "Zebraname"] {
                assert!(!on_disk(&place.config, text), "{text}");
            }
            let other = world
                .envelopes()
                .await
                .into_iter()
                .any(|e| format!("{e:?}").contains("other@x.io"));
            assert!(other, "others keep theirs");
        }
    }

    mod replicas {
        use super::*;

        stoa_testkit::only_on_postgres! { MIGRATIONS;
            {
                use std::time::Duration;
                use stoa_db::Db;
                use stoa_feed::{Job, Wiring};
                use stoa_rpc::{Identity, Tasks};
                use stoa_types::OsEntropy;
                use stoa_types::id::MarketplaceId;
                use tokio::task::JoinSet;

                /// Notes every rewriting of an envelope, and lets it take its time.
                const WATCHED: [&str; 3] = [
                    "CREATE TABLE rewritten (id TEXT NOT NULL)",
                    "CREATE FUNCTION note_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
                     BEGIN
                       INSERT INTO rewritten (id) VALUES (NEW.id);
                       PERFORM pg_sleep(0.005);
                       RETURN NEW;
                     END $$",
                    "CREATE TRIGGER note_rewriting AFTER UPDATE OF envelope ON outbox
                     FOR EACH ROW EXECUTE FUNCTION note_rewriting()",
                ];

                /// A replica that does the job until it is dropped, as by `kill -9`.
                fn replica(world: &World) -> JoinSet<()> {
                    let clock = world.clock.clone();
                    let wiring = Wiring {
                        db: world.cx.db.clone(),
                        identity: Identity::ephemeral(
                            "users",
                            MarketplaceId::random(&OsEntropy),
                            clock.clone(),
                            &OsEntropy,
                        ),
                        clock,
                        entropy: Arc::new(OsEntropy),
                        tasks: Tasks::new(),
                    };
                    let (job, work) = (Job::new(&wiring, "finish erasure", POLL), job(world));
                    let mut running = JoinSet::new();
                    running.spawn(job.run(move || {
                        let work = work.clone();
                        async move { work.once().await }
                    }));
                    running
                }

                async fn number(db: &Db, statement: &'static str) -> i64 {
                    db.one_as::<(i64,)>(statement).await.unwrap().0
                }

                async fn reaches(db: &Db, statement: &'static str, goal: i64) {
                    let reached = async {
                        while number(db, statement).await < goal {
                            tokio::time::sleep(Duration::from_millis(5)).await;
                        }
                    };
                    tokio::time::timeout(Duration::from_secs(30), reached).await.unwrap();
                }
            }

            // contract: security S46 (two replicas)
            async fn what_one_replica_began_another_ends_and_nothing_is_erased_twice(place: Place) {
                let world = World::new(place.open().await).await;
                let other = World::new(place.open().await).await;
                let id = world.sign_up("zebra-mail@x.io").await;
                for n in 0..200 {
                    world.update(id, public_data(&format!(r#"{{"street":"zebra {n}"}}"#))).await;
                }
                world.delete(id).await;
                let db = &world.cx.db;
                for statement in WATCHED {
                    db.write(|tx| async move { tx.execute(statement).await }).await.unwrap();
                }
                const REWRITTEN: &str = "SELECT count(*) FROM rewritten";
                const PURGED: &str = "SELECT count(*) FROM erasures WHERE purged_at IS NOT NULL";
                let mut first = replica(&world);
                reaches(db, REWRITTEN, 50).await;
                let _second = replica(&other);
                first.abort_all();
                while first.join_next().await.is_some() {}
                assert_eq!(number(db, PURGED).await, 0, "the first died in the middle");
                reaches(db, PURGED, 1).await;
                let twice = "SELECT count(*) FROM (SELECT id FROM rewritten GROUP BY id HAVING count(*) > 1) t";
                assert_eq!(number(db, twice).await, 0);
                assert!(number(db, REWRITTEN).await > 200);
                for envelope in world.envelopes().await {
                    let text = format!("{envelope:?}");
                    assert!(!text.contains("ebra"), "{text}");
                }
            }
        }
    }
}
