//! What this process keeps in memory of its own store, told by its own feed: another replica, or
//! somebody with a shell, may have changed it.

use crate::Auth;
use std::sync::Arc;
use std::time::Duration;
use stoa_feed::Follow;
use stoa_proto::events::{Envelope, envelope::Payload};
use stoa_rpc::Tasks;
use stoa_types::id::ClientId;
use tokio::sync::Notify;

/// Follows auth's own feed. Cheap to clone.
#[derive(Clone)]
pub(crate) struct OwnFeed {
    auth: Arc<Auth>,
    /// A key came into another state.
    keys: Arc<Notify>,
}

impl OwnFeed {
    pub(crate) fn new(auth: Arc<Auth>) -> Self {
        Self {
            auth,
            keys: Arc::default(),
        }
    }

    /// Reads the keys anew whenever one of them came into another state, until the process stops.
    pub(crate) async fn read_keys(self, tasks: Tasks) {
        loop {
            tokio::select! {
                () = tasks.stopping() => return,
                () = self.keys.notified() => {}
            }
            if let Err(error) = self.auth.tokens.keys.now().await {
                tracing::error!(error = ?error, "The signing keys could not be read");
                self.keys.notify_one();
                tokio::select! {
                    () = tasks.stopping() => return,
                    () = tokio::time::sleep(Duration::from_millis(500)) => {}
                }
            }
        }
    }
}

#[tonic::async_trait]
impl Follow for OwnFeed {
    fn owner(&self) -> &'static str {
        "auth"
    }

    async fn load(&self, head: u64) -> Result<u64, stoa_feed::Error> {
        self.auth.applications.forget_all();
        self.keys.notify_one();
        Ok(head)
    }

    fn apply(&self, envelope: &Envelope) {
        let forget = |id: &str| {
            if let Ok(id) = ClientId::parse(id) {
                self.auth.applications.forget(id);
            }
        };
        match &envelope.payload {
            Some(Payload::Key(_)) => self.keys.notify_one(),
            Some(Payload::Revocation(entry)) => match entry.kind.as_str() {
                "key" => self.keys.notify_one(),
                "app" => forget(&entry.key),
                _ => {}
            },
            Some(Payload::ApplicationEnd(end)) => forget(&end.client_id),
            Some(
                Payload::User(_)
                | Payload::Listing(_)
                | Payload::Transaction(_)
                | Payload::Settings(_),
            )
            | None => {}
        }
    }
}
