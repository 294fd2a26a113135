//! Finishes what a deletion began: the person's values leave the outbox, and the bytes leave the
//! log of the database. It starts from rows, so it survives a restart, and doing it twice does no
//! harm.

use crate::error::Error;
use crate::store::erasures;
use std::sync::Arc;
use std::time::Duration;
use stoa_db::Db;
use stoa_feed::erase::erase_outbox;
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
}

impl FinishErasure {
    /// Finishes what is there now; true when there was anything.
    pub(crate) async fn once(&self) -> Result<bool, Error> {
        let users = erasures::to_purge(&self.db).await?;
        if users.is_empty() {
            return Ok(false);
        }
        for user in &users {
            while self
                .db
                .write(|tx| async move { erase_outbox(&tx, *user, BATCH).await })
                .await?
                > 0
            {}
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
}
