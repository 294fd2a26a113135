//! Drives the time table of the signing keys, on one replica at a time. Real time.

use crate::Auth;
use crate::rotation::Rotation;
use std::sync::Arc;
use std::time::Duration;
use stoa_feed::Lease;
use stoa_rpc::Tasks;

/// How often it looks.
const EVERY: Duration = Duration::from_secs(60);

/// Looks every minute whether a step is due, until the process stops.
pub(crate) async fn run(auth: Arc<Auth>, lease: Lease, tasks: Tasks) {
    loop {
        tokio::select! {
            () = tasks.stopping() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        let done = async {
            if lease.acquire().await? {
                Rotation::by_time(&auth).keep_time().await?;
                lease.release().await?;
            }
            Ok::<(), crate::rotation::RotationError>(())
        };
        if let Err(error) = done.await {
            tracing::error!(error = ?error, "A signing key could not be moved");
        }
    }
}
