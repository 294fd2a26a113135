//! The whole stack, seen from outside over HTTP: in one process over SQLite, and as separate
//! processes on PostgreSQL (modules `distributed`).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod access_matrix;
mod adopting;
mod applications;
mod audit;
mod bad_input;
mod bans;
mod deletions;
mod embedded;
mod fail_closed;
mod keys;
mod model;
mod mutual_tls;
mod parts;
mod permissions;
mod previous;
mod restoring;
mod routes;
mod serving;
mod sessions;
mod settings;
mod socket;
mod tokens;
mod traces;
mod world;

use std::time::Duration;
pub(crate) use world::in_both_modes;

/// Waits until a look from outside sees what is expected, which a feed brings within a second.
async fn soon<F: Future<Output = bool>>(look: impl Fn() -> F) {
    let wait = async {
        while !look().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), wait)
        .await
        .expect("it did not come to be within ten seconds");
}
