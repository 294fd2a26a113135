//! Public events of every owner get their numbers; a deleted user gets a tombstone.

use crate::domain::entry::Entry;
use crate::store::log;
use std::collections::BTreeSet;
use std::sync::Arc;
use stoa_db::Tx;
use stoa_feed::{Consume, Error};
use stoa_proto::events::Envelope;
use stoa_types::Clock;
use stoa_types::id::UserId;
use tokio::sync::Notify;

/// The newest form of envelopes that this program knows.
const SCHEMA: u32 = 1;

/// The consumer of one owner's feed.
pub(crate) struct PublicEvents {
    pub(crate) owner: &'static str,
    /// The real time: what is stored ages by it.
    pub(crate) clock: Arc<dyn Clock>,
    /// Told when a tombstone was written.
    pub(crate) erased: Arc<Notify>,
}

#[tonic::async_trait]
impl Consume for PublicEvents {
    fn owner(&self) -> &'static str {
        self.owner
    }

    /// All of them: an event that is skipped would be missing from the log for ever.
    fn takes(&self, _kind: &str) -> Option<u32> {
        Some(SCHEMA)
    }

    async fn apply(&self, tx: &Tx, envelope: &Envelope) -> Result<(), Error> {
        let gone = deleted_user(envelope).transpose()?;
        let mut entries = Entry::of(envelope);
        if entries.is_empty() && gone.is_none() {
            return Ok(());
        }
        let stored = log::stored(tx, &entries).await?;
        entries.retain(|entry| !stored.contains(&entry.event.id));
        let now = self.clock.now();
        let first = log::take_numbers(tx, entries.len()).await?;
        if let Some(user) = gone {
            log::bury(tx, user, now).await?;
        }
        let users: BTreeSet<UserId> = entries
            .iter()
            .flat_map(|entry| entry.personal.iter().copied())
            .collect();
        let erased = log::erased(tx, &users).await?;
        for entry in &mut entries {
            entry.strip(&erased);
        }
        Ok(log::insert(tx, first, &entries, now).await?)
    }

    fn committed(&self, envelope: &Envelope) {
        if deleted_user(envelope).is_some() {
            self.erased.notify_one();
        }
    }
}

fn deleted_user(envelope: &Envelope) -> Option<Result<UserId, Error>> {
    let deletion = envelope.r#type == "user.deleted";
    deletion.then(|| UserId::parse(&envelope.aggregate_id).map_err(Error::effect))
}
