//! What operators did in other services comes into the audit log.

use crate::domain::audit::{Detail, Entry, OK};
use crate::store::audit;
use std::sync::Arc;
use stoa_db::Tx;
use stoa_feed::{Consume, Error, Needs};
use stoa_proto::events::Envelope;
use stoa_types::Timestamp;
use tokio::sync::Notify;

/// The consumer of one owner's feed.
pub(crate) struct AuditRecords {
    pub(crate) owner: &'static str,
    /// Told when an entry waits for its place.
    pub(crate) waiting: Arc<Notify>,
}

#[tonic::async_trait]
impl Consume for AuditRecords {
    fn owner(&self) -> &'static str {
        self.owner
    }

    fn cursor(&self) -> &'static str {
        match self.owner {
            "users" => "audit users",
            "listings" => "audit listings",
            _ => "audit transactions",
        }
    }

    /// The record means the same in an envelope of any type and schema version.
    fn takes(&self, _kind: &str) -> Option<u32> {
        Some(u32::MAX)
    }

    fn concerns(&self, envelope: &Envelope) -> bool {
        envelope.audit.is_some()
    }

    fn is_sparse(&self) -> bool {
        true
    }

    /// The log may begin late; then nothing may be missing.
    fn needs(&self) -> Needs {
        Needs::Events
    }

    async fn apply(&self, tx: &Tx, envelope: &Envelope) -> Result<(), Error> {
        if let Some(entry) = entry_of(self.owner, envelope) {
            audit::append(tx, &entry).await?;
        }
        Ok(())
    }

    fn committed(&self, _envelope: &Envelope) {
        self.waiting.notify_one();
    }
}

/// The entry of an envelope's record. Envelopes of the same request and action are one entry: one
/// command may tell of itself several times.
fn entry_of(owner: &str, envelope: &Envelope) -> Option<Entry> {
    let record = envelope.audit.clone()?;
    let actor = envelope.actor.clone().unwrap_or_default();
    let once = if actor.request_id.is_empty() {
        envelope.id.clone()
    } else {
        format!("{} {}", actor.request_id, record.action)
    };
    let detail = Detail {
        reason: record.reason,
        changes: record.changes,
    };
    Some(Entry {
        id: envelope.id.clone(),
        once,
        at: Timestamp::from_ms(envelope.occurred_at_ms),
        action: record.action,
        code: OK.to_owned(),
        service: owner.to_owned(),
        level: actor.level,
        operator: actor.operator_id,
        user: actor.user_id,
        client: actor.client_id,
        request: actor.request_id,
        target_kind: record.target_kind,
        target_id: record.target_id,
        detail: detail.to_json(),
        personal_of: record.personal_of,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs;
    use crate::store::MIGRATIONS;
    use crate::testing::World;
    use stoa_db::Db;
    use stoa_proto::audit::AuditRecord;
    use stoa_proto::events::EventActor;

    fn told(id: &str, request: &str, action: &str) -> Envelope {
        Envelope {
            id: id.into(),
            position: 1,
            r#type: "user.banned".into(),
            schema_version: 7,
            occurred_at_ms: 5,
            actor: Some(EventActor {
                level: "operator".into(),
                operator_id: "op".into(),
                request_id: request.into(),
                ..EventActor::default()
            }),
            audit: Some(AuditRecord {
                action: action.into(),
                target_kind: "user".into(),
                target_id: "u".into(),
                reason: Some("rude".into()),
                ..AuditRecord::default()
            }),
            ..Envelope::default()
        }
    }

    async fn take(world: &World, envelope: &Envelope) {
        let consumer = AuditRecords {
            owner: "users",
            waiting: Arc::default(),
        };
        let consumer = &consumer;
        world
            .auth
            .db
            .write(|tx| async move { consumer.apply(&tx, envelope).await })
            .await
            .unwrap();
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: operator 10, security S48
        async fn a_command_is_one_entry_however_often_it_is_told_of(db: Db) {
            let world = World::new(db).await;
            jobs::chain::chain(&world.auth).await.unwrap();
            let (before,): (i64,) = world.row("SELECT seq FROM audit_head").await;
            take(&world, &told("e1", "r1", "users.ban")).await;
            // Another envelope of the command before it has its place, one after, the first again.
            take(&world, &told("e2", "r1", "users.ban")).await;
            jobs::chain::chain(&world.auth).await.unwrap();
            take(&world, &told("e3", "r1", "users.ban")).await;
            take(&world, &told("e1", "r1", "users.ban")).await;
            take(&world, &told("e4", "r2", "users.ban")).await;
            take(&world, &told("e5", "r2", "users.unban")).await;
            jobs::chain::chain(&world.auth).await.unwrap();
            let (after,): (i64,) = world.row("SELECT seq FROM audit_head").await;
            assert_eq!(after - before, 3);
            let (rows,): (i64,) = world.row("SELECT COUNT(*) FROM audit_log WHERE code = 'ok' AND service = 'users'").await;
            assert_eq!(rows, 3);
        }
    }
}
