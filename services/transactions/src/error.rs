//! Why a call is refused or fails, and what its client is told.

use stoa_db::DbError;
use stoa_policy::Denied;
use stoa_process::engine::StepError;
use stoa_types::id::UserId;
use stoa_types::{Problem, Problems};

/// The outcome of a handler that did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The process refuses the transition.
    #[error("{0}")]
    Step(#[from] StepError),
    /// The request itself is wrong, or another service refused.
    #[error("{0}")]
    Refused(#[from] Problems),
    /// No such process or alias.
    #[error("the process alias is not known")]
    UnknownAlias,
    /// A read of one thing that is not there.
    #[error("not found")]
    NotFound,
    /// A command on a transaction that is not there.
    #[error("the transaction does not exist")]
    TransactionNotFound,
    /// Another transition of the same transaction is under way, or came first.
    #[error("another transition of the transaction is under way")]
    Locked,
    /// The state of a user is not here yet.
    #[error("user {0} is not known here yet")]
    UnknownUser(UserId),
    /// A row or definition that cannot be read.
    #[error("stored data cannot be read: {0}")]
    Damaged(String),
    /// The state of a user is not known.
    #[error(transparent)]
    Feed(#[from] stoa_feed::Error),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem.into())
    }
}

impl From<stoa_process::run::Damaged> for Error {
    fn from(damaged: stoa_process::run::Damaged) -> Self {
        Self::Damaged(damaged.to_string())
    }
}

impl Error {
    /// True when the same call may work later: the trouble is ours, not the caller's.
    pub(crate) fn is_infrastructure(&self) -> bool {
        match self {
            Self::Db(_) | Self::Feed(_) | Self::Locked | Self::UnknownUser(_) => true,
            Self::Refused(problems) => problems.status() >= 500,
            Self::Denied(_)
            | Self::Step(_)
            | Self::UnknownAlias
            | Self::NotFound
            | Self::TransactionNotFound
            | Self::Damaged(_) => false,
        }
    }
}

impl From<Error> for Problems {
    fn from(error: Error) -> Self {
        match error {
            Error::Denied(denied) => denied.problem().into(),
            Error::Step(error) => error.problems(),
            Error::Refused(problems) => problems,
            Error::UnknownAlias => Problem::conflict(
                "transaction-unknown-alias",
                "The process alias is not known",
            )
            .into(),
            Error::NotFound => Problem::not_found().into(),
            Error::TransactionNotFound => {
                Problem::conflict("transaction-not-found", "The transaction was not found").into()
            }
            Error::Locked => Problem::conflict(
                "transaction-locked",
                "Another transition of the transaction is under way",
            )
            .into(),
            Error::Feed(error) => error.into(),
            Error::UnknownUser(_) => Problem::unavailable().into(),
            Error::Db(error) if error.is_transient() => Problem::unavailable().into(),
            Error::Damaged(_) | Error::Db(_) => Problem::internal().into(),
        }
    }
}
