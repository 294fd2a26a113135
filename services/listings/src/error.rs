//! What a call can be refused for, and what the client is told.

use crate::domain::WrongState;
use stoa_db::DbError;
use stoa_policy::Denied;
use stoa_types::{Problem, Problems};

/// A refusal or failure of a handler.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("bad input: {0}")]
    Invalid(Problems),
    /// A read of something that is not there.
    #[error("not found")]
    NotFound,
    /// A command on something that is not there.
    #[error("listing not found")]
    ListingNotFound,
    #[error("the author does not exist")]
    UserNotFound,
    #[error("the author is banned")]
    UserIsBanned,
    #[error(transparent)]
    WrongState(#[from] WrongState),
    /// There is no such image of the author.
    #[error("no such image")]
    ImageInvalid,
    /// Somebody else was faster.
    #[error("the listing was changed by someone else")]
    Conflict,
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Feed(stoa_feed::Error),
    #[error("storage failed")]
    Db(#[source] DbError),
}

impl From<DbError> for Error {
    fn from(error: DbError) -> Self {
        Self::Db(error)
    }
}

impl From<stoa_feed::Error> for Error {
    fn from(error: stoa_feed::Error) -> Self {
        match error {
            stoa_feed::Error::Db(error) => Self::Db(error),
            other => Self::Feed(other),
        }
    }
}

impl From<Problems> for Error {
    fn from(problems: Problems) -> Self {
        Self::Invalid(problems)
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Invalid(problem.into())
    }
}

impl From<Error> for Problems {
    fn from(error: Error) -> Self {
        let problem = match error {
            Error::Invalid(problems) => return problems,
            Error::Feed(error) => return error.into(),
            Error::NotFound => Problem::not_found(),
            Error::ListingNotFound => Problem::conflict("listing-not-found", "No such listing"),
            Error::UserNotFound => Problem::conflict("user-not-found", "No such user"),
            Error::UserIsBanned => Problem::conflict("user-is-banned", "The user is banned"),
            Error::WrongState(why) => {
                Problem::conflict("listing-invalid-state", "Not possible in this state")
                    .details(why.to_string())
            }
            Error::ImageInvalid => {
                Problem::conflict("image-invalid", "No such image of the author")
            }
            Error::Conflict => Problem::conflict("conflict", "Changed at the same time"),
            Error::Denied(denied) => denied.problem(),
            Error::Db(error) if error.is_transient() => Problem::unavailable(),
            Error::Db(_) => Problem::internal(),
        };
        problem.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_is_out_of_reach_is_503_and_a_broken_one_500() {
        let status = |error: DbError| Problems::from(Error::from(error)).status();
        assert_eq!(status(DbError::WriteTimeout), 503);
        assert_eq!(status(DbError::Contended { attempts: 3 }), 503);
        assert_eq!(status(DbError::NoRow), 500);
    }
}
