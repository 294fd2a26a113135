//! Public events of every owner get their numbers; a deleted user gets a tombstone.

use crate::domain::entry::Entry;
use crate::store::log;
use std::collections::BTreeSet;
use std::sync::Arc;
use stoa_db::Tx;
use stoa_feed::erase::Erasure;
use stoa_feed::{Consume, Error, Needs, USER_STATE};
use stoa_proto::events::{Envelope, envelope::Payload};
use stoa_types::Clock;
use stoa_types::id::UserId;
use tokio::sync::Notify;

/// The newest form of envelopes that this program knows.
const SCHEMA: u32 = 1;

/// The consumer of one owner's feed.
pub(crate) struct PublicEvents {
    pub(crate) owner: &'static str,
    /// The real time: what is stored ages by it.
    pub(crate) clock: Arc<dyn Clock>,
    /// Told when a tombstone was written.
    pub(crate) erased: Arc<Notify>,
}

#[tonic::async_trait]
impl Consume for PublicEvents {
    fn owner(&self) -> &'static str {
        self.owner
    }

    /// All of them: an event that is skipped would be missing from the log for ever.
    fn takes(&self, _kind: &str) -> Option<u32> {
        Some(SCHEMA)
    }

    /// The log may begin late, with the tombstones of those who are gone; once it has begun nothing
    /// may be missing.
    fn needs(&self) -> Needs {
        Needs::Events
    }

    async fn apply(&self, tx: &Tx, envelope: &Envelope) -> Result<(), Error> {
        self.apply_all(tx, std::slice::from_ref(envelope)).await
    }

    /// A fixed number of statements for any number of envelopes.
    async fn apply_all(&self, tx: &Tx, envelopes: &[Envelope]) -> Result<(), Error> {
        let gone = envelopes.iter().filter_map(deleted_user);
        let gone = gone.collect::<Result<BTreeSet<Erasure>, Error>>()?;
        let mut entries: Vec<Entry> = envelopes.iter().flat_map(Entry::of).collect();
        if entries.is_empty() && gone.is_empty() {
            return Ok(());
        }
        // Stored before, or twice in this batch.
        let mut seen = log::stored(tx, &entries).await?;
        entries.retain(|entry| seen.insert(entry.event.id.clone()));
        let now = self.clock.now();
        let first = log::take_numbers(tx, entries.len()).await?;
        log::bury(tx, &gone, now).await?;
        let users: BTreeSet<UserId> = entries
            .iter()
            .flat_map(|entry| entry.personal.iter().copied())
            .collect();
        let erased = log::erased(tx, &users).await?;
        for entry in &mut entries {
            entry.strip(&erased);
        }
        Ok(log::insert(tx, first, &entries, now).await?)
    }

    fn committed(&self, envelope: &Envelope) {
        if deleted_user(envelope).is_some() {
            self.erased.notify_one();
        }
    }
}

