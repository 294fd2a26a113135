//! Removes tokens and notices whose time is over.

use crate::error::Error;
use crate::store::email_tokens;
use std::sync::Arc;
use std::time::Duration;
use stoa_db::Db;
use stoa_types::Clock;

/// How often it looks.
pub(crate) const POLL: Duration = Duration::from_secs(10 * 60);

/// The job. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ForgetTokens {
    pub(crate) db: Db,
    pub(crate) clock: Arc<dyn Clock>,
}

impl ForgetTokens {
    /// Removes what is over now; true when there was anything.
    pub(crate) async fn once(&self) -> Result<bool, Error> {
        let now = self.clock.now();
        let forgotten = self
            .db
            .write(|tx| async move { email_tokens::forget(&tx, now).await })
            .await?;
        Ok(forgotten > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MIGRATIONS;
    use crate::rpc::harness::*;
    use stoa_db::Db;

    stoa_testkit::on_every_engine! { MIGRATIONS;
        async fn tokens_go_when_their_time_is_over_and_not_before(db: Db) {
            let world = World::new(db).await;
            world.sign_up("a@x.io").await;
            world.reset_token("a@x.io").await;
            let job = ForgetTokens {
                db: world.cx.db.clone(),
                clock: world.clock.clone(),
            };
            let left = async || -> (i64, i64) {
                const LEFT: &str = "SELECT (SELECT count(*) FROM email_tokens),
                                           (SELECT count(*) FROM email_token_secrets)";
                world.cx.db.one_as(LEFT).await.unwrap()
            };
            world.clock.advance_ms(60 * 60 * 1000 - 1);
            assert!(!job.once().await.unwrap());
            assert_eq!(left().await, (2, 2));
            world.clock.advance_ms(1);
            assert!(job.once().await.unwrap());
            assert_eq!(left().await, (1, 1));
            world.clock.advance_ms(47 * 60 * 60 * 1000);
            assert!(job.once().await.unwrap());
            assert_eq!(left().await, (0, 0));
            assert!(!job.once().await.unwrap());
        }
    }
}
