//! Whom a mail of this service goes to, and what it says: asked when it is sent, so that it is
//! what is true then.

use super::{INITIATE_TRANSACTIONS, NOTICE, POST_LISTINGS, READ, TOKEN};
use crate::domain::email::EmailKey;
use crate::domain::token::EmailToken;
use crate::domain::user::{Account, User};
use crate::store;
use std::collections::BTreeMap;
use std::sync::Arc;
use stoa_credentials::secret;
use stoa_db::{Db, DbError};
use stoa_feed::projections::Settings;
use stoa_mail::builtin::Builtin;
use stoa_mail::builtin::context::{
    AccountMail, ChangedPermissions, Marketplace, PermissionsMail, Reset, ResetMail,
    User as Person, Verification, VerificationMail,
};
use stoa_mail::queue::{Contents, Desk, Queued, Recipient, Standing, Unavailable};
use stoa_mail::{Correspondent, Letter};
use stoa_policy::UserState;
use stoa_proto::auth;
use stoa_types::{Clock, Entropy, ExtendedData};
use uuid::Uuid;

/// Where the web template listens while it is developed.
const DEV_URL: &str = "http://localhost:3000";

/// What the sending job asks.
pub(crate) struct UsersDesk {
    pub(crate) db: Db,
    /// Domain time, by which tokens grow old.
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) settings: Settings,
}

impl Desk for UsersDesk {
    async fn recipient(&self, mail: &Queued) -> Result<Option<Recipient>, Unavailable> {
        let user = store::users::user(&self.db, mail.recipient).await;
        let Some(user) = user.map_err(unavailable)? else {
            return Ok(None);
        };
        let Some(account) = &user.account else {
            return Ok(Some(Recipient {
                address: String::new(),
                name: String::new(),
                verified: false,
                standing: Standing::Deleted,
            }));
        };
        let Some(builtin) = Builtin::named(&mail.kind) else {
            return Ok(None);
        };
        let to = match builtin {
            Builtin::VerifyEmailAddress | Builtin::VerifyChangedEmailAddress => {
                let token = self.token(mail).await?;
                let held = token.and_then(|token| held(account, &token));
                // Verified in the meantime, it needs no proof any more.
                held.filter(|(_, verified)| !verified)
            }
            Builtin::ResetPassword => {
                let token = self.token(mail).await?;
                token.and_then(|token| held(account, &token))
            }
            Builtin::EmailAddressChanged => self.notice(mail).await?.map(|old| (old, true)),
            Builtin::PasswordChanged
            | Builtin::UserJoined
            | Builtin::UserApproved
            | Builtin::UserPermissionsChanged
            | Builtin::ListingApproved
            | Builtin::NewMessage => Some((account.email.clone(), account.email_verified)),
        };
        Ok(to.map(|(address, verified)| Recipient {
            address,
            name: account.profile.shown_name(),
            verified,
            standing: standing(&user, builtin),
        }))
    }

    async fn contents(
        &self,
        mail: &Queued,
        to: &Recipient,
    ) -> Result<Option<Contents>, Unavailable> {
        let settings = self.settings.latest();
        let settings = settings.ok_or_else(|| Unavailable("settings are not known".to_owned()))?;
        let Some(builtin) = Builtin::named(&mail.kind) else {
            return Ok(None);
        };
        let Some(letter) = letter(&settings, builtin) else {
            return Ok(None);
        };
        let user = store::users::user(&self.db, mail.recipient).await;
        let Some(user) = user.map_err(unavailable)? else {
            return Ok(None);
        };
        let Some(recipient) = person(&user) else {
            return Ok(None);
        };
        let marketplace = marketplace(&settings);
        let context = match builtin {
            Builtin::VerifyEmailAddress | Builtin::VerifyChangedEmailAddress => {
                let Some(token) = self.secret(mail).await? else {
                    return Ok(None);
                };
                serde_json::to_value(VerificationMail {
                    recipient,
                    marketplace,
                    email_verification: Verification { token },
                })
            }
            Builtin::ResetPassword => {
                let Some(token) = self.secret(mail).await? else {
                    return Ok(None);
                };
                let email_address = to.address.clone();
                serde_json::to_value(ResetMail {
                    recipient,
                    marketplace,
                    password_reset: Reset {
                        token,
                        email_address,
                    },
                })
            }
            Builtin::EmailAddressChanged
            | Builtin::PasswordChanged
            | Builtin::UserJoined
            | Builtin::UserApproved => serde_json::to_value(AccountMail {
                recipient,
                marketplace,
            }),
            Builtin::UserPermissionsChanged => {
                let changed = |name| mail.id_of(name).map(str::to_owned);
                serde_json::to_value(PermissionsMail {
                    recipient,
                    marketplace,
                    changed_permissions: ChangedPermissions {
                        read: changed(READ),
                        post_listings: changed(POST_LISTINGS),
                        initiate_transactions: changed(INITIATE_TRANSACTIONS),
                    },
                })
            }
            // Others send these.
            Builtin::ListingApproved | Builtin::NewMessage => return Ok(None),
        };
        let context = context.map_err(|error| Unavailable(error.to_string()))?;
        Ok(Some(Contents {
            letter,
            context,
            assets: Arc::new(BTreeMap::<String, serde_json::Value>::new()),
            from: sender(&settings),
        }))
    }
}