fn deleted_user(envelope: &Envelope) -> Option<Result<Erasure, Error>> {
    let texts = match (envelope.r#type.as_str(), &envelope.payload) {
        ("user.deleted" | USER_STATE, Some(Payload::User(access))) if access.state == "deleted" => {
            access.erase_texts
        }
        ("user.deleted", _) => false,
        _ => return None,
    };
    let user = UserId::parse(&envelope.aggregate_id).map_err(Error::effect);
    Some(user.map(|user| Erasure { user, texts }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::query::{EventFilter, page};
    use crate::testing::{apply, envelope, id, listing_event, public_events, user_deleted};
    use stoa_db::Db;
    use stoa_proto::event_log::LoggedEvent;
    use stoa_proto::events::PublicEvent;

    async fn log_after(db: &Db, number: i64) -> Vec<LoggedEvent> {
        let filter = EventFilter {
            from: number + 1,
            ..EventFilter::default()
        };
        page(db, &filter, 1000).await.unwrap().0
    }

    /// Numbers and ids at the source.
    async fn all(db: &Db) -> Vec<(u64, String)> {
        let events = log_after(db, 0).await.into_iter();
        events
            .map(|logged| (logged.sequence_id, logged.event.unwrap().id))
            .collect()
    }

    fn changes(kind: &str, events: std::ops::RangeInclusive<u128>) -> Envelope {
        envelope(
            kind,
            events.map(|n| listing_event(n, "listing/updated", 20, 30)),
        )
    }

    fn knows_the_title(logged: &LoggedEvent) -> bool {
        format!("{logged:?}").contains("Secret title")
    }

    stoa_testkit::on_every_engine! { crate::MIGRATIONS;
        async fn events_of_an_envelope_are_numbered_in_their_order_without_gaps(db: Db) {
            apply(&db, &changes("listing.updated", 1..=3)).await.unwrap();
            apply(&db, &envelope("session.revoked", [])).await.unwrap();
            apply(&db, &changes("listing.updated", 10..=10)).await.unwrap();
            let expected: Vec<_> = (1..).zip([1, 2, 3, 10].map(id)).collect();
            assert_eq!(all(&db).await, expected);
        }

        // More events than fit into one statement.
        async fn a_large_envelope_is_stored_whole(db: Db) {
            apply(&db, &changes("listing.updated", 1..=450)).await.unwrap();
            let expected: Vec<_> = (1..).zip((1..=450).map(id)).collect();
            assert_eq!(all(&db).await, expected);
            apply(&db, &changes("listing.updated", 400..=451)).await.unwrap();
            assert_eq!(all(&db).await.last().unwrap(), &(451, id(451)));
        }

        async fn what_comes_again_is_not_stored_again_and_takes_no_number(db: Db) {
            let told = changes("listing.updated", 1..=2);
            apply(&db, &told).await.unwrap();
            apply(&db, &told).await.unwrap();
            // One that is known beside one that is not.
            apply(&db, &changes("listing.updated", 2..=3)).await.unwrap();
            assert_eq!(all(&db).await, [(1, id(1)), (2, id(2)), (3, id(3))]);
        }

        async fn a_batch_is_stored_as_its_envelopes_would_be_one_by_one(db: Db) {
            let consumer = &public_events("listings");
            let batch = &[
                changes("listing.updated", 1..=2),
                envelope("session.revoked", []),
                changes("listing.updated", 2..=3),
                user_deleted(9, 30),
                changes("listing.updated", 4..=4),
            ];
            let apply = db.write(|tx| async move { consumer.apply_all(&tx, batch).await });
            let (done, statements) = stoa_db::accounting::scope(apply).await;
            done.unwrap();
            let expected: Vec<_> = (1..).zip([1, 2, 3, 9, 4].map(id)).collect();
            assert_eq!(all(&db).await, expected);
            assert!(!log_after(&db, 0).await.iter().any(knows_the_title), "the author is gone");
            assert_eq!(statements.count, 6, "of the five envelopes together");
        }

        async fn a_failed_transaction_leaves_neither_events_nor_numbers(db: Db) {
            let consumer = &public_events("listings");
            let told = &changes("listing.updated", 1..=2);
            let failed = db
                .write(|tx| async move {
                    consumer.apply(&tx, told).await?;
                    Err::<(), Error>(Error::effect("a crash before the commit"))
                })
                .await;
            assert!(failed.is_err());
            assert_eq!(all(&db).await, []);
            apply(&db, told).await.unwrap();
            assert_eq!(all(&db).await, [(1, id(1)), (2, id(2))]);
        }

        // contract: security S45 (event log), S46 (stored events), users 35 (late events)
        async fn what_arrives_after_a_deletion_is_stored_without_the_person(db: Db) {
            let listing = |n, author| {
                envelope("listing.updated", [listing_event(n, "listing/updated", 20, author)])
            };
            let deleted = user_deleted(1, 30);
            apply(&db, &deleted).await.unwrap();
            // Late, from another feed; then the deletion again, then later still.
            apply(&db, &listing(2, 30)).await.unwrap();
            apply(&db, &deleted).await.unwrap();
            apply(&db, &listing(3, 30)).await.unwrap();
            apply(&db, &listing(4, 31)).await.unwrap();
            let stored = log_after(&db, 0).await;
            let known: Vec<bool> = stored.iter().map(knows_the_title).collect();
            assert_eq!(known, [false, false, false, true]);
            let personal: Vec<(String, i64)> = db
                .all_as("SELECT user_id, sequence_id FROM event_personal")
                .await
                .unwrap();
            assert_eq!(personal, [(id(31), 4)]);
        }

        // contract: integration I11 (the log)
        async fn a_poller_never_finds_a_number_below_one_that_it_saw(db: Db) {
            const EACH: u128 = 60;
            let writer = |of: u128| {
                let db = db.clone();
                async move {
                    for n in 0..EACH {
                        let events: Vec<PublicEvent> = (0..=n % 3)
                            .map(|k| {
                                let event = of * 1000 + n * 3 + k;
                                listing_event(event, "listing/updated", of, 30)
                            })
                            .collect();
                        apply(&db, &envelope("listing.updated", events)).await.unwrap();
                    }
                }
            };
            let expected = 3 * 2 * usize::try_from(EACH).unwrap();
            let poller = async {
                let mut commits = db.on_commit();
                let mut seen: Vec<(u64, String)> = Vec::new();
                while seen.len() < expected {
                    let last = seen.last().map_or(0, |(number, _)| *number);
                    // Everything, not only what is new: an older number would show up.
                    let now = all(&db).await;
                    assert!(now.starts_with(&seen), "a number appeared behind {last}");
                    assert!(now.is_sorted_by(|a, b| a.0 < b.0));
                    if now.len() == seen.len() {
                        commits.changed().await.unwrap();
                    }
                    seen = now;
                }
                seen
            };
            let (.., seen) = tokio::join!(writer(1), writer(2), writer(3), poller);
            // Without gaps, which the count of a range relies on.
            assert!((1..).zip(&seen).all(|(n, (number, _))| n == *number));
            // Per source in its order.
            for of in 1..=3 {
                let mine = (of * 1000..(of + 1) * 1000).map(id);
                let mine: std::collections::HashSet<String> = mine.collect();
                let order = seen.iter().filter(|(_, event)| mine.contains(event));
                let order: Vec<&String> = order.map(|(_, event)| event).collect();
                assert_eq!(order.len() * 3, expected);
                assert!(order.is_sorted());
            }
        }
    }
}
