//! Removes what a deleted user left: the keys of protected data that this person brought in, what
//! is scheduled in this person's transactions, and the same values in the own outbox.
//!
//! It goes by batches, each a transaction that notes how far it came, so a restart goes on there.

use super::POLL;
use crate::context::Context;
use crate::error::Error;
use crate::store::{dialect, erasures, timers, transactions};
use stoa_db::{Tx, sql};
use stoa_rpc::Tasks;
use stoa_types::id::{TransactionId, UserId};

/// Envelopes of the outbox that one transaction rewrites.
const ENVELOPES: u32 = 50;

/// Erases until the process stops.
pub(crate) async fn run(context: Context, tasks: Tasks) {
    loop {
        if let Err(error) = run_all(&context).await {
            tracing::warn!(error = ?error, "An erasure will be tried again");
        }
        tokio::select! {
            () = tasks.stopping() => return,
            () = context.erasure_due.notified() => {}
            () = tokio::time::sleep(POLL) => {}
        }
    }
}

/// Erases all who wait for it; true when there was anybody.
///
/// # Errors
/// Those of the statements; what was done stays done.
pub(crate) async fn run_all(context: &Context) -> Result<bool, Error> {
    let mut any = false;
    while let Some((user, after)) = context.db.opt_as(erasures::next()).await? {
        any = true;
        erase(context, user, after).await?;
    }
    Ok(any)
}

async fn erase(context: &Context, user: UserId, mut after: String) -> Result<(), Error> {
    loop {
        let from = after.as_str();
        let reached = context
            .db
            .write(move |tx| async move { batch(&tx, context, user, from).await })
            .await?;
        match reached {
            Some(id) => after = id.to_string(),
            None => break,
        }
    }
    while context
        .db
        .write(|tx| async move { stoa_feed::erase::erase_outbox(&tx, user, ENVELOPES).await })
        .await?
        > 0
    {}
    context.db.purge_deleted().await?;
    context
        .db
        .write(|tx| async move { tx.execute(erasures::finish(user)).await })
        .await?;
    tracing::info!(%user, "What a deleted user left was removed");
    Ok(())
}

/// Cleans the next transactions of a user; nothing when there are no more.
async fn batch(
    tx: &Tx,
    context: &Context,
    user: UserId,
    after: &str,
) -> Result<Option<TransactionId>, Error> {
    let ids: Vec<(TransactionId,)> = tx
        .all_as(sql(transactions::IDS_OF_USER).bind(user).bind(after))
        .await?;
    let Some((last,)) = ids.last().copied() else {
        return Ok(None);
    };
    tx.execute_expecting(1, erasures::advance(user, after, last))
        .await?;
    for (id,) in ids {
        clean(tx, context, user, id).await?;
    }
    Ok(Some(last))
}

async fn clean(tx: &Tx, context: &Context, user: UserId, id: TransactionId) -> Result<(), Error> {
    tx.execute(timers::cancel_scheduled(id)).await?;
    let locked = dialect::locked(tx, id, None, context.real_clock.now()).await?;
    let Some(before) = locked.map(|locked| locked.transaction) else {
        return Ok(());
    };
    let Some(party) = before.run.party_of(user) else {
        return Ok(());
    };
    let protected_data = before.run.protected_data.without(party);
    if protected_data == before.run.protected_data {
        return Ok(());
    }
    let mut run = before.run.clone();
    run.protected_data = protected_data;
    tx.execute_expecting(1, transactions::update(&before.moved_to(run)))
        .await?;
    Ok(())
}
