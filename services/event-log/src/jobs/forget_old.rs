//! Deletes events that are older than the log keeps them.

use crate::domain::retention::keep_from;
use crate::error::Error;
use crate::store::retention;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use stoa_db::Db;
use stoa_feed::projections::Settings;
use stoa_rpc::Tasks;
use stoa_types::Clock;

/// How often it looks.
pub(crate) const POLL: Duration = Duration::from_secs(600);
/// Events deleted in one transaction.
const BATCH: u32 = 500;

/// The job. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ForgetOld {
    pub(crate) db: Db,
    /// The real time: a virtual clock that is moved must not empty the log.
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Settings,
    pub(crate) days: Option<NonZeroU32>,
    pub(crate) tasks: Tasks,
}

impl ForgetOld {
    /// Deletes what is too old now; true when there was anything. Before the settings are known
    /// nothing is deleted: a live marketplace keeps its events longer.
    pub(crate) async fn once(&self) -> Result<bool, Error> {
        if !self.settings.is_ready() {
            return Ok(false);
        }
        let environment = self.settings.environment()?;
        let from = keep_from(self.clock.now(), self.days, environment);
        let mut any = false;
        while !self.tasks.is_stopping()
            && self
                .db
                .write(|tx| async move { retention::forget(&tx, from, BATCH).await })
                .await?
                > 0
        {
            any = true;
        }
        Ok(any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{apply, envelope, listing_event, wiring};
    use stoa_feed::projections::settings;
    use stoa_proto::auth as pb;
    use stoa_types::{ManualClock, Timestamp};

    const DAY_MS: i64 = 86_400_000;

    async fn rows(db: &Db) -> [i64; 3] {
        db.one_as::<(i64, i64, i64)>(
            "SELECT (SELECT COUNT(*) FROM events), (SELECT COUNT(*) FROM event_related),
                    (SELECT COUNT(*) FROM event_personal)",
        )
        .await
        .map(|(events, related, personal)| [events, related, personal])
        .unwrap()
    }

    async fn tell(db: &Db, n: u128) {
        let event = listing_event(n, "listing/updated", 20, 30);
        apply(db, &envelope("listing.updated", [event]))
            .await
            .unwrap();
    }

    stoa_testkit::on_every_engine! { crate::MIGRATIONS;
        async fn old_events_go_and_their_numbers_do_not_come_back(db: Db) {
            // Stored at 5 s of the epoch.
            tell(&db, 1).await;
            tell(&db, 2).await;
            let settings = Settings::new(&wiring(&db));
            let clock = Arc::new(ManualClock::starting_at(Timestamp::from_ms(5000 + 8 * DAY_MS)));
            let job = ForgetOld {
                db: db.clone(),
                clock: clock.clone(),
                settings: settings.clone(),
                days: None,
                tasks: Tasks::new(),
            };
            assert!(!job.once().await.unwrap(), "it may be a live marketplace");
            let live = pb::Settings {
                version: 1,
                environment: "live".into(),
                ..pb::Settings::default()
            };
            let live = &live;
            db.write(|tx| async move { settings::store(&tx, live).await }).await.unwrap();
            settings.reload().await.unwrap();
            assert!(!job.once().await.unwrap(), "8 days are not 90");
            clock.advance_ms(82 * DAY_MS);
            assert!(!job.once().await.unwrap(), "90 days to the millisecond stay");
            clock.advance_ms(1);
            assert_eq!(rows(&db).await, [2, 4, 2]);
            assert!(job.once().await.unwrap());
            assert_eq!(rows(&db).await, [0, 0, 0]);
            assert!(!job.once().await.unwrap());
            tell(&db, 3).await;
            let number: (i64,) = db.one_as("SELECT sequence_id FROM events").await.unwrap();
            assert_eq!(number, (3,));
        }
    }
}
