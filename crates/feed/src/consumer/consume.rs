//! What a service does with envelopes, and which of them it takes.

use crate::measure::context_of;
use crate::{Error, kinds};
use stoa_db::Tx;
use stoa_proto::events::Envelope;
use stoa_telemetry::trace;

/// What a service does with the envelopes of one owner.
#[tonic::async_trait]
pub trait Consume: Send + Sync + 'static {
    /// Whose feed it is: `users`, `auth`, ...
    fn owner(&self) -> &'static str;

    /// Name of the cursor; two consumers of one feed in one service need two.
    fn cursor(&self) -> &'static str {
        self.owner()
    }

    /// The highest schema version of a type that this program knows, or nothing for a type that
    /// it does not take. A newer version of a taken type stops the consumer.
    fn takes(&self, kind: &str) -> Option<u32>;

    /// Whether an envelope of a taken type has any effect here. One that has none is passed over
    /// like those of other types, whatever its schema version.
    fn concerns(&self, _envelope: &Envelope) -> bool {
        true
    }

    /// True for a consumer that few envelopes concern: while none does, its cursor moves in memory
    /// and is stored every 0.4 s, so that a busy feed costs its database next to nothing.
    fn is_sparse(&self) -> bool {
        false
    }

    /// What this consumer does when envelopes behind its cursor are gone.
    fn needs(&self) -> Needs {
        Needs::States
    }

    /// The effect, in the transaction that moves the cursor. It may run several times before it
    /// commits, and does SQL only; long work is written down as a row and done by a job.
    ///
    /// # Errors
    /// Any error rolls back and the envelope comes again.
    async fn apply(&self, tx: &Tx, envelope: &Envelope) -> Result<(), Error>;

    /// The effects of several envelopes, in their order. When it fails they come again one by one,
    /// so that those before the bad one are not held back.
    ///
    /// # Errors
    /// As [`Consume::apply`].
    async fn apply_all(&self, tx: &Tx, envelopes: &[Envelope]) -> Result<(), Error> {
        for envelope in envelopes {
            trace::within(context_of(envelope), self.apply(tx, envelope)).await?;
        }
        Ok(())
    }

    /// Called after the commit, in this process only: wakes jobs, drops cache entries. Other
    /// replicas are not told; what must be right is read from the database.
    fn committed(&self, _envelope: &Envelope) {}
}

/// What a consumer must have of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// The state of everything, however it came about: where envelopes are gone, the states that
    /// they left behind have the same effect.
    States,
    /// Every event since it began. It may begin with states, but where envelopes behind its cursor
    /// are gone it stops: a gap must not pass unnoticed.
    Events,
}

/// Whether the consumer takes this envelope.
pub(super) fn judge(consume: &dyn Consume, envelope: &Envelope) -> Result<bool, Error> {
    let kind = envelope.r#type.as_str();
    let Some(known) = consume.takes(kind) else {
        return Ok(false);
    };
    if !consume.concerns(envelope) {
        return Ok(false);
    }
    if !kinds::is_of(consume.owner(), kind) {
        tracing::error!(
            owner = consume.owner(),
            kind,
            envelope = envelope.id,
            "An envelope stands in the feed of a service that does not own its aggregate"
        );
        return Ok(false);
    }
    if (1..=known).contains(&envelope.schema_version) {
        Ok(true)
    } else {
        Err(Error::UnknownSchema {
            kind: kind.to_owned(),
            version: envelope.schema_version,
        })
    }
}
