//! What can go wrong on the way from one service to another.

use stoa_db::DbError;
use stoa_types::{Problem, Problems};

/// A failure of this room.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The own database.
    #[error("storage failed")]
    Db(#[from] DbError),
    /// The other service refused or is out of reach.
    #[error("the other service refused: {0}")]
    Refused(Problems),
    /// The feed ended or was silent for too long.
    #[error("the feed went silent")]
    Silent,
    /// The owner's feed does not reach up to the cursor: one of the two was restored from a
    /// backup.
    #[error("the cursor {cursor} is ahead of the feed")]
    Ahead {
        /// The cursor.
        cursor: u64,
    },
    /// Envelopes between the cursor and the next one are gone.
    #[error("the feed has a hole: {next} came after {cursor}")]
    Hole {
        /// Position of the last envelope that was had.
        cursor: u64,
        /// Position of the envelope that came.
        next: u64,
    },
    /// An envelope that this program is too old for.
    #[error("{kind} has the unknown schema version {version}")]
    UnknownSchema {
        /// Type of the envelope.
        kind: String,
        /// Its schema version.
        version: u32,
    },
    /// Another replica runs this consumer.
    #[error("another replica holds the lease")]
    Leased,
    /// What should be known before a write was not: a handler forgot `Standings::prepare`, or the
    /// copy of the settings has not arrived yet.
    #[error("{0} is not known here yet")]
    Unknown(&'static str),
    /// An effect of a consumer failed for a reason of its own.
    #[error("an effect failed")]
    Effect(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// A failure of a consumer's own effect.
    pub fn effect(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Effect(error.into())
    }

    /// Trying again cannot help: the consumer stops and somebody has to look.
    pub(crate) const fn is_final(&self) -> bool {
        matches!(
            self,
            Self::UnknownSchema { .. } | Self::Hole { .. } | Self::Ahead { .. }
        )
    }
}

impl From<Error> for Problems {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(problems) => problems,
            Error::Db(error) if error.is_transient() => Problem::unavailable().into(),
            Error::Db(_) | Error::Effect(_) => Problem::internal().into(),
            Error::Silent
            | Error::Ahead { .. }
            | Error::Hole { .. }
            | Error::UnknownSchema { .. }
            | Error::Leased
            | Error::Unknown(_) => Problem::unavailable().into(),
        }
    }
}
