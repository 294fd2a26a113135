//! What can go wrong in auth, and what clients are told.

use crate::audit::Refusal;
use crate::domain::settings_change::Refused;
use crate::settings::ChangeError;
use crate::signing::{BadKeys, ReadKeys};
use stoa_credentials::Busy;
use stoa_db::DbError;
use stoa_policy::Denied;
use stoa_rpc::keys::BadKey;
use stoa_types::{Problem, Problems, SourceKind};

/// A failure of a handler.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A mandatory parameter of a grant is missing.
    #[error("the parameter {0} is missing")]
    Missing(&'static str),
    /// A wrong credential, whatever it was: which one is nobody's business.
    #[error("a credential is wrong")]
    Unauthorized(Refusal),
    /// The subject of an exchange is alive but may not.
    #[error("the subject may not do this")]
    Forbidden(Refusal),
    /// A window or a queue is full.
    #[error("too many requests, again in {retry_after_s} s")]
    TooMany {
        /// Seconds after which it may be tried again.
        retry_after_s: u32,
        /// When it was a credential that was refused, not a queue that was full.
        refusal: Option<Refusal>,
    },
    /// Parameters of the operator API are wrong.
    #[error("bad parameters")]
    Invalid(Problems),
    /// The marketplace has as many schemas of this kind as it may have.
    #[error("there are too many search schemas of this kind")]
    TooManySchemas,
    /// Each setting is good, but they may not be changed so.
    #[error(transparent)]
    Settings(#[from] Refused),
    /// No such session, none that lives, or somebody else's.
    #[error("there is no such session")]
    UnknownSession,
    /// No such user.
    #[error("there is no such user")]
    UnknownUser,
    /// No such application, or it was deleted.
    #[error("there is no such application")]
    UnknownApplication,
    /// No such operator.
    #[error("there is no such operator")]
    UnknownOperator,
    /// An operator with this address is there already.
    #[error("an operator has this address already")]
    OperatorExists,
    /// The operator was disabled before.
    #[error("the operator is disabled")]
    OperatorDisabled,
    /// Somebody must be left who may do everything.
    #[error("the last owner stays")]
    LastOwner,
    /// The present password is another.
    #[error("the password is wrong")]
    WrongPassword,
    /// No such schema.
    #[error("there is no such search schema")]
    UnknownSchema,
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// Another service refused, or is out of reach.
    #[error("another service refused: {0}")]
    Peer(Problems),
    /// A feed could not be read.
    #[error("a feed failed")]
    Feed(#[from] stoa_feed::Error),
    /// The process stopped in the middle of it.
    #[error("the work was interrupted")]
    Interrupted,
    /// The own database.
    #[error("storage failed")]
    Db(#[from] DbError),
    /// The stored keys cannot be used.
    #[error(transparent)]
    Keys(BadKeys),
    /// A token could not be signed.
    #[error("a token could not be signed")]
    Sign(#[from] BadKey),
}

impl From<ChangeError> for Error {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Invalid(problems) => Self::Invalid(problems),
            ChangeError::Refused(refused) => Self::Settings(refused),
            ChangeError::Db(error) => Self::Db(error),
        }
    }
}

impl From<Busy> for Error {
    fn from(_: Busy) -> Self {
        Self::TooMany {
            retry_after_s: 2,
            refusal: None,
        }
    }
}

impl From<ReadKeys> for Error {
    fn from(error: ReadKeys) -> Self {
        match error {
            ReadKeys::Bad(error) => Self::Keys(error),
            ReadKeys::Db(error) => Self::Db(error),
        }
    }
}

impl From<Error> for Problems {
    /// The only place that decides what clients see.
    fn from(error: Error) -> Self {
        match error {
            Error::Missing(name) => Problem::bad_request("A mandatory parameter is missing")
                .at(SourceKind::Body, vec![name.into()])
                .into(),
            Error::Unauthorized(_) => Problem::unauthorized().into(),
            Error::Forbidden(_) => Problem::forbidden().into(),
            Error::TooMany { retry_after_s, .. } => {
                Problem::too_many_requests(retry_after_s).into()
            }
            Error::Invalid(problems) | Error::Peer(problems) => problems,
            Error::TooManySchemas => {
                Problem::conflict("conflict", "There are too many search schemas of this kind")
                    .into()
            }
            Error::Settings(refused) => {
                let title = "The settings do not go together";
                Problem::conflict("conflict", title)
                    .details(refused.to_string())
                    .into()
            }
            Error::UnknownSession => {
                Problem::conflict("conflict", "There is no such session").into()
            }
            Error::UnknownUser => Problem::not_found().into(),
            Error::UnknownSchema => {
                Problem::conflict("conflict", "There is no such search schema").into()
            }
            Error::UnknownOperator => {
                Problem::conflict("operator-not-found", "There is no such operator").into()
            }
            Error::OperatorExists => {
                Problem::conflict("email-taken", "An operator has this address already").into()
            }
            Error::OperatorDisabled => {
                Problem::conflict("operator-disabled", "The operator is disabled").into()
            }
            Error::LastOwner => {
                Problem::conflict("last-owner", "The last owner cannot be disabled").into()
            }
            Error::WrongPassword => Problem::forbidden().into(),
            Error::UnknownApplication => {
                Problem::conflict("application-not-found", "There is no such application").into()
            }
            Error::Denied(denied) => denied.problem().into(),
            Error::Feed(error) => error.into(),
            // A client that is told 401 throws its session away, so our own trouble is never 401.
            Error::Interrupted => Problem::unavailable().into(),
            Error::Db(error) if error.is_transient() => Problem::unavailable().into(),
            Error::Db(_) | Error::Keys(_) | Error::Sign(_) => Problem::internal().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_db::Detail;

    // contract: security S36 (queue), security S16
    #[test]
    fn a_full_queue_is_429_and_our_own_trouble_is_never_401() {
        let detail = Detail {
            statement: String::new(),
            message: String::new(),
        };
        let status = |error: Error| Problems::from(error).status();
        assert_eq!(status(Busy.into()), 429);
        for (error, expected) in [
            (Error::Db(DbError::Unavailable(detail.clone())), 503),
            (Error::Db(DbError::Busy(detail.clone())), 503),
            (Error::Db(DbError::WriteTimeout), 503),
            (Error::Db(DbError::Contended { attempts: 3 }), 503),
            (Error::Db(DbError::Failed(detail)), 500),
            (Error::Feed(stoa_feed::Error::Silent), 503),
            (Error::Sign(BadKey), 500),
        ] {
            assert_eq!(status(error), expected);
        }
        let retry = Problems::from(Error::TooMany {
            retry_after_s: 7,
            refusal: None,
        });
        assert_eq!(retry.as_slice()[0].retry_after_s, Some(7));
    }
}
