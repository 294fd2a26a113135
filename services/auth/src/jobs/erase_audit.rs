//! Removes what the audit log says about people who were deleted. The entries stay, and so does the
//! chain. It starts from rows, so it survives a restart, and doing it twice does no harm.

use crate::Auth;
use crate::store::audit;
use std::time::Duration;
use stoa_db::DbError;
use stoa_feed::erased;

/// How often it looks for what is left over: from before a restart, or after a failure.
pub(crate) const EVERY: Duration = Duration::from_secs(10);
/// Details of one transaction.
const BATCH: u32 = 200;

/// Finishes what is there now; true when there was anything.
pub(crate) async fn erase(auth: &Auth) -> Result<bool, DbError> {
    let users = audit::to_erase(&auth.db).await?;
    if users.is_empty() {
        return Ok(false);
    }
    let now = auth.real_clock.now();
    for (user, _) in &users {
        while auth
            .db
            .write(|tx| async move {
                let removed = audit::erase(&tx, *user, BATCH).await?;
                erased::note(&tx, *user, "audit", removed, now).await?;
                Ok::<u64, DbError>(removed)
            })
            .await?
            > 0
        {}
    }
    auth.db.purge_deleted().await?;
    for (user, asked_at) in &users {
        auth.db
            .write(|tx| async move { audit::erased(&tx, *user, *asked_at, now).await })
            .await?;
    }
    Ok(true)
}
