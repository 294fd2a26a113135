//! The queue: mails are rows in the database of the service that sends them, written in the
//! transaction of what they tell of.
//!
//! A row holds ids only. Address, name, standing and words are looked up when the mail is sent, by
//! the service's [`Desk`]. [`Sender::pass`] is the work of a job that one replica at a time does.

mod sender;
pub(crate) mod store;
#[cfg(test)]
mod tests;

pub use sender::{Sender, SenderParts};

use crate::mail::{Correspondent, Letter};
use crate::template::Assets;
use serde_json::{Map, Value as Json};
use std::fmt;
use std::sync::Arc;
use stoa_db::{DbError, Tx, sql};
use stoa_types::id::UserId;
use stoa_types::{Entropy, Timestamp};

/// A mail to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct NewMail {
    /// Says which mail this is (`reset-password/<token id>`,
    /// `<transaction>/<number of the transition>/<notification>`). A second one with the same key
    /// is not queued; keys are remembered for seven days after the mail is done.
    pub key: String,
    /// Which mail: the name of a built-in one, or what the service's [`Desk`] knows.
    pub kind: String,
    /// Whom it goes to.
    pub recipient: UserId,
    /// Ids that the words are looked up by. No address, name, token or text: it is stored as it is.
    pub about: Map<String, Json>,
    /// It also goes to an address that is not verified.
    pub to_unverified: bool,
    /// When it is sent; in the past: at once.
    pub due: Timestamp,
    /// What it belongs to; [`cancel_delayed`] takes it back as long as it waits for `due`.
    pub group: Option<String>,
}

impl NewMail {
    /// A mail that is sent at once, to a verified address only.
    pub fn new(
        key: impl Into<String>,
        kind: impl Into<String>,
        to: UserId,
        now: Timestamp,
    ) -> Self {
        Self {
            key: key.into(),
            kind: kind.into(),
            recipient: to,
            about: Map::new(),
            to_unverified: false,
            due: now,
            group: None,
        }
    }

    /// With one more id that the words are looked up by.
    #[must_use]
    pub fn about(mut self, name: &str, id: impl fmt::Display) -> Self {
        self.about
            .insert(name.to_owned(), Json::String(id.to_string()));
        self
    }

    /// Also to an address that is not verified.
    #[must_use]
    pub fn to_unverified(mut self) -> Self {
        self.to_unverified = true;
        self
    }
}

/// Queues a mail in the transaction `tx`: it is sent if that commits. False when a mail of that key
/// is or was there already. Wake the sending job after the commit.
///
/// # Errors
/// Those of the statement.
pub async fn enqueue(
    tx: &Tx,
    mail: &NewMail,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Result<bool, DbError> {
    let delayed = mail.group.is_some() && mail.due > now;
    let queued = sql(store::ENQUEUE)
        .bind(entropy.uuid())
        .bind(&mail.key)
        .bind(&mail.kind)
        .bind(mail.recipient)
        .bind(Json::Object(mail.about.clone()).to_string())
        .bind(mail.group.as_ref())
        .bind(delayed)
        .bind(mail.to_unverified)
        .bind(now)
        .bind(mail.due);
    Ok(tx.execute(queued).await? == 1)
}

/// Takes back the mails of a group that were queued for later and have not been sent; those that
/// were queued for at once stay. Gives their number.
///
/// # Errors
/// Those of the statement.
pub async fn cancel_delayed(tx: &Tx, group: &str) -> Result<u64, DbError> {
    tx.execute(sql(store::CANCEL).bind(group)).await
}

/// Removes what waits for a person who is deleted. Gives the number of mails.
///
/// # Errors
/// Those of the statement.
pub async fn erase(tx: &Tx, user: UserId) -> Result<u64, DbError> {
    tx.execute(sql(store::ERASE).bind(user)).await
}

/// A mail that is about to be sent, for its [`Desk`].
#[derive(Clone, Debug, PartialEq)]
pub struct Queued {
    /// Its id: the same at every try, so that what is derived from it is the same too.
    pub id: uuid::Uuid,
    /// As it was queued.
    pub key: String,
    /// As it was queued.
    pub kind: String,
    /// As it was queued.
    pub recipient: UserId,
    /// As it was queued.
    pub about: Map<String, Json>,
    /// When it was to be sent.
    pub due: Timestamp,
}

impl Queued {
    /// An id that was queued with [`NewMail::about`].
    pub fn id_of(&self, name: &str) -> Option<&str> {
        self.about.get(name).and_then(Json::as_str)
    }
}

/// Whether a person gets mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Active, or waiting for approval.
    Present,
    /// Banned: no mail.
    Banned,
    /// Deleted: no mail.
    Deleted,
}

/// Whom a mail goes to, as it is now.
#[derive(Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The address that is stored; never one that somebody typed into a request.
    pub address: String,
    /// The name that is shown with it.
    pub name: String,
    /// The address is verified.
    pub verified: bool,
    /// Whether the person gets mail.
    pub standing: Standing,
}

impl fmt::Debug for Recipient {
    /// Says nothing of the person.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verified, standing) = (self.verified, self.standing);
        write!(f, "Recipient({standing:?}, verified: {verified})")
    }
}

/// What a mail says, as it is now.
#[derive(Clone)]
pub struct Contents {
    /// The templates.
    pub letter: Arc<Letter>,
    /// The values for them.
    pub context: Json,
    /// Texts, localization and colours of the marketplace.
    pub assets: Arc<dyn Assets + Send + Sync>,
    /// Whom it comes from, where the settings of the marketplace say so; else the sender of the
    /// configuration.
    pub from: Option<Correspondent>,
}

/// Something that must be asked does not answer; the mail is tried again later.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(pub String);

/// What a service answers about its mails when they are sent.
pub trait Desk: Send + Sync + 'static {
    /// Whom the mail goes to. None: there is nobody any more, or it is not to be sent.
    fn recipient(
        &self,
        mail: &Queued,
    ) -> impl Future<Output = Result<Option<Recipient>, Unavailable>> + Send;

    /// What it says; asked only about mails that go out. None: it has become pointless, or is
    /// switched off.
    fn contents(
        &self,
        mail: &Queued,
        to: &Recipient,
    ) -> impl Future<Output = Result<Option<Contents>, Unavailable>> + Send;
}
