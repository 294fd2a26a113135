//! How mails leave: over SMTP, into a folder, or not at all.

mod folder;
mod smtp;

pub use folder::Folder;
pub use smtp::{BadSettings, Credentials, Smtp, SmtpSettings, Tls};

use crate::mail::{Correspondent, Outgoing};
use stoa_types::id::UserId;
use uuid::Uuid;

/// The way that mails of a process leave.
pub enum Transport {
    /// To a mail server.
    Smtp(Box<Smtp>),
    /// Into a folder, one `.eml` file each, for development.
    Folder(Folder),
    /// Logged and dropped: no mail server is configured.
    Discard,
}

/// How the mails of a service leave, and whom they come from unless the settings of the marketplace
/// say so.
pub struct Outlet {
    /// The way.
    pub transport: Transport,
    /// The sender of the configuration.
    pub from: Correspondent,
}

/// What a transport answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Accepted,
    /// Not now: an answer of 400 to 499, or the connection broke. Names the step, and the number of
    /// the answer; a server's words may hold addresses.
    Temporary(String),
    /// Never: an answer of 500 to 599 about this mail.
    Permanent(String),
    /// No mail can be sent now: no connection, no TLS, credentials or sender not taken.
    Unreachable(String),
    /// The claim failed: another one has the mail.
    Lost,
}

impl Transport {
    /// Delivers a mail to a person. `claim` comes right before its text is handed over; when it is
    /// false nothing is handed over.
    ///
    /// # Errors
    /// Those of `claim`.
    pub(crate) async fn deliver<E>(
        &self,
        id: Uuid,
        person: UserId,
        mail: &Outgoing,
        claim: impl AsyncFnOnce() -> Result<bool, E>,
    ) -> Result<Outcome, E> {
        match self {
            Self::Smtp(smtp) => smtp.deliver(mail, claim).await,
            Self::Folder(folder) => {
                if !claim().await? {
                    return Ok(Outcome::Lost);
                }
                Ok(folder.deliver(id, person, mail).await)
            }
            Self::Discard => {
                if !claim().await? {
                    return Ok(Outcome::Lost);
                }
                tracing::info!(mail.id = %id, "Dropped a mail: no mail server is configured");
                Ok(Outcome::Accepted)
            }
        }
    }

    /// Removes what is kept here of a person's mails; a mail server keeps what it has.
    ///
    /// # Errors
    /// Those of the files.
    pub(crate) async fn erase(&self, person: UserId) -> std::io::Result<usize> {
        match self {
            Self::Folder(folder) => folder.erase(person).await,
            Self::Smtp(_) | Self::Discard => Ok(0),
        }
    }
}
