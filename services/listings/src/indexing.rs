//! Keeps the index in step: filled from the store, then fed by the own feed; filled anew when the
//! search schemas change.

use crate::core::Core;
use crate::search::Schemas;
use crate::{message, store};
use std::sync::Arc;
use stoa_db::DbError;
use stoa_feed::Follow;
use stoa_feed::projections::Settings;
use stoa_proto::events::{Envelope, envelope::Payload};
use stoa_search::SchemaFor;

/// Rows read at once.
const BATCH: u32 = 500;
/// Pause before a failed filling is tried again.
const AGAIN: std::time::Duration = std::time::Duration::from_secs(1);

/// Fills the index. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Indexer(Arc<Inner>);

struct Inner {
    core: Arc<Core>,
    settings: Settings,
    /// One rebuild at a time.
    turn: tokio::sync::Mutex<()>,
    /// Position of the feed before the first filling; taken when the feed is first followed.
    filled_at: parking_lot::Mutex<Option<u64>>,
}

impl Indexer {
    /// An indexer whose index is filled with everything committed up to `position`.
    pub(crate) async fn fill(
        core: Arc<Core>,
        settings: Settings,
        position: u64,
    ) -> Result<Self, DbError> {
        let indexer = Self(Arc::new(Inner {
            core,
            settings,
            turn: tokio::sync::Mutex::default(),
            filled_at: parking_lot::Mutex::new(Some(position)),
        }));
        indexer.rebuild().await?;
        Ok(indexer)
    }

    /// Fills a fresh index with the present schemas, then lets it take over.
    async fn rebuild(&self) -> Result<(), DbError> {
        let _turn = self.0.turn.lock().await;
        self.rebuild_in_turn(self.schemas()).await
    }

    async fn rebuild_in_turn(&self, schemas: Schemas) -> Result<(), DbError> {
        let core = &self.0.core;
        core.index.begin_rebuild(Arc::new(schemas));
        for (author, version) in store::hidden_authors(&core.db).await? {
            core.index.hide_author(author, version, true);
        }
        let mut last = None;
        loop {
            let batch = store::live_after(&core.db, last, BATCH).await?;
            let Some(listing) = batch.last() else { break };
            last = Some(listing.id);
            core.index.load(&batch);
        }
        core.index.finish_rebuild();
        Ok(())
    }

    fn schemas(&self) -> Schemas {
        let settings = self.0.settings.latest();
        settings.map_or_else(Schemas::default, |settings| {
            Schemas::of(SchemaFor::Listing, &settings.search_schemas)
        })
    }

    /// Fills the index anew when the search schemas changed; true when they did.
    pub(crate) async fn follow_schemas(&self) -> Result<bool, DbError> {
        let _turn = self.0.turn.lock().await;
        let schemas = self.schemas();
        if *self.0.core.index.schemas() == schemas {
            return Ok(false);
        }
        self.rebuild_in_turn(schemas).await?;
        Ok(true)
    }

    /// Follows changes of the search schemas until `stopping`.
    pub(crate) async fn run(self, tasks: stoa_rpc::Tasks) {
        let mut changes = self.0.settings.watch();
        loop {
            if let Err(error) = self.follow_schemas().await {
                tracing::error!(error = ?error, "The search index could not be filled");
                // The next round tries again.
                changes.mark_changed();
                tokio::select! {
                    () = tasks.stopping() => return,
                    () = tokio::time::sleep(AGAIN) => {}
                }
            }
            tokio::select! {
                () = tasks.stopping() => return,
                changed = changes.changed() => if changed.is_err() {
                    return;
                },
            }
        }
    }
}

#[tonic::async_trait]
impl Follow for Indexer {
    fn owner(&self) -> &'static str {
        "listings"
    }

    async fn load(&self, head: u64) -> Result<u64, stoa_feed::Error> {
        let filled_at = self.0.filled_at.lock().take();
        if let Some(position) = filled_at.filter(|position| *position <= head) {
            return Ok(position);
        }
        self.rebuild().await?;
        Ok(head)
    }

    fn apply(&self, envelope: &Envelope) {
        let Some(Payload::Listing(message)) = &envelope.payload else {
            return;
        };
        match message::decode(message) {
            Some(listing) => self.0.core.committed(&listing),
            None => tracing::error!(envelope = envelope.id, "A listing in the feed is damaged"),
        }
    }
}
