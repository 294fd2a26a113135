//! Takes erased persons out of what was stored before. It starts from the tombstones, so it
//! survives a restart, and doing it twice does no harm.

use crate::error::Error;
use crate::store::erasures;
use std::sync::Arc;
use std::time::Duration;
use stoa_db::Db;
use stoa_types::Clock;

/// How often it looks for what is left over: from before a restart, after a failure, or told to
/// another replica.
pub(crate) const POLL: Duration = Duration::from_secs(5);
/// Events rewritten in one transaction.
const BATCH: u32 = 50;

/// The job. Cheap to clone.
#[derive(Clone)]
pub(crate) struct FinishErasures {
    pub(crate) db: Db,
    pub(crate) clock: Arc<dyn Clock>,
}

impl FinishErasures {
    /// Finishes what is there now; true when there was anything.
    pub(crate) async fn once(&self) -> Result<bool, Error> {
        let users = erasures::unfinished(&self.db).await?;
        if users.is_empty() {
            return Ok(false);
        }
        for gone in &users {
            let now = self.clock.now();
            while self
                .db
                .write(|tx| async move { erasures::strip(&tx, *gone, BATCH, now).await })
                .await?
                > 0
            {}
        }
        self.db.purge_deleted().await?;
        let (users, now) = (users.as_slice(), self.clock.now());
        self.db
            .write(|tx| async move { erasures::finish(&tx, users, now).await })
            .await?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{apply, envelope, id, listing_event, user_deleted};
    use stoa_feed::erase::Erasure;
    use stoa_proto::events::{PublicEvent, Resource, resource};
    use stoa_proto::transactions::Transaction;
    use stoa_types::id::UserId;
    use stoa_types::{ManualClock, Timestamp};

    fn job(db: &Db) -> FinishErasures {
        FinishErasures {
            db: db.clone(),
            clock: Arc::new(ManualClock::starting_at(Timestamp::from_ms(9000))),
        }
    }

    /// Numbers of stored events that know the title.
    async fn marked(db: &Db) -> Vec<i64> {
        const MARK: &[u8] = b"Secret title";
        let rows: Vec<(i64, Vec<u8>)> = db
            .all_as("SELECT sequence_id, event FROM events ORDER BY sequence_id")
            .await
            .unwrap();
        let marked = rows
            .into_iter()
            .filter(|(_, bytes)| bytes.windows(MARK.len()).any(|part| part == MARK));
        marked.map(|(number, _)| number).collect()
    }

    /// An event of a transaction whose protected data two users wrote.
    fn protected_by_both(event: u128, one: u128, other: u128) -> PublicEvent {
        let writers = [("a", one), ("b", other)];
        let transaction = Transaction {
            protected_data: r#"{"a":"Secret title","b":"Secret title"}"#.into(),
            protected_data_writers: writers.map(|(key, user)| (key.into(), id(user))).into(),
            ..Transaction::default()
        };
        PublicEvent {
            id: id(event),
            event_type: "transaction/updated".into(),
            resource_type: "transaction".into(),
            resource_id: id(50),
            resource: Some(Resource {
                resource: Some(resource::Resource::Transaction(transaction)),
            }),
            ..PublicEvent::default()
        }
    }

    stoa_testkit::on_every_engine! { crate::MIGRATIONS;
        // contract: security S46 (stored events), users 35 (stored events)
        async fn stored_events_lose_a_deleted_person_and_nothing_else(db: Db) {
            // More than one batch of the person, and one of somebody else.
            for n in 1..=u128::from(BATCH) + 5 {
                let event = listing_event(n, "listing/updated", 20, 30);
                apply(&db, &envelope("listing.updated", [event])).await.unwrap();
            }
            let other = listing_event(500, "listing/updated", 21, 31);
            apply(&db, &envelope("listing.updated", [other])).await.unwrap();
            assert!(!job(&db).once().await.unwrap(), "nobody is deleted yet");
            apply(&db, &user_deleted(501, 30)).await.unwrap();

            // Half-way the process stops.
            let gone = UserId::parse(&id(30)).unwrap();
            let stripped = db
                .write(|tx| async move {
                    let erasure = Erasure { user: gone, texts: false };
                    erasures::strip(&tx, erasure, 10, Timestamp::from_ms(7000)).await
                })
                .await
                .unwrap();
            assert_eq!(stripped, 10);
            assert_eq!(marked(&db).await.first(), Some(&11));
            assert!(job(&db).once().await.unwrap());
            assert_eq!(marked(&db).await, [i64::from(BATCH) + 6]);
            assert!(!job(&db).once().await.unwrap(), "done is done");

            // The tombstone stays.
            let tombstones: Vec<(UserId, i64, Option<i64>)> = db
                .all_as("SELECT user_id, erased_at, finished_at FROM erased_users")
                .await
                .unwrap();
            assert_eq!(tombstones, [(gone, 5000, Some(9000))]);
            // And the report can tell.
            let noted = stoa_feed::erased::of_user(&db, gone).await.unwrap();
            let noted: Vec<_> = noted.iter().map(|e| (e.place.as_str(), e.items, e.at.as_ms())).collect();
            let events = u64::from(BATCH) + 5;
            assert_eq!(noted, [("disk", 1, 9000), ("events", events, 9000)]);
        }

        // Each takes another writer's key out of the same events.
        async fn two_erasures_at_once_do_not_bring_each_other_back(db: Db) {
            for n in 1..=20 {
                let event = protected_by_both(n, 30, 31);
                apply(&db, &envelope("transaction.updated", [event])).await.unwrap();
            }
            assert_eq!(marked(&db).await.len(), 20);
            apply(&db, &user_deleted(501, 30)).await.unwrap();
            apply(&db, &user_deleted(502, 31)).await.unwrap();
            let strip = |user: u128| {
                let (db, user) = (db.clone(), UserId::parse(&id(user)).unwrap());
                async move {
                    while db
                        .write(|tx| async move {
                            let erasure = Erasure { user, texts: false };
                            erasures::strip(&tx, erasure, 3, Timestamp::from_ms(7000)).await
                        })
                        .await
                        .unwrap()
                        > 0
                    {}
                }
            };
            tokio::join!(strip(30), strip(31));
            assert_eq!(marked(&db).await, [0; 0]);
        }

        // contract: security S46 (an event under way while its author is deleted)
        async fn no_event_slips_between_a_tombstone_and_the_job(db: Db) {
            for n in 0..40 {
                let author = 1000 + n;
                let event = listing_event(2000 + n, "listing/updated", 20, author);
                let changed = envelope("listing.updated", [event]);
                let deleted = user_deleted(3000 + n, author);
                let erase = async {
                    apply(&db, &deleted).await.unwrap();
                    job(&db).once().await.unwrap();
                };
                let (stored, ()) = tokio::join!(apply(&db, &changed), erase);
                stored.unwrap();
            }
            assert_eq!(marked(&db).await, [0; 0]);
        }
    }
}
