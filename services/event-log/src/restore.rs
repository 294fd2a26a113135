//! After a restore: numbers that were given out behind the backup are not given out again.

use crate::store::gaps;
use stoa_db::{Db, DbError};

/// Leaves out the next `count` numbers for good, so that an event that clients saw before the
/// restore and one that comes after it never have the same `sequenceId`. `count` must be more than
/// the number of events since the backup. Counting goes by the numbers that events have.
///
/// # Errors
/// Those of the database.
pub async fn skip_numbers(db: &Db, count: u32) -> Result<(), DbError> {
    if count == 0 {
        return Ok(());
    }
    db.write(|tx| async move { gaps::skip(&tx, i64::from(count)).await })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::query::{EventFilter, page};
    use crate::testing::{apply, envelope, listing_event};

    async fn store(db: &Db, event: u128) {
        let event = listing_event(event, "listing/updated", 20, 30);
        apply(db, &envelope("listing.updated", [event]))
            .await
            .unwrap();
    }

    /// Numbers from one on, and the total of a page that does not hold them all.
    async fn look(db: &Db, from: i64, before: Option<i64>) -> (Vec<u64>, u64) {
        let filter = EventFilter {
            from,
            before,
            ..EventFilter::default()
        };
        let (all, exact) = page(db, &filter, 1000).await.unwrap();
        let (_, counted) = page(db, &filter, 1).await.unwrap();
        assert_eq!(counted, exact, "{filter:?}");
        (
            all.into_iter().map(|event| event.sequence_id).collect(),
            counted,
        )
    }

    stoa_testkit::on_every_engine! { crate::MIGRATIONS;
        // contract: security S47 (numbers)
        async fn numbers_go_on_behind_those_that_were_left_out_and_totals_stay_right(db: Db) {
            for event in 1..=3 {
                store(&db, event).await;
            }
            skip_numbers(&db, 1000).await.unwrap();
            store(&db, 4).await;
            store(&db, 5).await;
            skip_numbers(&db, 10).await.unwrap();
            skip_numbers(&db, 5).await.unwrap();
            store(&db, 6).await;
            assert_eq!(look(&db, 0, None).await, (vec![1, 2, 3, 1004, 1005, 1021], 6));
            assert_eq!(look(&db, 3, None).await, (vec![3, 1004, 1005, 1021], 4));
            assert_eq!(look(&db, 500, Some(1021)).await, (vec![1004, 1005], 2));
            assert_eq!(look(&db, 0, Some(600)).await, (vec![1, 2, 3], 3));
        }
    }
}
