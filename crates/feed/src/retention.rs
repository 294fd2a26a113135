//! How long envelopes stay in the outbox: seven days longer than the last consumer needs them.
//!
//! Every consumer with a cursor says how far it has come ([`note`]). Once an hour the position that
//! all of them have passed is written down with the time; what was passed seven days ago goes. A
//! consumer that is not heard of for thirty days is not waited for any longer, which is an alarm:
//! when it comes back its cursor lies before what is kept. What was dropped leaves the last states
//! behind ([`states`]): a consumer that needs no more than them takes them and goes on; one that
//! needs every event stops instead of skipping.
//!
//! Times are those of the process: an hour more or less does not matter to days.

use crate::{Error, Wiring, states, store};
use prost::Message as _;
use std::collections::BTreeMap;
use std::time::Duration;
use stoa_db::{DbError, Tx, sql};
use stoa_proto::events::Envelope;
use stoa_types::Timestamp;

/// How often it is looked what can go.
pub(crate) const EVERY: Duration = Duration::from_secs(3600);
/// How long an envelope stays after every consumer passed it.
const KEPT_MS: i64 = 7 * DAY_MS;
/// How long a silent consumer is waited for.
const MISSED_MS: i64 = 30 * DAY_MS;
const DAY_MS: i64 = 86_400_000;
/// Positions that one transaction drops.
const BATCH: i64 = 500;

/// Notes the position of a consumer of the own feed.
pub(crate) async fn note(
    wiring: &Wiring,
    service: &str,
    cursor: &str,
    position: u64,
) -> Result<(), DbError> {
    let noted = sql(store::ACKNOWLEDGE)
        .bind(service)
        .bind(cursor)
        .bind(i64::try_from(position).unwrap_or(i64::MAX))
        .bind(wiring.clock.now());
    wiring
        .db
        .write(|tx| {
            let noted = noted.clone();
            async move {
                tx.execute(noted).await?;
                tx.execute(sql(store::MET).bind(service)).await.map(drop)
            }
        })
        .await
}

/// Drops what nobody needs any longer.
pub(crate) struct Retention {
    wiring: Wiring,
}

type Reader = (String, String, i64, Timestamp);

impl Retention {
    pub(crate) fn new(wiring: &Wiring) -> Self {
        Self {
            wiring: wiring.clone(),
        }
    }

    /// Drops what is too old now; true when there was anything.
    pub(crate) async fn once(&self) -> Result<bool, Error> {
        let now = self.wiring.clock.now();
        let readers = self.readers(now).await?;
        let db = &self.wiring.db;
        let (mut kept_after, head): (i64, i64) = db.one_as(store::KEPT_AFTER).await?;
        let waited_for = readers
            .iter()
            .filter(|(service, cursor, position, seen_at)| {
                let missed = now.ms_since(*seen_at) > MISSED_MS;
                if missed {
                    let owner = self.wiring.identity.name();
                    tracing::error!(
                        owner,
                        service,
                        cursor,
                        position,
                        "A consumer is missing for 30 days and is not waited for any longer"
                    );
                }
                !missed
            });
        let passed = waited_for.map(|(_, _, position, _)| *position).min();
        let passed = passed.unwrap_or(head).min(head);
        let goal = self.passed_long_ago(passed, now).await?.min(passed);
        let any = kept_after < goal;
        while kept_after < goal && !self.wiring.tasks.is_stopping() {
            let next = goal.min(kept_after + BATCH);
            let from = kept_after;
            db.write(|tx| async move { drop_some(&tx, from, next).await })
                .await?;
            kept_after = next;
        }
        Ok(any)
    }

    /// Every consumer, those among them that were never heard of.
    async fn readers(&self, now: Timestamp) -> Result<Vec<Reader>, DbError> {
        let expected = stoa_policy::feeds::consumers_of(self.wiring.identity.name());
        self.wiring
            .db
            .write(|tx| async move {
                for service in expected {
                    tx.execute(sql(store::EXPECT).bind(*service).bind(now))
                        .await?;
                }
                tx.all_as(store::READERS).await
            })
            .await
    }

    /// Writes down what is passed now; gives what was passed long enough ago.
    async fn passed_long_ago(&self, passed: i64, now: Timestamp) -> Result<i64, DbError> {
        self.wiring
            .db
            .write(|tx| async move {
                tx.execute(sql(store::MARK).bind(now).bind(passed)).await?;
                let before = sql(store::PASSED_BY).bind(now.plus_ms(-KEPT_MS));
                let Some((at, position)) = tx.opt_as::<(Timestamp, i64)>(before).await? else {
                    return Ok(0);
                };
                tx.execute(sql(store::FORGET_MARKS).bind(at)).await?;
                Ok(position)
            })
            .await
    }
}

/// Drops the rows behind `from` up to `to`; fails when somebody else did.
async fn drop_some(tx: &Tx, from: i64, to: i64) -> Result<(), DbError> {
    tx.execute_expecting(1, sql(store::KEEP_AFTER).bind(to).bind(from))
        .await?;
    keep_states(tx, from, to).await?;
    tx.execute(sql(store::DROP_PERSONAL).bind(from).bind(to))
        .await?;
    tx.execute(sql(store::DROP).bind(from).bind(to)).await?;
    Ok(())
}

