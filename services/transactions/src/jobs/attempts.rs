//! Ends attempts whose process died: what they held may be released, and their transactions move
//! again.

use crate::context::Context;
use crate::error::Error;
use crate::store::attempts;

/// How long it is remembered how an attempt ended, in milliseconds: far longer than anybody can
/// still commit it or ask for it.
const REMEMBERED_MS: i64 = 90 * 86_400_000;

/// Forgets how attempts ended that nobody asks for any more; true when there was any.
///
/// # Errors
/// Those of the statements.
pub(crate) async fn forget_old(context: &Context) -> Result<bool, Error> {
    let before = context.real_clock.now().plus_ms(-REMEMBERED_MS);
    let mut any = false;
    while context
        .db
        .write(|tx| async move { attempts::forget(&tx, before).await })
        .await?
        > 0
    {
        any = true;
    }
    Ok(any)
}

/// Ends all attempts whose lease is over; true when there was any.
///
/// # Errors
/// Those of the statements.
pub(crate) async fn run_all(context: &Context) -> Result<bool, Error> {
    let now = context.real_clock.now();
    let (stale,): (i64,) = context.db.one_as(attempts::stale(now)).await?;
    if stale == 0 {
        return Ok(false);
    }
    let ended = context
        .db
        .write(|tx| async move { attempts::sweep(&tx, now).await })
        .await?;
    Ok(ended > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MIGRATIONS;
    use crate::store::attempts::{Attempt, open};
    use crate::testing::*;
    use stoa_db::Db;
    use stoa_types::id::{AttemptId, TransactionId};

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: engine E72 (the side of transactions)
        async fn an_attempt_of_a_dead_process_is_aborted_and_a_living_one_is_not(db: Db) {
            let world = World::new(db).await;
            let now = world.cx().real_clock.now();
            let attempt = |lease_until| Attempt {
                id: AttemptId::random(&*world.cx().entropy),
                transaction: TransactionId::random(&*world.cx().entropy),
                transition: "transition/pay".into(),
                started_at: now.plus_ms(-120_000),
                lease_until,
            };
            for attempt in [attempt(now.plus_ms(-1)), attempt(now.plus_ms(60_000))] {
                let attempt = &attempt;
                let opened = world.cx().db.write(|tx| async move { open(&tx, attempt).await });
                assert!(opened.await.unwrap());
            }
            world.drain().await;
            assert_eq!(world.count("SELECT count(*) FROM attempts").await, 1);
            let aborted = "SELECT count(*) FROM attempt_ends WHERE outcome = 'aborted'";
            assert_eq!(world.count(aborted).await, 1);
            assert!(!forget_old(world.cx()).await.unwrap());
            let long_ago = "UPDATE attempt_ends SET at = at - 7776000001";
            let aged = world.cx().db.write(|tx| async move { tx.execute(long_ago).await });
            assert_eq!(aged.await, Ok(1));
            assert!(forget_old(world.cx()).await.unwrap());
            assert_eq!(world.count(aborted).await, 0);
        }
    }
}
