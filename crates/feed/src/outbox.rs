//! The outbox: envelopes written in the transaction of the change they tell of.

use crate::{audit, erase};
use prost::Message as _;
use stoa_db::{Bind as _, DbError, SqlBuilder, Tx};
use stoa_policy::{Actor, Level};
use stoa_proto::events::{Envelope, EventActor, PublicEvent, envelope::Payload};
use stoa_rpc::Caller;
use stoa_telemetry::trace;
use stoa_types::id::RequestId;
use stoa_types::{Entropy, Timestamp};

/// Rows of one INSERT.
const ROWS: usize = 1000;

/// Source of the events of a transition, whoever triggered it; for [`Origin::with_source`].
pub const SOURCE_TRANSACTION: &str = "source/transaction";

/// Writes envelopes into the outbox, in this order; they are on their way when `tx` commits.
///
/// # Errors
/// Those of the statements; [`DbError::Unique`] when an envelope's id is already there.
pub async fn emit(
    tx: &Tx,
    envelopes: impl IntoIterator<Item = Envelope> + Send,
) -> Result<(), DbError> {
    let envelopes: Vec<Envelope> = envelopes.into_iter().collect();
    if envelopes.is_empty() {
        return Ok(());
    }
    for part in envelopes.chunks(ROWS) {
        let mut rows = SqlBuilder::new("INSERT INTO outbox (id, envelope) VALUES ");
        rows.push_rows(part, |e| [e.id.as_str().value(), e.encode_to_vec().value()]);
        tx.execute_expecting(part.len() as u64, rows).await?;
    }
    tx.announce();
    let personal: Vec<(String, &str)> = envelopes
        .iter()
        .flat_map(|e| {
            erase::personal_of(e)
                .into_iter()
                .map(|user| (user, e.id.as_str()))
        })
        .collect();
    for part in personal.chunks(ROWS) {
        let mut rows =
            SqlBuilder::new("INSERT INTO outbox_personal (user_id, envelope_id) VALUES ");
        rows.push_rows(part, |(user, id)| [user.as_str().value(), (*id).value()]);
        tx.execute_expecting(part.len() as u64, rows).await?;
    }
    Ok(())
}

/// Who causes the changes of one command, and how the public log calls that.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    actor: EventActor,
    source: &'static str,
    /// Name of the action that the caller asked for; empty when nobody did.
    action: &'static str,
    traceparent: String,
}

impl Origin {
    /// The caller of a command.
    pub fn of(caller: &Caller) -> Self {
        Self {
            action: caller.action,
            ..Self::new(&caller.actor, caller.request)
        }
    }

    /// An actor, with the id of its request where there is one.
    pub fn new(actor: &Actor, request: Option<RequestId>) -> Self {
        let text = |id: Option<String>| id.unwrap_or_default();
        Self {
            actor: EventActor {
                level: actor.level.name().to_owned(),
                user_id: text(actor.user.map(|id| id.to_string())),
                operator_id: text(actor.operator.map(|id| id.to_string())),
                client_id: text(actor.client.map(|id| id.to_string())),
                request_id: text(request.map(|id| id.to_string())),
                cause: actor.cause.clone().unwrap_or_default(),
            },
            source: source_of(actor.level),
            action: "",
            traceparent: String::new(),
        }
    }

    /// The system, because of an event of another service: the cause is the envelope's id, and
    /// person and application stay those of the first cause.
    pub fn because_of(envelope: &Envelope) -> Self {
        let first = envelope.actor.clone().unwrap_or_default();
        let source = Level::from_name(&first.level).map_or(SYSTEM_SOURCE, source_of);
        Self {
            actor: EventActor {
                level: Level::System.name().to_owned(),
                cause: envelope.id.clone(),
                ..first
            },
            source,
            action: "",
            traceparent: envelope.traceparent.clone(),
        }
    }

    /// The action, when it is a command of an operator, also of one behind a login-as.
    pub(crate) fn operators_action(&self) -> Option<&'static str> {
        let in_person = self.actor.level != Level::System.name();
        (in_person && !self.actor.operator_id.is_empty()).then_some(self.action)
    }

    /// The same origin under another public source, such as [`SOURCE_TRANSACTION`].
    #[must_use]
    pub fn with_source(mut self, source: &'static str) -> Self {
        self.source = source;
        self
    }

    /// The same origin with a W3C trace context.
    #[must_use]
    pub fn with_traceparent(mut self, traceparent: impl Into<String>) -> Self {
        self.traceparent = traceparent.into();
        self
    }
}

/// Source of changes that nobody outside asked for.
const SYSTEM_SOURCE: &str = "source/admin";

/// What the public log calls a change by a caller of this level.
fn source_of(level: Level) -> &'static str {
    match level {
        Level::Anonymous | Level::User | Level::TrustedUser | Level::LimitedUser => {
            "source/marketplace-api"
        }
        Level::Integration | Level::Service => "source/integration-api",
        Level::Operator => "source/console",
        Level::System => SYSTEM_SOURCE,
    }
}

/// Puts an envelope together.
#[derive(Clone, Debug)]
pub struct EnvelopeBuilder {
    envelope: Envelope,
    reason: Option<String>,
}

impl EnvelopeBuilder {
    /// An envelope of schema version 1: its type (`listing.updated`), the aggregate's id, and the
    /// aggregate's version after the change.
    pub fn new(kind: &str, aggregate: impl std::fmt::Display, version: u64) -> Self {
        Self {
            envelope: Envelope {
                r#type: kind.to_owned(),
                schema_version: 1,
                aggregate_id: aggregate.to_string(),
                aggregate_version: version,
                ..Envelope::default()
            },
            reason: None,
        }
    }