/// Keeps what the rows leave behind for those who come late.
async fn keep_states(tx: &Tx, from: i64, to: i64) -> Result<(), DbError> {
    let rows: Vec<(i64, Vec<u8>)> = tx
        .all_as(sql(store::ENVELOPES_UP_TO).bind(from).bind(to))
        .await?;
    // Of one aggregate only the last.
    let mut left = BTreeMap::new();
    for (position, bytes) in rows {
        let envelope = Envelope::decode(bytes.as_slice())
            .map_err(|why| DbError::corrupt("outbox.envelope", why))?;
        if let Some((name, state)) = states::left_by(envelope) {
            left.insert(name, (position, state.encode_to_vec()));
        }
    }
    for (name, (position, state)) in left {
        let put = sql(store::PUT_STATE).bind(name).bind(position).bind(state);
        tx.execute(put).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EnvelopeBuilder, Origin, Sequencer, emit};
    use std::sync::Arc;
    use stoa_db::Db;
    use stoa_policy::Actor;
    use stoa_rpc::{Identity, Tasks};
    use stoa_types::id::MarketplaceId;
    use stoa_types::{Clock as _, ManualClock, SeededEntropy};

    struct Owner {
        wiring: Wiring,
        clock: Arc<ManualClock>,
    }

    impl Owner {
        /// A service whose feed the event log and the audit log consume.
        fn new(db: Db) -> Self {
            let clock = Arc::new(ManualClock::starting_at(Timestamp::from_ms(400 * DAY_MS)));
            let entropy = Arc::new(SeededEntropy::new(3));
            let marketplace = MarketplaceId::random(&*entropy);
            let wiring = Wiring {
                db,
                identity: Identity::ephemeral("listings", marketplace, clock.clone(), &*entropy),
                clock: clock.clone(),
                entropy,
                tasks: Tasks::new(),
            };
            Self { wiring, clock }
        }

        async fn emit(&self, count: u64) {
            let Wiring { db, entropy, .. } = &self.wiring;
            let origin = Origin::new(&Actor::system("test"), None);
            let now = self.clock.now();
            let envelopes: Vec<_> = (0..count)
                .map(|n| {
                    EnvelopeBuilder::new("listing.updated", "l", n).build(&origin, now, &**entropy)
                })
                .collect();
            let envelopes = &envelopes;
            db.write(|tx| async move { emit(&tx, envelopes.iter().cloned()).await })
                .await
                .unwrap();
            Sequencer::new(&self.wiring).pass().await.unwrap();
        }

        async fn acknowledge(&self, position: u64) {
            for (service, cursor) in [("event-log", "listings"), ("auth", "audit listings")] {
                note(&self.wiring, service, cursor, position).await.unwrap();
            }
        }

        /// After so many days the job runs; the number of rows that stay.
        async fn days_later(&self, days: i64) -> i64 {
            self.clock.advance_ms(days * DAY_MS);
            Retention::new(&self.wiring).once().await.unwrap();
            let rows = "SELECT count(*) FROM outbox";
            let (rows,): (i64,) = self.wiring.db.one_as(rows).await.unwrap();
            rows
        }
    }

    stoa_testkit::on_every_engine! { store::MIGRATIONS;
        // contract: security S46 (rows of the outbox)
        async fn envelopes_go_seven_days_after_every_consumer_passed_them(db: Db) {
            let owner = Owner::new(db);
            owner.emit(1200).await;
            assert_eq!(owner.days_later(0).await, 1200, "nobody was heard of");
            assert_eq!(owner.days_later(10).await, 1200);
            owner.acknowledge(700).await;
            assert_eq!(owner.days_later(0).await, 1200, "passed just now");
            owner.acknowledge(1200).await;
            assert_eq!(owner.days_later(6).await, 1200);
            assert_eq!(owner.days_later(1).await, 500);
            assert_eq!(owner.days_later(7).await, 0);
            owner.emit(3).await;
            assert_eq!(owner.days_later(20).await, 3, "positions go on behind what is gone");
            let head = Sequencer::new(&owner.wiring);
            head.pass().await.unwrap();
            let progress = *head.progress().borrow();
            assert_eq!((progress.head, progress.kept_after), (1203, 1200));
        }

        async fn a_consumer_that_was_set_back_keeps_what_it_needs_again(db: Db) {
            let owner = Owner::new(db);
            owner.emit(20).await;
            owner.acknowledge(20).await;
            assert_eq!(owner.days_later(0).await, 20);
            owner.acknowledge(5).await;
            assert_eq!(owner.days_later(8).await, 15);
        }

        async fn a_consumer_that_is_missing_for_thirty_days_is_waited_for_no_longer(db: Db) {
            let owner = Owner::new(db);
            owner.emit(10).await;
            assert_eq!(owner.days_later(0).await, 10);
            assert_eq!(owner.days_later(30).await, 10);
            owner.days_later(1).await;
            assert_eq!(owner.days_later(7).await, 0);
        }
    }
}
