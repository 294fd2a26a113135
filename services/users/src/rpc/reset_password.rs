//! A new password by the token that was mailed: every session ends, a change of address that waits
//! is given up, and no other token of the user works any more.

use super::fields::{Fields, no_name};
use super::{Cx, standing};
use crate::domain::email::{Email, EmailKey};
use crate::domain::token::{EmailToken, Purpose};
use crate::domain::user::User;
use crate::error::Error;
use crate::{events, store};
use stoa_credentials::secret;
use stoa_feed::projections::settings::access_of;
use stoa_policy::{Action, Resource, require};
use stoa_proto::users as pb;
use stoa_rpc::Caller;
use stoa_types::Timestamp;

pub(super) async fn reset_password(
    cx: &Cx,
    caller: Caller,
    request: pb::ResetPasswordRequest,
) -> Result<pb::PasswordReset, Error> {
    let all_settings = cx.all_settings_for(&caller).await?;
    let settings = access_of(&all_settings);
    let mut fields = Fields::of_body();
    let email = fields.email(&request.email);
    let password = fields.new_password("newPassword", request.new_password, &all_settings);
    let (email, password) = fields.finish_with(email.zip(password))?;
    let token = store::email_tokens::by_secret(&cx.db, &secret::hash(&request.token)).await?;
    let token = token.ok_or(Error::BadResetToken)?;
    let user = store::users::user(&cx.db, token.user).await?;
    let user = user.ok_or(Error::BadResetToken)?;
    if !allows(&token, &user, &email, cx.clock.now()) {
        return Err(Error::BadResetToken);
    }
    let account = user.account.as_ref();
    let password = no_name("newPassword", password, account, &all_settings)?;
    let hash = cx.passwords.hash(password.into_text()).await?;
    let (caller, token, email, hash) = (&caller, &token, &email, hash.as_str());
    cx.db
        .write(|tx| async move {
            let actor = cx.caller_locked(&tx, caller).await?;
            let standing = standing(caller, settings, actor.as_ref());
            require(
                &caller.actor,
                Action::ResetPassword,
                &standing,
                &Resource::None,
            )?;
            let user = store::users::user_locked(&tx, token.user).await?;
            let user = user.ok_or(Error::BadResetToken)?;
            // The epoch says that there was no other new password since.
            if !allows(token, &user, email, cx.clock.now())
                || !store::email_tokens::use_up(&tx, token.id).await?
            {
                return Err(Error::BadResetToken);
            }
            store::email_tokens::void(&tx, user.id).await?;
            store::addresses::free_pending(&tx, user.id).await?;
            store::users::set_password(&tx, user.id, hash).await?;
            let next = user.with_sessions_revoked();
            store::users::replace(&tx, &next).await?;
            cx.emit(&tx, caller, events::epoch_raised(&user, &next, settings))
                .await?;
            Ok(cx.post(&tx).password_changed(&next, true).await?)
        })
        .await?;
    cx.mail_queued();
    Ok(pb::PasswordReset {
        id: cx.entropy.uuid().to_string(),
    })
}