impl UsersDesk {
    /// The token of a mail, if it still works.
    async fn token(&self, mail: &Queued) -> Result<Option<EmailToken>, Unavailable> {
        let Some(id) = id_of(mail, TOKEN) else {
            return Ok(None);
        };
        let token = store::email_tokens::token(&self.db, id).await;
        let now = self.clock.now();
        Ok(token.map_err(unavailable)?.filter(|t| t.lives_at(now)))
    }

    /// A secret for this mail. Its hash is stored before the mail leaves: whatever happens then,
    /// each copy that arrives works.
    async fn secret(&self, mail: &Queued) -> Result<Option<String>, Unavailable> {
        let Some(token) = self.token(mail).await? else {
            return Ok(None);
        };
        let secret = token.secret(&*self.entropy);
        let (id, hash, now) = (token.id, secret::hash(&secret), self.clock.now());
        let added = self
            .db
            .write(|tx| async move { store::email_tokens::add_secret(&tx, id, &hash, now).await })
            .await;
        Ok(added.map_err(unavailable)?.then_some(secret))
    }

    async fn notice(&self, mail: &Queued) -> Result<Option<String>, Unavailable> {
        let Some(id) = id_of(mail, NOTICE) else {
            return Ok(None);
        };
        store::email_tokens::notice(&self.db, id)
            .await
            .map_err(unavailable)
    }
}

fn unavailable(error: DbError) -> Unavailable {
    Unavailable(error.to_string())
}

fn id_of(mail: &Queued, name: &str) -> Option<Uuid> {
    mail.id_of(name).and_then(|text| text.parse().ok())
}

/// The stored address that a token is about, and whether it is verified; none when the account has
/// neither of them any more.
fn held(account: &Account, token: &EmailToken) -> Option<(String, bool)> {
    let is_for = |address: &str| token.is_for(&EmailKey::of_stored(address));
    let pending = account.pending_email.as_deref().filter(|a| is_for(a));
    if let Some(pending) = pending {
        return Some((pending.to_owned(), false));
    }
    is_for(&account.email).then(|| (account.email.clone(), account.email_verified))
}

/// A banned user gets nothing but what was asked for with a reset: a ban does not lock anybody out
/// of the own account.
fn standing(user: &User, mail: Builtin) -> Standing {
    match user.state() {
        UserState::Banned if mail != Builtin::ResetPassword => Standing::Banned,
        UserState::Deleted => Standing::Deleted,
        UserState::Active | UserState::PendingApproval | UserState::Banned => Standing::Present,
    }
}

/// The letter of a mail: the operator's, else ours. None: it is switched off.
fn letter(settings: &auth::Settings, mail: Builtin) -> Option<Arc<Letter>> {
    let changed = settings
        .builtin_emails
        .iter()
        .find(|changed| changed.name == mail.name());
    let Some(changed) = changed else {
        return Some(mail.letter());
    };
    if !changed.enabled && mail.may_be_disabled() {
        return None;
    }
    if changed.subject.is_none() && changed.html.is_none() {
        return Some(mail.letter());
    }
    let (subject, html) = mail.sources();
    let subject = changed.subject.as_deref().unwrap_or(subject);
    let html = changed.html.as_deref().unwrap_or(html);
    match Letter::parse(mail.name(), subject, html) {
        Ok(letter) => Some(Arc::new(letter)),
        Err(_) => {
            // It was checked when it was saved, so another release reads it otherwise.
            tracing::error!(
                mail = mail.name(),
                "An edited mail cannot be read; our own text goes out"
            );
            Some(mail.letter())
        }
    }
}

/// What a mail can say of the person it goes to.
fn person(user: &User) -> Option<Person> {
    let account = user.account.as_ref()?;
    let profile = &account.profile;
    let data = |data: &ExtendedData| serde_json::from_str(&data.to_json()).unwrap_or_default();
    let names = Person::new(
        user.id,
        &profile.first_name,
        &profile.last_name,
        &profile.shown_name(),
    );
    Some(Person {
        private_data: data(&profile.data.private),
        public_data: data(&profile.data.public),
        protected_data: data(&profile.data.protected),
        metadata: data(&profile.data.metadata),
        ..names
    })
}

