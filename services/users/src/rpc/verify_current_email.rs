//! The caller proves an address by the token that was mailed to it: the address that waits becomes
//! the primary one, or the primary one counts as verified.

use super::{Cx, me, standing};
use crate::domain::token::Purpose;
use crate::domain::user::{User, Verified};
use crate::domain::view;
use crate::error::Error;
use crate::store;
use stoa_credentials::secret;
use stoa_db::Tx;
use stoa_policy::{AccessSettings, Action, Denied, Resource, require};
use stoa_proto::users as pb;
use stoa_rpc::Caller;

pub(super) async fn verify_current_email(
    cx: &Cx,
    caller: Caller,
    request: pb::VerifyCurrentEmailRequest,
) -> Result<pb::User, Error> {
    let id = me(&caller)?;
    let settings = cx.settings_for(&caller).await?;
    let hash = secret::hash(&request.token);
    let caller = &caller;
    let user = cx
        .db
        .write(|tx| async move {
            let user = store::users::user_locked(&tx, id).await?;
            let standing = standing(caller, settings, user.as_ref());
            require(
                &caller.actor,
                Action::VerifyCurrentEmail,
                &standing,
                &Resource::None,
            )?;
            let user = user.ok_or(Denied::Forbidden)?;
            let token = store::email_tokens::by_secret_within(&tx, &hash).await?;
            let now = cx.clock.now();
            let token = token.filter(|token| {
                token.purpose == Purpose::Verification && token.user == id && token.lives_at(now)
            });
            let token = token.ok_or(Error::EmailVerificationFailed)?;
            let verified = user.with_verified(|address| token.is_for(address));
            if matches!(verified, Verified::NotHeld)
                || !store::email_tokens::use_up(&tx, token.id).await?
            {
                return Err(Error::EmailVerificationFailed);
            }
            store_verified(cx, &tx, caller, user, verified, settings).await
        })
        .await?;
    cx.mail_queued();
    Ok(view::current(&user, settings))
}

