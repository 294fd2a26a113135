//! What can go wrong, and what the client is told.

use stoa_db::DbError;
use stoa_policy::Denied;
use stoa_types::{Problem, Problems};

/// A call was refused or failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// What was sent breaks a rule; all that was found.
    #[error("bad input: {0}")]
    Invalid(#[from] Problems),
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// A feed, or a lease.
    #[error("another room failed")]
    Feed(#[from] stoa_feed::Error),
    /// The own database.
    #[error("storage failed")]
    Db(#[from] DbError),
}

impl From<Error> for Problems {
    /// The only place that decides what clients see.
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid(problems) => problems,
            Error::Denied(denied) => denied.problem().into(),
            Error::Feed(error) => error.into(),
            Error::Db(error) if error.is_transient() => Problem::unavailable().into(),
            Error::Db(_) => Problem::internal().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_its_status() {
        for (error, status) in [
            (Error::Invalid(Problem::invalid_params("why").into()), 400),
            (Error::Denied(Denied::Forbidden), 403),
            (Error::Feed(stoa_feed::Error::Silent), 503),
            (Error::Db(DbError::WriteTimeout), 503),
            (Error::Db(DbError::NoRow), 500),
        ] {
            assert_eq!(Problems::from(error).status(), status);
        }
    }
}