/// The marketplace. Links come from the settings alone, never from a request; a marketplace that is
/// developed and has no address yet is where the web template listens.
fn marketplace(settings: &auth::Settings) -> Marketplace {
    let url = settings.marketplace_url.as_str();
    let url = if url.is_empty() && settings.environment == "dev" {
        DEV_URL
    } else {
        url
    };
    Marketplace {
        name: name(settings).to_owned(),
        url: url.trim_end_matches('/').to_owned(),
    }
}

/// Whom mails come from where the settings say so.
fn sender(settings: &auth::Settings) -> Option<Correspondent> {
    let address = Some(settings.mail_from.as_str()).filter(|address| !address.is_empty())?;
    Correspondent::parse(address, name(settings)).ok()
}

fn name(settings: &auth::Settings) -> &str {
    settings
        .marketplace
        .as_ref()
        .map_or("", |marketplace| marketplace.name.as_str())
}

#[cfg(test)]
mod tests {
    use crate::MIGRATIONS;
    use crate::rpc::harness::*;
    use stoa_db::Db;
    use stoa_proto::auth;

    fn edited(name: &str, enabled: bool, subject: Option<&str>) -> auth::BuiltinEmail {
        auth::BuiltinEmail {
            name: name.to_owned(),
            enabled,
            subject: subject.map(str::to_owned),
            html: None,
        }
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: security S41, operator 14
        async fn links_sender_and_texts_are_those_of_the_settings(db: Db) {
            let world = World::with_settings(db, auth::Settings {
                marketplace: Some(auth::Marketplace {
                    name: "Engine Market".into(),
                    ..auth::Marketplace::default()
                }),
                marketplace_url: "https://market.example".into(),
                mail_from: "hello@market.example".into(),
                builtin_emails: vec![
                    edited("verify-email-address", true, Some("{{marketplace.name}} calls {{recipient.first-name}}")),
                    edited("user-joined", false, None),
                    // It cannot be switched off, whatever is stored.
                    edited("reset-password", false, None),
                ],
                ..auth::Settings::default()
            })
            .await;
            let id = world.sign_up("a@x.io").await;
            let mail = world.mail_to("a@x.io").await;
            assert_eq!(mail.subject, "Engine Market calls Olli");
            assert_eq!(mail.from, "\"Engine Market\" <hello@market.example>");
            let token = mail.token().unwrap();
            assert!(mail.text.contains(&format!("https://market.example/verify-email?t={token}")));
            world.verify(id, &token).await.unwrap();
            assert_eq!(world.mails().await.len(), 0, "nobody is welcomed");
            world.reset_token("a@x.io").await;
        }

        // contract: notifications 1.3 (checked when it is sent)
        async fn what_waits_for_a_deleted_or_banned_user_is_not_sent(db: Db) {
            let world = World::new(db).await;
            let (gone, banned) = (world.sign_up("a@x.io").await, world.sign_up("b@x.io").await);
            world.delete(gone).await;
            world.ban(banned).await;
            assert_eq!(world.mails().await.len(), 0);
            let (left,): (i64,) = world.cx.db.one_as("SELECT count(*) FROM mails WHERE state = 'waiting'").await.unwrap();
            assert_eq!(left, 0);
        }

        // contract: security S39 (a mail that is put together twice)
        async fn each_copy_of_a_mail_that_is_sent_twice_works(db: Db) {
            let world = World::new(db).await;
            let id = world.sign_up("a@x.io").await;
            let first = world.mail_to("a@x.io").await.token().unwrap();
            // As if the process had ended before the answer of the mail server was noted.
            let again = "UPDATE mails SET state = 'waiting', done_at = NULL, about = $2, recipient = $1";
            let (token,): (String,) = world.cx.db.one_as("SELECT id FROM email_tokens").await.unwrap();
            let about = format!(r#"{{"token":"{token}"}}"#);
            let about = about.as_str();
            world.cx.db
                .write(|tx| async move {
                    tx.execute(stoa_db::sql(again).bind(id).bind(about)).await
                })
                .await
                .unwrap();
            let second = world.mail_to("a@x.io").await.token().unwrap();
            assert_ne!(first, second);
            assert!(world.verify(id, &first).await.unwrap().email_verified);
            let outcome = world.verify(id, &second).await;
            assert_eq!(refusal(outcome), "409 email-verification-failed");
        }

        // contract: security S46
        async fn a_deletion_leaves_no_token_notice_or_mail(db: Db) {
            let world = World::new(db).await;
            let id = world.verified("a@x.io").await;
            world.change_email(id, "new@x.io").await.unwrap();
            world.sign_up("other@x.io").await;
            world.delete(id).await;
            for (table, left) in [
                ("SELECT count(*) FROM email_tokens", 1),
                ("SELECT count(*) FROM email_notices", 0),
                ("SELECT count(*) FROM email_token_secrets", 0),
                ("SELECT count(*) FROM mails WHERE state = 'waiting'", 1),
            ] {
                let (count,): (i64,) = world.cx.db.one_as(table).await.unwrap();
                assert_eq!(count, left, "{table}");
            }
        }
    }
}