/// Stores what the proof of an address comes to, tells of it, and welcomes whoever proved one for
/// the first time.
pub(super) async fn store_verified(
    cx: &Cx,
    tx: &Tx,
    caller: &Caller,
    user: User,
    verified: Verified,
    settings: AccessSettings,
) -> Result<User, Error> {
    let next = match verified {
        Verified::Already | Verified::NotHeld => return Ok(user),
        Verified::Primary(next) => next,
        Verified::Pending(next) => {
            store::addresses::promote_pending(tx, next.id).await?;
            next
        }
    };
    cx.update(tx, caller, &user, &next, settings).await?;
    if !user.account.is_some_and(|account| account.email_verified) {
        cx.post(tx).joined(next.id).await?;
    }
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MIGRATIONS;
    use crate::domain::email::EmailKey;
    use crate::domain::token::AddressDigest;
    use crate::rpc::harness::*;
    use crate::rpc::{ban, send_verification_email};
    use stoa_db::{Db, accounting};

    const HOURS_48: i64 = 48 * 60 * 60 * 1000;

    async fn one_more(world: &World, id: stoa_types::id::UserId) -> String {
        let empty = pb::SendVerificationEmailRequest {};
        send_verification_email::send_verification_email(&world.cx, world.user(id), empty)
            .await
            .unwrap();
        world.mails().await.pop().unwrap().token().unwrap()
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: users 1, users 12, integration I4
        async fn either_of_two_tokens_verifies_and_the_other_takes_nothing_back(db: Db) {
            let world = World::new(db).await;
            let id = world.sign_up("a@x.io").await;
            let mail = world.mails().await.pop().unwrap();
            assert_eq!((mail.to.as_str(), mail.subject.contains("Confirm")), ("a@x.io", true));
            let first = mail.token().unwrap();
            assert!(first.starts_with("sev_") && first.len() == 47);
            let second = one_more(&world, id).await;
            assert_ne!(first, second);
            let (user, statements) = accounting::scope(world.verify(id, &second)).await;
            assert!(user.unwrap().email_verified);
            // Row, token, its use, next version, envelope, whose data it holds, mail.
            assert_eq!(statements.count, 7);
            let (envelope, access, event) = world.last().await;
            assert_eq!((envelope.r#type.as_str(), access.epoch), ("user.updated", 0));
            assert_eq!(event.unwrap().previous_paths, ["attributes.emailVerified"]);
            let welcome = world.mails().await;
            assert_eq!(welcome.len(), 1);
            assert!(welcome[0].subject.starts_with("Welcome"));

            let user = world.verify(id, &first).await.unwrap();
            assert!(user.email_verified && user.version == 2);
            for used in [first, second] {
                let outcome = world.verify(id, &used).await;
                assert_eq!(refusal(outcome), "409 email-verification-failed");
            }
            assert_eq!(world.mails().await.len(), 0);
        }

        // contract: users 13
        async fn a_token_works_for_48_hours(db: Db) {
            let world = World::new(db).await;
            let id = world.sign_up("a@x.io").await;
            let token = world.mails().await.pop().unwrap().token().unwrap();
            world.clock.advance_ms(HOURS_48 - 1);
            let later = one_more(&world, id).await;
            world.clock.advance_ms(1);
            let outcome = world.verify(id, &token).await;
            assert_eq!(refusal(outcome), "409 email-verification-failed");
            assert!(world.verify(id, &later).await.unwrap().email_verified);
        }

        // contract: security S39
        async fn a_token_is_bound_to_its_user_and_its_purpose(db: Db) {
            let world = World::new(db).await;
            let (id, other) = (world.sign_up("a@x.io").await, world.sign_up("b@x.io").await);
            let mails = world.mails().await;
            let of_other = mails.iter().find(|mail| mail.to == "b@x.io").unwrap();
            let reset = world.reset_token("a@x.io").await;
            for bad in [of_other.token().unwrap(), reset, "sev_nothing".into(), String::new()] {
                let outcome = world.verify(id, &bad).await;
                assert_eq!(refusal(outcome), "409 email-verification-failed", "{bad:?}");
            }
            assert!(world.verify(other, &of_other.token().unwrap()).await.is_ok());
        }

        // contract: security S39
        async fn of_two_uses_at_once_one_wins(db: Db) {
            let world = World::new(db).await;
            let id = world.sign_up("a@x.io").await;
            let token = world.mails().await.pop().unwrap().token().unwrap();
            let (one, two) = tokio::join!(world.verify(id, &token), world.verify(id, &token));
            assert!(one.is_ok() != two.is_ok());
            assert_eq!(world.mails().await.len(), 1);
        }

        // contract: security S39 (nothing at rest opens anything)
        async fn the_store_holds_hashes_only(db: Db) {
            let world = World::new(db).await;
            world.sign_up("a@x.io").await;
            let stored: Vec<(Vec<u8>,)> = world.cx.db.all_as("SELECT hash FROM email_token_secrets").await.unwrap();
            assert_eq!(stored.len(), 0, "no secret before the mail is put together");
            let token = world.mails().await.pop().unwrap().token().unwrap();
            let stored: Vec<(Vec<u8>,)> = world.cx.db.all_as("SELECT hash FROM email_token_secrets").await.unwrap();
            assert_eq!(stored, [(secret::hash(&token).to_vec(),)]);
            let (address,): (Vec<u8>,) = world.cx.db.one_as("SELECT address FROM email_tokens").await.unwrap();
            let digest = AddressDigest::of(&EmailKey::of_stored("A@x.io"));
            assert_eq!(AddressDigest::stored(address), digest);
        }

        // contract: users 33
        async fn a_banned_user_verifies_nothing(db: Db) {
            let world = World::new(db).await;
            let id = world.sign_up("a@x.io").await;
            let token = world.mails().await.pop().unwrap().token().unwrap();
            ban::ban(&world.cx, world.operator(), command(id)).await.unwrap();
            assert_eq!(refusal(world.verify(id, &token).await), "403 forbidden");
        }
    }
}