    /// Why an operator did it, for the audit log alone.
    #[must_use]
    pub fn reason(mut self, reason: Option<String>) -> Self {
        self.reason = reason;
        self
    }

    /// Another schema version.
    #[must_use]
    pub fn schema_version(mut self, version: u32) -> Self {
        self.envelope.schema_version = version;
        self
    }

    /// What other services must know.
    #[must_use]
    pub fn payload(mut self, payload: Payload) -> Self {
        self.envelope.payload = Some(payload);
        self
    }

    /// The next public event that the change stands for. `id` and `source` are filled in when
    /// empty; `personal_of` is completed from what the event holds.
    #[must_use]
    pub fn public_event(mut self, event: PublicEvent) -> Self {
        self.envelope.public_events.push(event);
        self
    }

    /// The envelope, with fresh ids, at the time `now` of the domain clock. It belongs to the
    /// trace of the work that makes it; outside of any, to that of its origin.
    pub fn build(self, origin: &Origin, now: Timestamp, entropy: &dyn Entropy) -> Envelope {
        let mut envelope = self.envelope;
        envelope.id = entropy.uuid().to_string();
        envelope.occurred_at_ms = now.as_ms();
        envelope.actor = Some(origin.actor.clone());
        envelope.traceparent = trace::current()
            .map_or_else(|| origin.traceparent.clone(), |context| context.to_string());
        for event in &mut envelope.public_events {
            if event.id.is_empty() {
                event.id = entropy.uuid().to_string();
            }
            if event.source.is_empty() {
                event.source = origin.source.to_owned();
            }
            event.personal_of = erase::personal_of_event(event).into_iter().collect();
        }
        if let Some(action) = origin.operators_action() {
            envelope.audit = Some(audit::record_of(&envelope, action, self.reason));
        }
        envelope
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_policy::Role;
    use stoa_proto::events::{Resource, resource};
    use stoa_types::SeededEntropy;
    use stoa_types::id::{ClientId, OperatorId, SessionId, UserId};

    #[test]
    fn the_public_source_follows_from_the_callers_level() {
        let entropy = SeededEntropy::new(1);
        let user = |level| {
            let id = UserId::random(&entropy);
            Actor::user(
                level,
                id,
                ClientId::random(&entropy),
                SessionId::random(&entropy),
            )
        };
        for (actor, source) in [
            (Actor::anonymous(None), "source/marketplace-api"),
            (user(Level::User), "source/marketplace-api"),
            (user(Level::TrustedUser), "source/marketplace-api"),
            (user(Level::LimitedUser), "source/marketplace-api"),
            (
                Actor::integration(ClientId::random(&entropy)),
                "source/integration-api",
            ),
            (
                Actor::operator(OperatorId::random(&entropy), Role::Staff),
                "source/console",
            ),
        ] {
            assert_eq!(Origin::new(&actor, None).source, source, "{actor:?}");
        }
        let transition = Origin::new(&user(Level::User), None).with_source(SOURCE_TRANSACTION);
        assert_eq!(transition.source, "source/transaction");
    }

    #[tokio::test]
    async fn an_envelope_belongs_to_the_trace_of_its_work_or_of_its_cause() {
        const WORK: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
        const CAUSE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
        let entropy = SeededEntropy::new(1);
        let cause = Envelope {
            traceparent: CAUSE.to_owned(),
            ..Envelope::default()
        };
        let build = || {
            EnvelopeBuilder::new("user.updated", "u1", 1)
                .build(&Origin::because_of(&cause), Timestamp::from_ms(9), &entropy)
                .traceparent
        };
        assert_eq!(build(), CAUSE);
        let context = trace::TraceContext::parse(WORK);
        assert_eq!(trace::within(context, async { build() }).await, WORK);
    }

    #[test]
    fn an_envelope_says_who_when_and_whose_data_it_holds() {
        let entropy = SeededEntropy::new(1);
        let operator = OperatorId::random(&entropy);
        let request = RequestId::random(&entropy);
        let origin = Origin::new(&Actor::operator(operator, Role::Owner), Some(request));
        let event = PublicEvent {
            event_type: "user/updated".into(),
            resource_type: "user".into(),
            resource_id: "u1".into(),
            resource: Some(Resource {
                resource: Some(resource::Resource::User(stoa_proto::users::User {
                    id: "u1".into(),
                    ..Default::default()
                })),
            }),
            ..PublicEvent::default()
        };
        let built = EnvelopeBuilder::new("user.updated", "u1", 4)
            .public_event(event)
            .build(&origin, Timestamp::from_ms(9), &entropy);
        let actor = built.actor.clone().unwrap();
        assert_eq!(actor.level, "operator");
        assert_eq!(actor.operator_id, operator.to_string());
        assert_eq!(actor.request_id, request.to_string());
        assert_eq!((built.occurred_at_ms, built.aggregate_version), (9, 4));
        assert_eq!((built.position, built.schema_version), (0, 1));
        assert_eq!(built.public_events[0].source, "source/console");
        assert_eq!(built.public_events[0].personal_of, ["u1"]);
        assert_ne!(built.public_events[0].id, built.id);

        let after = Origin::because_of(&built);
        assert_eq!(after.actor.cause, built.id);
        assert_eq!(after.actor.operator_id, operator.to_string());
        assert_eq!(
            (after.actor.level.as_str(), after.source),
            ("system", "source/console")
        );
    }
}
