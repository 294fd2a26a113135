//! What can go wrong, and what the client is told.

use crate::domain::user::LifeError;
use stoa_credentials::Busy;
use stoa_db::DbError;
use stoa_policy::Denied;
use stoa_types::{Problem, Problems};

/// A call was refused or failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// What was sent breaks a rule; all that was found.
    #[error("bad input: {0}")]
    Invalid(Problems),
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// A read of one user that is not there for the caller.
    #[error("no such user")]
    NotFound,
    /// A command on a user that is not there.
    #[error("no such user to act on")]
    UserNotFound,
    /// Somebody has the address.
    #[error("the address is taken")]
    EmailTaken,
    /// No user has the address.
    #[error("no user has the address")]
    EmailNotFound,
    /// There is nothing to verify.
    #[error("the address is verified already")]
    EmailAlreadyVerified,
    /// The token proves no address of the caller.
    #[error("the token proves no address of the caller")]
    EmailVerificationFailed,
    /// Too many mails went to the address.
    #[error("too many mails went to the address")]
    TooManyVerificationRequests,
    /// The token allows no new password.
    #[error("the token allows no new password")]
    BadResetToken,
    /// `currentPassword` is not the password.
    #[error("wrong password")]
    WrongPassword,
    /// The image is not one that the caller may use.
    #[error("no such image")]
    ImageInvalid,
    /// The account is not in the state that the command needs.
    #[error(transparent)]
    Life(#[from] LifeError),
    /// Too many passwords are being checked.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The settings or the feed.
    #[error("another room failed")]
    Feed(#[from] stoa_feed::Error),
    /// Mails in files.
    #[error("the files of mails cannot be removed")]
    Files(#[from] std::io::Error),
    /// The own database.
    #[error("storage failed")]
    Db(#[from] DbError),
}

/// Seconds after which a caller may try again whose password found no turn.
const BUSY_FOR_S: u32 = 2;

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
    /// The only place that decides what clients see.
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid(problems) => problems,
            Error::Denied(denied) => denied.problem().into(),
            Error::NotFound => Problem::not_found().into(),
            Error::UserNotFound => Problem::conflict("user-not-found", "User not found").into(),
            Error::EmailTaken => Problem::conflict("email-taken", "Email already taken").into(),
            Error::EmailNotFound => Problem::conflict("email-not-found", "Email not found").into(),
            Error::EmailAlreadyVerified => {
                Problem::conflict("email-already-verified", "Email already verified").into()
            }
            Error::EmailVerificationFailed => {
                Problem::conflict("email-verification-failed", "Email verification failed").into()
            }
            Error::TooManyVerificationRequests => Problem::new(
                429,
                "email-too-many-verification-requests",
                "Too many verification emails",
            )
            .into(),
            Error::WrongPassword | Error::BadResetToken => Problem::forbidden().into(),
            Error::ImageInvalid => Problem::conflict("image-invalid", "Image invalid").into(),
            Error::Life(LifeError::AlreadyBanned) => {
                Problem::conflict("user-already-banned", "User is banned already").into()
            }
            Error::Life(LifeError::NotBanned) => {
                Problem::conflict("user-not-banned", "User is not banned").into()
            }
            Error::Life(LifeError::NotPendingApproval) => {
                let title = "User does not wait for approval";
                Problem::conflict("user-not-pending-approval", title).into()
            }
            Error::Life(LifeError::Deleted) => {
                Problem::conflict("user-deleted", "User is deleted").into()
            }
            Error::Busy(Busy) => Problem::too_many_requests(BUSY_FOR_S).into(),
            Error::Feed(error) => error.into(),
            Error::Db(error) if error.is_transient() => Problem::unavailable().into(),
            // The row is locked while it is changed, so this does not happen; if it did, somebody
            // else was faster.
            Error::Db(DbError::RowCount { .. }) => {
                Problem::conflict("conflict", "Changed by someone else").into()
            }
            Error::Files(_) | Error::Db(_) => Problem::internal().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_its_status_and_code() {
        for (error, status, code) in [
            (Error::NotFound, 404, "not-found"),
            (Error::UserNotFound, 409, "user-not-found"),
            (Error::EmailTaken, 409, "email-taken"),
            (Error::EmailNotFound, 409, "email-not-found"),
            (Error::EmailAlreadyVerified, 409, "email-already-verified"),
            (
                Error::EmailVerificationFailed,
                409,
                "email-verification-failed",
            ),
            (
                Error::TooManyVerificationRequests,
                429,
                "email-too-many-verification-requests",
            ),
            (Error::BadResetToken, 403, "forbidden"),
            (Error::WrongPassword, 403, "forbidden"),
            (Error::ImageInvalid, 409, "image-invalid"),
            (
                Error::Life(LifeError::AlreadyBanned),
                409,
                "user-already-banned",
            ),
            (Error::Life(LifeError::NotBanned), 409, "user-not-banned"),
            (Error::Life(LifeError::Deleted), 409, "user-deleted"),
            (
                Error::Life(LifeError::NotPendingApproval),
                409,
                "user-not-pending-approval",
            ),
            (
                Error::Db(DbError::RowCount {
                    expected: 1,
                    actual: 0,
                }),
                409,
                "conflict",
            ),
            (Error::Busy(Busy), 429, "too-many-requests"),
            (
                Error::Denied(Denied::DeadToken),
                401,
                "auth-invalid-access-token",
            ),
            (Error::Db(DbError::WriteTimeout), 503, "service-unavailable"),
            (Error::Db(DbError::NoRow), 500, "internal-server-error"),
        ] {
            let problems = Problems::from(error);
            let first = &problems.as_slice()[0];
            assert_eq!((first.status, &*first.code), (status, code));
        }
    }
}
