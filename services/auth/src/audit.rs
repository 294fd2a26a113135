//! How auth writes its own audit entries: commands in their transaction, refused grants behind it.

use crate::Auth;
use crate::domain::audit::{Entry, OK};
use crate::domain::family::Session;
use crate::error::Error;
use crate::store::audit;
use stoa_db::{DbError, Tx};
use stoa_rpc::Caller;
use stoa_types::id::{OperatorId, SessionId, UserId};

/// Why a grant was refused: for the audit log alone, an outsider is told nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The decision code.
    pub(crate) code: &'static str,
    pub(crate) user: Option<UserId>,
    pub(crate) session: Option<SessionId>,
    pub(crate) operator: Option<OperatorId>,
    /// Its entry was written in the transaction of its effect.
    pub(crate) is_written: bool,
}

impl Refusal {
    /// The application is not known, was deleted, or may not use this grant.
    pub(crate) const UNKNOWN_CLIENT: Self = Self::new("unknown-client");
    /// The secret is not one of the application's.
    pub(crate) const BAD_SECRET: Self = Self::new("bad-secret");
    /// Address and password are not those of anybody who may log in.
    pub(crate) const WRONG_PASSWORD: Self = Self::new("wrong-password");
    /// Nobody was given this refresh token.
    pub(crate) const UNKNOWN_TOKEN: Self = Self::new("unknown-token");
    /// The refresh token was given to another application.
    pub(crate) const WRONG_CLIENT: Self = Self::new("wrong-client");
    /// The session is over.
    pub(crate) const SESSION_OVER: Self = Self::new("session-over");
    /// The refresh token was used before; the session ended with that.
    pub(crate) const REUSED_TOKEN: Self = Self::new("reused-token");
    /// The window of a refresh token has given all its answers.
    pub(crate) const TOO_MANY: Self = Self::new("too-many");
    /// The application may not exchange tokens.
    pub(crate) const NOT_TRUSTED: Self = Self::new("not-trusted");
    /// The token of an exchange is no living token of a user of the same application.
    pub(crate) const BAD_SUBJECT: Self = Self::new("bad-subject");
    /// The user behind the token of an exchange may not.
    pub(crate) const SUBJECT_MAY_NOT: Self = Self::new("subject-may-not");
    /// The token of an operator's reset is unknown, used or over.
    pub(crate) const BAD_RESET_TOKEN: Self = Self::new("bad-reset-token");

    const fn new(code: &'static str) -> Self {
        Self {
            code,
            user: None,
            session: None,
            operator: None,
            is_written: false,
        }
    }

    /// The same, of a session.
    pub(crate) fn of(self, session: &Session) -> Self {
        Self {
            user: session.user,
            session: Some(session.id),
            operator: session.operator,
            ..self
        }
    }

    /// The same, where an operator's account was tried.
    pub(crate) const fn of_operator(mut self, operator: Option<OperatorId>) -> Self {
        self.operator = operator;
        self
    }

    /// The same, with its entry written already.
    pub(crate) const fn written(mut self) -> Self {
        self.is_written = true;
        self
    }

    /// Adds what is known of the refusal to its entry.
    pub(crate) fn complete(&self, entry: Entry) -> Entry {
        let entry = entry.refused(self.code).of_user(self.user);
        match (self.session, self.operator) {
            (Some(session), _) => entry.target("session", session),
            (None, Some(operator)) => entry.target("operator", operator),
            (None, None) => entry,
        }
    }
}

/// Runs a grant, and writes an entry when it is refused. `client` is what the caller sent. A refusal
/// that cannot be written down is our own trouble.
pub(crate) async fn grant<T: Send>(
    auth: &Auth,
    action: &'static str,
    caller: &Caller,
    client: Option<String>,
    work: impl Future<Output = Result<T, Error>> + Send,
) -> Result<T, Error> {
    let outcome = work.await;
    let refusal = match &outcome {
        Err(
            Error::Unauthorized(refusal)
            | Error::Forbidden(refusal)
            | Error::TooMany {
                refusal: Some(refusal),
                ..
            },
        ) => refusal.clone(),
        _ => return outcome,
    };
    if !refusal.is_written {
        let now = auth.real_clock.now();
        let entry = Entry::of(caller, action, now, &*auth.entropy).through(client.as_deref());
        write_alone(auth, &refusal.complete(entry)).await?;
    }
    outcome
}

/// Writes an entry of something that changed nothing else.
pub(crate) async fn write_alone(auth: &Auth, entry: &Entry) -> Result<(), DbError> {
    auth.db
        .write(|tx| async move { audit::append(&tx, entry).await })
        .await
}

/// Writes the entry of an operator's command, in its transaction.
pub(crate) async fn command(
    tx: &Tx,
    auth: &Auth,
    caller: &Caller,
    action: &str,
    complete: impl FnOnce(Entry) -> Entry,
) -> Result<(), DbError> {
    debug_assert!(!action.is_empty());
    let entry = Entry::of(caller, action, auth.real_clock.now(), &*auth.entropy);
    let entry = complete(entry);
    debug_assert_eq!(entry.code, OK);
    audit::append(tx, &entry).await
}
