//! The mails of this service: which one is queued when, and (`desk.rs`) whom each goes to and what
//! it says when it is sent.
//!
//! A command queues its mails in its own transaction and wakes the sending job after the commit.
//! A row of the queue holds ids; a token gets its secret when the mail is put together.

mod desk;

pub(crate) use desk::UsersDesk;

use crate::domain::email::EmailKey;
use crate::domain::token::EmailToken;
use crate::domain::user::User;
use crate::store::email_tokens;
use stoa_db::{DbError, Tx};
use stoa_mail::builtin::Builtin;
use stoa_mail::queue::{self, NewMail};
use stoa_types::id::UserId;
use stoa_types::{Entropy, Timestamp};

/// Name of the id of a token among the ids of a mail.
const TOKEN: &str = "token";
/// The same of a notice.
const NOTICE: &str = "notice";
/// Names of the permissions that changed.
const READ: &str = "read";
const POST_LISTINGS: &str = "postListings";
const INITIATE_TRANSACTIONS: &str = "initiateTransactions";
/// How long the address of a notice is kept: longer than any mail is tried.
const NOTICE_MS: i64 = 48 * 60 * 60 * 1000;

/// Queues mails in a transaction.
pub(crate) struct Post<'a> {
    pub(crate) tx: &'a Tx,
    pub(crate) now: Timestamp,
    pub(crate) entropy: &'a dyn Entropy,
}

impl Post<'_> {
    /// The proof of the address that an account has. False when too many such mails went there.
    pub(crate) async fn verify(&self, user: UserId, address: &EmailKey) -> Result<bool, DbError> {
        self.verification(Builtin::VerifyEmailAddress, user, address)
            .await
    }

    /// The proof of an address that was asked for. False when too many such mails went there.
    pub(crate) async fn verify_changed(
        &self,
        user: UserId,
        address: &EmailKey,
    ) -> Result<bool, DbError> {
        self.verification(Builtin::VerifyChangedEmailAddress, user, address)
            .await
    }

    async fn verification(
        &self,
        mail: Builtin,
        user: UserId,
        address: &EmailKey,
    ) -> Result<bool, DbError> {
        let token = EmailToken::verification(user, address, self.now, self.entropy);
        self.token(mail, &token).await
    }

    /// The way to a new password. Nothing goes out when too many such mails went there: each of
    /// them still works.
    pub(crate) async fn reset(
        &self,
        user: UserId,
        address: &EmailKey,
        epoch: i64,
    ) -> Result<(), DbError> {
        let token = EmailToken::reset(user, address, epoch, self.now, self.entropy);
        self.token(Builtin::ResetPassword, &token).await.map(drop)
    }

    async fn token(&self, mail: Builtin, token: &EmailToken) -> Result<bool, DbError> {
        if !email_tokens::issue(self.tx, token, self.now).await? {
            return Ok(false);
        }
        let key = format!("{}/{}", mail.name(), token.id);
        let mail = NewMail::new(key, mail.name(), token.user, self.now)
            .about(TOKEN, token.id)
            .to_unverified();
        self.queue(mail).await?;
        Ok(true)
    }

    /// Tells the address of an account that another one was asked for. The address is kept beside
    /// the mail: a quick thief must not be able to change it before the mail goes out.
    pub(crate) async fn address_changes(&self, user: UserId, address: &str) -> Result<(), DbError> {
        let id = self.entropy.uuid();
        let until = self.now.plus_ms(NOTICE_MS);
        email_tokens::note(self.tx, id, user, address, until).await?;
        let mail = Builtin::EmailAddressChanged.name();
        let mail = NewMail::new(format!("{mail}/{id}"), mail, user, self.now).about(NOTICE, id);
        self.queue(mail).await
    }

    /// Tells of a new password; after a reset also an address that was never verified.
    pub(crate) async fn password_changed(&self, user: &User, reset: bool) -> Result<(), DbError> {
        let mail = Builtin::PasswordChanged.name();
        let key = format!("{mail}/{}/{}", user.id, user.version);
        let mail = NewMail::new(key, mail, user.id, self.now);
        self.queue(if reset { mail.to_unverified() } else { mail })
            .await
    }

    /// Welcomes somebody whose address is verified for the first time.
    pub(crate) async fn joined(&self, user: UserId) -> Result<(), DbError> {
        let mail = Builtin::UserJoined.name();
        self.queue(NewMail::new(format!("{mail}/{user}"), mail, user, self.now))
            .await
    }

    /// Tells somebody who waited for approval that it is there.
    pub(crate) async fn approved(&self, user: &User) -> Result<(), DbError> {
        let mail = Builtin::UserApproved.name();
        let key = format!("{mail}/{}/{}", user.id, user.version);
        self.queue(NewMail::new(key, mail, user.id, self.now)).await
    }

    /// Tells which permissions somebody was given or denied. The mail keeps what they were changed
    /// to: each change is told as it was, whatever comes after it.
    pub(crate) async fn permissions_changed(&self, old: &User, new: &User) -> Result<(), DbError> {
        let mail = Builtin::UserPermissionsChanged.name();
        let key = format!("{mail}/{}/{}", new.id, new.version);
        let mut mail = NewMail::new(key, mail, new.id, self.now);
        let (old, new) = (old.access.permissions, new.access.permissions);
        for (name, old, new) in [
            (READ, old.read, new.read),
            (POST_LISTINGS, old.post_listings, new.post_listings),
            (
                INITIATE_TRANSACTIONS,
                old.initiate_transactions,
                new.initiate_transactions,
            ),
        ] {
            if old != new {
                mail = mail.about(
                    name,
                    if new {
                        "permission/allow"
                    } else {
                        "permission/deny"
                    },
                );
            }
        }
        self.queue(mail).await
    }

    async fn queue(&self, mail: NewMail) -> Result<(), DbError> {
        queue::enqueue(self.tx, &mail, self.now, self.entropy)
            .await
            .map(drop)
    }
}
