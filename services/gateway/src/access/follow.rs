//! The gateway's caches, fed by the feeds of `auth` and `users`.

use super::Access;
use crate::service::{Peers, SettingsView};
use std::sync::Arc;
use stoa_feed::{Error, Follow};
use stoa_proto::Class;
use stoa_proto::auth::SnapshotRequest;
use stoa_proto::events::{Envelope, envelope::Payload};
use stoa_rpc::Identity;
use stoa_types::Entropy;
use stoa_types::id::RequestId;

/// Keys, revocations and settings.
pub(crate) struct FollowAuth {
    pub access: Arc<Access>,
    pub peers: Peers,
    pub identity: Identity,
    pub entropy: Arc<dyn Entropy>,
}

#[tonic::async_trait]
impl Follow for FollowAuth {
    fn owner(&self) -> &'static str {
        "auth"
    }

    async fn load(&self, _head: u64) -> Result<u64, Error> {
        let request = RequestId::random(self.entropy.as_ref());
        let own = self.identity.own(Class::Read, request);
        let snapshot = self
            .peers
            .auth()
            .snapshot(own.request(SnapshotRequest {}))
            .await
            .map_err(|status| Error::Refused(stoa_rpc::status::from_status(&status)))?
            .into_inner();
        let access = &self.access;
        access.tokens.set_installation(&snapshot.installation_id);
        {
            let mut revocations = access.revocations.write();
            for entry in &snapshot.revocations {
                revocations.apply(entry);
            }
        }
        access.tokens.set_keys(&snapshot.keys);
        if let Some(settings) = &snapshot.settings {
            access.apply_settings(settings);
        }
        access.operators.clear();
        Ok(snapshot.position)
    }

    fn apply(&self, envelope: &Envelope) {
        let access = &self.access;
        match &envelope.payload {
            Some(Payload::Revocation(entry)) => {
                note_lag(access, "auth", envelope);
                access.revocations.write().apply(entry);
                match entry.kind.as_str() {
                    "key" => access.tokens.revoke_key(&entry.key),
                    "op" => access.operators.forget(&entry.key),
                    _ => {}
                }
            }
            Some(Payload::Settings(settings)) => access.apply_settings(settings),
            Some(Payload::Key(key)) => access.tokens.apply_key(key),
            // What ends with an application stands in the revocation log, too.
            Some(
                Payload::User(_)
                | Payload::Listing(_)
                | Payload::Transaction(_)
                | Payload::ApplicationEnd(_),
            )
            | None => {}
        }
        access.revocations.write().prune(access.clock.now());
    }
}

/// State, permissions and epochs of users.
pub(crate) struct FollowUsers {
    pub access: Arc<Access>,
}

#[tonic::async_trait]
impl Follow for FollowUsers {
    fn owner(&self) -> &'static str {
        "users"
    }

    /// The cache fills on demand, so it starts empty at the head.
    async fn load(&self, head: u64) -> Result<u64, Error> {
        self.access.users.clear();
        Ok(head)
    }

    fn apply(&self, envelope: &Envelope) {
        if let Some(Payload::User(user)) = &envelope.payload {
            self.access
                .revocations
                .write()
                .apply_user(user, self.access.clock.now());
            self.access.users.put(&user.user_id, user.clone());
            if matches!(
                envelope.r#type.as_str(),
                "user.banned" | "user.deleted" | "user.epoch-raised"
            ) {
                note_lag(&self.access, "users", envelope);
            }
        }
    }
}

/// Counts the time from the making of an envelope that takes rights away to now.
fn note_lag(access: &Access, owner: &'static str, envelope: &Envelope) {
    let after_ms = access.clock.now().as_ms() - envelope.occurred_at_ms;
    stoa_telemetry::metrics().feed.revoked(owner, after_ms);
}

impl Access {
    fn apply_settings(&self, settings: &stoa_proto::auth::Settings) {
        let mut present = self.settings.write();
        if settings.version > present.version || present.version == 0 {
            *present = Arc::new(SettingsView::new(settings));
        }
    }
}
