//! Removes what nobody can use any more: sessions that are over, used refresh tokens after 30 days
//! or beyond 1,000 generations of a family, revocations that can no longer matter. Real time.

use crate::Auth;
use crate::store::{revocations, sessions};
use std::sync::Arc;
use std::time::Duration;
use stoa_db::DbError;
use stoa_feed::Lease;
use stoa_rpc::Tasks;

/// How often it runs.
const EVERY: Duration = Duration::from_secs(600);
/// How long the hash of a used token is kept, in milliseconds.
const USED_MS: i64 = 30 * 86_400_000;
/// Most generations of one family that are kept.
const MOST_GENERATIONS: i64 = 1000;
/// Most passes of one run; what is left waits for the next.
const PASSES: usize = 100;

/// Prunes every ten minutes, on one replica at a time, until the process stops.
pub(crate) async fn run(auth: Arc<Auth>, lease: Lease, tasks: Tasks) {
    loop {
        tokio::select! {
            () = tasks.stopping() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        let done = async {
            if lease.acquire().await? {
                prune(&auth).await?;
                lease.release().await?;
            }
            Ok::<(), DbError>(())
        };
        if let Err(error) = done.await {
            tracing::error!(error = ?error, "Pruning sessions failed");
        }
    }
}

/// Prunes what is due; returns how many rows went.
pub(crate) async fn prune(auth: &Auth) -> Result<u64, DbError> {
    let now = auth.real_clock.now();
    let lifetimes = &auth.tokens.lifetimes;
    let over_before = now.plus_ms(-lifetimes.revocation_ms());
    let longest_idle_s = lifetimes
        .user
        .idle_s
        .max(lifetimes.integration.idle_s)
        .max(lifetimes.operator.idle_s);
    let idle_since = over_before.plus_ms(-longest_idle_s * 1000);
    let mut removed = 0;
    for _ in 0..PASSES {
        let sessions = auth
            .db
            .write(|tx| async move { sessions::prune(&tx, over_before, idle_since).await })
            .await?;
        removed += sessions;
        if sessions == 0 {
            break;
        }
    }
    removed += auth
        .db
        .write(|tx| async move {
            let tokens =
                sessions::prune_tokens(&tx, now.plus_ms(-USED_MS), MOST_GENERATIONS).await?;
            Ok::<u64, DbError>(tokens + revocations::prune(&tx, now).await?)
        })
        .await?;
    Ok(removed)
}