/// Whether a token lets this user, at this address, have a new password.
fn allows(token: &EmailToken, user: &User, email: &Email, now: Timestamp) -> bool {
    let Some(account) = &user.account else {
        return false;
    };
    let primary = EmailKey::of_stored(&account.email);
    token.purpose == Purpose::Reset
        && token.lives_at(now)
        && token.epoch == Some(user.access.epoch)
        && primary == *email.key()
        && token.is_for(&primary)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MIGRATIONS;
    use crate::rpc::harness::*;
    use crate::rpc::{change_password, show_current};
    use stoa_db::{Db, accounting};
    use stoa_proto::auth;

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: users 21, auth S5, security S39
        async fn a_token_gives_one_new_password_and_ends_every_session(db: Db) {
            let world = World::new(db).await;
            let id = world.sign_up("a@x.io").await;
            let (used, other) = (world.reset_token("a@x.io").await, world.reset_token("a@x.io").await);
            let call = world.reset("A@x.io", &used, "other horse");
            let (answer, statements) = accounting::scope(call).await;
            assert!(!format!("{answer:?}").contains(&used));
            answer.unwrap();
            // Token, user; then row, use, end of others, address, password, next version, envelope,
            // mail.
            assert_eq!(statements.count, 10);
            assert!(world.logs_in("a@x.io", "other horse").await);
            assert!(!world.logs_in("a@x.io", PASSWORD).await);
            let (envelope, access, event) = world.last().await;
            assert_eq!((envelope.r#type.as_str(), event), ("user.epoch-raised", None));
            assert_eq!((access.epoch, access.except_sid), (1, None));
            let empty = pb::ShowCurrentUserRequest {};
            let dead = show_current::show_current(&world.cx, world.user(id), empty).await;
            assert_eq!(refusal(dead), "401 auth-invalid-access-token");
            // The address was never verified, and is told all the same.
            let mails = world.mails().await;
            assert_eq!(mails.len(), 1);
            assert!(mails[0].to == "a@x.io" && mails[0].subject.contains("was changed"));
            for dead in [used, other] {
                let outcome = world.reset("a@x.io", &dead, "third horse").await;
                assert_eq!(refusal(outcome), "403 forbidden");
            }
        }

        // contract: security S39
        async fn a_token_is_bound_to_address_purpose_and_time(db: Db) {
            let world = World::new(db).await;
            world.sign_up("a@x.io").await;
            let verification = world.mails().await.pop().unwrap().token().unwrap();
            world.verified("b@x.io").await;
            let token = world.reset_token("a@x.io").await;
            for (email, token) in [
                ("b@x.io", token.as_str()),
                ("nobody@x.io", &token),
                ("a@x.io", &verification),
                ("a@x.io", "spr_nothing"),
                ("a@x.io", ""),
            ] {
                let outcome = world.reset(email, token, "other horse").await;
                assert_eq!(refusal(outcome), "403 forbidden", "{email} {token}");
            }
            world.clock.advance_ms(60 * 60 * 1000);
            let outcome = world.reset("a@x.io", &token, "other horse").await;
            assert_eq!(refusal(outcome), "403 forbidden");
            let fresh = world.reset_token("a@x.io").await;
            world.clock.advance_ms(60 * 60 * 1000 - 1);
            assert!(world.reset("a@x.io", &fresh, "other horse").await.is_ok());
        }

        // contract: security S39
        async fn of_two_resets_at_once_one_wins(db: Db) {
            let world = World::new(db).await;
            world.sign_up("a@x.io").await;
            let token = world.reset_token("a@x.io").await;
            let (one, two) = tokio::join!(
                world.reset("a@x.io", &token, "one horse"),
                world.reset("a@x.io", &token, "two horses"),
            );
            let (lost, new) = if one.is_ok() { (two, "one horse") } else { (one, "two horses") };
            assert_eq!(refusal(lost), "403 forbidden");
            assert!(world.logs_in("a@x.io", new).await);
        }

        // contract: security S39 (bound to the epoch)
        async fn a_new_password_ends_the_tokens_of_the_old_one(db: Db) {
            let world = World::new(db).await;
            let id = world.verified("a@x.io").await;
            let token = world.reset_token("a@x.io").await;
            let change = pb::ChangePasswordRequest {
                current_password: PASSWORD.into(),
                new_password: "own horse 1".into(),
            };
            change_password::change_password(&world.cx, world.user(id), change).await.unwrap();
            let notice = world.mails().await.pop().unwrap();
            assert!(notice.subject.contains("was changed"));
            let outcome = world.reset("a@x.io", &token, "other horse").await;
            assert_eq!(refusal(outcome), "403 forbidden");
        }

        // contract: security S42, S43
        async fn a_reset_gives_up_the_change_of_address_and_every_other_token(db: Db) {
            let world = World::new(db).await;
            let id = world.verified("a@x.io").await;
            world.change_email(id, "thief@x.io").await.unwrap();
            let thief = world.mail_to("thief@x.io").await.token().unwrap();
            let token = world.reset_token("a@x.io").await;
            world.reset("a@x.io", &token, "other horse").await.unwrap();
            let (envelope, _, event) = world.last().await;
            assert_eq!(envelope.r#type, "user.epoch-raised");
            assert_eq!(event.unwrap().previous_paths, ["attributes.pendingEmail"]);
            let mut caller = world.user(id);
            caller.actor.user_epoch = 1;
            let request = pb::VerifyCurrentEmailRequest { token: thief };
            let outcome = crate::rpc::verify_current_email::verify_current_email(&world.cx, caller, request).await;
            assert_eq!(refusal(outcome), "409 email-verification-failed");
            world.sign_up("thief@x.io").await;
        }

        // contract: security S42 (as far as there are no identity providers)
        async fn who_owns_the_address_takes_an_account_that_was_made_with_it(db: Db) {
            let world = World::new(db).await;
            let id = world.sign_up("victim@x.io").await;
            let early = world.mails().await.pop().unwrap().token().unwrap();
            let token = world.reset_token("victim@x.io").await;
            world.reset("victim@x.io", &token, "other horse").await.unwrap();
            assert!(!world.logs_in("victim@x.io", PASSWORD).await);
            let mut caller = world.user(id);
            caller.actor.user_epoch = 1;
            let request = pb::VerifyCurrentEmailRequest { token: early };
            let outcome = crate::rpc::verify_current_email::verify_current_email(&world.cx, caller, request).await;
            assert_eq!(refusal(outcome), "409 email-verification-failed");
            // A reset does not verify.
            let user = store::users::user(&world.cx.db, id).await.unwrap().unwrap();
            assert!(!user.account.unwrap().email_verified);
        }

        // contract: security S36
        async fn a_bad_new_password_leaves_the_token_as_it_is(db: Db) {
            let world = World::with_settings(db, auth::Settings {
                password_min_length: 12,
                marketplace: Some(auth::Marketplace {
                    name: "Engine Market".into(),
                    ..auth::Marketplace::default()
                }),
                ..auth::Settings::default()
            })
            .await;
            world.sign_up("a@x.io").await;
            let token = world.reset_token("a@x.io").await;
            for bad in ["short horse", "EngineMarket2026", "unbelievable"] {
                let outcome = world.reset("a@x.io", &token, bad).await;
                assert_eq!(
                    refusal(outcome),
                    "400 validation-invalid-value [Key(\"newPassword\")]",
                    "{bad}"
                );
            }
            assert!(world.reset("a@x.io", &token, "long enough horse").await.is_ok());
        }
    }
}
