//! Attempts: transitions that reach beyond the database leave a trace first.

use crate::context::Context;
use crate::error::Error;
use crate::store::attempts::{self, Attempt, Outcome};
use stoa_types::id::{AttemptId, TransactionId};

/// How long an attempt counts as alive, in milliseconds.
const LEASE_MS: i64 = 60_000;

/// Opens an attempt on a transaction.
///
/// # Errors
/// [`Error::Locked`] when another one is alive.
pub(crate) async fn open(
    context: &Context,
    transaction: TransactionId,
    transition: &str,
) -> Result<AttemptId, Error> {
    let now = context.real_clock.now();
    let attempt = Attempt {
        id: AttemptId::random(&*context.entropy),
        transaction,
        transition: transition.to_owned(),
        started_at: now,
        lease_until: now.plus_ms(LEASE_MS),
    };
    let opened = context
        .db
        .write(|tx| {
            let attempt = attempt.clone();
            async move { attempts::open(&tx, &attempt).await }
        })
        .await?;
    if opened {
        Ok(attempt.id)
    } else {
        Err(Error::Locked)
    }
}

/// Ends an attempt without effect, before its caller is answered.
///
/// # Errors
/// Those of the statements.
pub(crate) async fn abort(context: &Context, id: AttemptId) -> Result<Outcome, Error> {
    let now = context.real_clock.now();
    let ended = context
        .db
        .write(|tx| async move { attempts::end(&tx, id, Outcome::Aborted, now).await })
        .await?;
    Ok(ended)
}
