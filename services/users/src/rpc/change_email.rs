//! The caller asks for another e-mail address. A verified one stays until the new one is verified,
//! and is told; one that was never verified gives way at once.

use super::fields::Fields;
use super::{Checked, Cx, me, standing};
use crate::domain::user::EmailChange;
use crate::domain::view;
use crate::error::Error;
use crate::store;
use stoa_policy::{Action, Denied, Resource, require};
use stoa_proto::users as pb;
use stoa_rpc::Caller;

pub(super) async fn change_email(
    cx: &Cx,
    caller: Caller,
    request: pb::ChangeEmailRequest,
) -> Result<pb::User, Error> {
    let id = me(&caller)?;
    let mut fields = Fields::of_body();
    let email = fields.email(&request.email);
    let email = fields.finish_with(email)?;
    let settings = cx.settings_for(&caller).await?;
    let Checked { hash, .. } = cx
        .checked_password(
            &caller,
            Action::ChangeEmail,
            settings,
            request.current_password,
        )
        .await?;
    let (caller, checked, email) = (&caller, hash.as_str(), &email);
    let user = cx
        .db
        .write(|tx| async move {
            let user = store::users::user_locked(&tx, id).await?;
            let standing = standing(caller, settings, user.as_ref());
            require(
                &caller.actor,
                Action::ChangeEmail,
                &standing,
                &Resource::None,
            )?;
            let user = user.ok_or(Denied::Forbidden)?;
            if !store::users::has_password(&tx, id, checked).await? {
                return Err(Error::WrongPassword);
            }
            let (next, is_free) = match user.with_email(email) {
                EmailChange::Kept(next) => {
                    store::addresses::free_pending(&tx, id).await?;
                    cx.update(&tx, caller, &user, &next, settings).await?;
                    return Ok(next);
                }
                EmailChange::Waits(next) => {
                    let free = store::addresses::replace_pending(&tx, email.key(), id).await?;
                    (next, free)
                }
                EmailChange::Replaced(next) => {
                    let free = store::addresses::replace_primary(&tx, email.key(), id).await?;
                    (next, free)
                }
            };
            if !is_free {
                return Err(Error::EmailTaken);
            }
            cx.update(&tx, caller, &user, &next, settings).await?;
            let post = cx.post(&tx);
            if !post.verify_changed(id, email.key()).await? {
                return Err(Error::TooManyVerificationRequests);
            }
            if let Some(old) = user.account.filter(|account| account.email_verified) {
                post.address_changes(id, &old.email).await?;
            }
            Ok(next)
        })
        .await?;
    cx.mail_queued();
    Ok(view::current(&user, settings))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MIGRATIONS;
    use crate::rpc::harness::*;
    use stoa_db::{Db, accounting};
    use stoa_policy::Level;

    fn to(email: &str) -> pb::ChangeEmailRequest {
        pb::ChangeEmailRequest {
            current_password: PASSWORD.to_owned(),
            email: email.to_owned(),
        }
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: users 14, users 15, security S43
        async fn a_verified_address_stays_until_the_new_one_is_verified(db: Db) {
            let world = World::new(db).await;
            let id = world.verified("old@x.io").await;
            world.mails().await;
            let call = change_email(&world.cx, world.user(id), to("New@x.io"));
            let (user, statements) = accounting::scope(call).await;
            let user = user.unwrap();
            assert_eq!(user.email.as_deref(), Some("old@x.io"));
            assert_eq!((user.pending_email.as_deref(), user.email_verified), (Some("New@x.io"), true));
            // Read; then row, password, address given back and taken, next version, envelope, whose
            // data it holds, token, mail, notice, mail.
            assert_eq!(statements.count, 12);
            let (envelope, _, event) = world.last().await;
            assert_eq!(envelope.r#type, "user.updated");
            let event = event.unwrap();
            assert_eq!(event.event_type, "user/updated");
            assert_eq!(event.previous_paths, ["attributes.pendingEmail"]);
            assert!(world.logs_in("old@x.io", PASSWORD).await);
            assert!(!world.logs_in("new@x.io", PASSWORD).await);

            let mails = world.mails().await;
            assert_eq!(mails.len(), 2);
            let notice = mails.iter().find(|mail| mail.to == "old@x.io").unwrap();
            assert!(notice.subject.contains("about to change") && notice.token().is_none());
            let proof = mails.iter().find(|mail| mail.to == "New@x.io").unwrap();
            let verified = world.verify(id, &proof.token().unwrap()).await.unwrap();
            assert_eq!(verified.email.as_deref(), Some("New@x.io"));
            assert_eq!((verified.pending_email, verified.email_verified), (None, true));
            let (_, _, event) = world.last().await;
            assert_eq!(
                event.unwrap().previous_paths,
                ["attributes.email", "attributes.pendingEmail"]
            );
            assert!(world.logs_in("new@x.io", PASSWORD).await);
            assert!(!world.logs_in("old@x.io", PASSWORD).await);
            // Nothing goes to the old address, which is free, and nobody joins a second time.
            assert_eq!(world.mails().await.len(), 0);
            world.sign_up("old@x.io").await;
        }

        // contract: users 16
        async fn an_unverified_address_gives_way_at_once(db: Db) {
            let world = World::new(db).await;
            let id = world.sign_up("old@x.io").await;
            let first = world.mails().await.pop().unwrap();
            let user = change_email(&world.cx, world.user(id), to("new@x.io")).await.unwrap();
            assert_eq!(user.email.as_deref(), Some("new@x.io"));
            assert_eq!((user.pending_email, user.email_verified), (None, false));
            let mails = world.mails().await;
            let to: Vec<&str> = mails.iter().map(|mail| mail.to.as_str()).collect();
            assert_eq!(to, ["new@x.io"]);
            // The token for the address that is gone proves nothing.
            let outcome = world.verify(id, &first.token().unwrap()).await;
            assert_eq!(refusal(outcome), "409 email-verification-failed");
            world.sign_up("old@x.io").await;
            let user = world.verify(id, &mails[0].token().unwrap()).await.unwrap();
            assert!(user.email_verified);
        }

        // contract: users 17, users 18, users 50
        async fn a_wrong_password_or_a_taken_or_bad_address_changes_nothing(db: Db) {
            let world = World::new(db).await;
            let (id, other) = (world.verified("a@x.io").await, world.verified("b@x.io").await);
            change_email(&world.cx, world.user(other), to("waiting@x.io")).await.unwrap();
            world.mails().await;
            let events = world.envelopes().await.len();
            let wrong = pb::ChangeEmailRequest {
                current_password: "wrong horse".into(),
                ..to("new@x.io")
            };
            let outcome = change_email(&world.cx, world.user(id), wrong).await;
            assert_eq!(refusal(outcome), "403 forbidden");
            // Primary and pending addresses of others, in any case.
            for taken in ["B@x.io", "waiting@X.io"] {
                let outcome = change_email(&world.cx, world.user(id), to(taken)).await;
                assert_eq!(refusal(outcome), "409 email-taken");
            }
            let outcome = change_email(&world.cx, world.user(id), to("no-at-sign")).await;
            assert_eq!(refusal(outcome), "400 validation-invalid-value [Key(\"email\")]");
            let limited = world.caller(stoa_policy::Actor::user(
                Level::LimitedUser, id, client(), session(1),
            ));
            let outcome = change_email(&world.cx, limited, to("new@x.io")).await;
            assert_eq!(refusal(outcome), "403 forbidden");
            assert_eq!(world.envelopes().await.len(), events);
            assert_eq!(world.mails().await.len(), 0);
            // What the other one waits for cannot be had by a sign-up either.
            let outcome = world.create(create_request("waiting@x.io")).await;
            assert_eq!(refusal(outcome), "409 email-taken");
        }

        async fn a_second_change_frees_the_first_and_the_own_address_ends_both(db: Db) {
            let world = World::new(db).await;
            let id = world.verified("a@x.io").await;
            change_email(&world.cx, world.user(id), to("one@x.io")).await.unwrap();
            let one = world.mail_to("one@x.io").await.token().unwrap();
            let user = change_email(&world.cx, world.user(id), to("two@x.io")).await.unwrap();
            assert_eq!(user.pending_email.as_deref(), Some("two@x.io"));
            let two = world.mail_to("two@x.io").await.token().unwrap();
            let outcome = world.verify(id, &one).await;
            assert_eq!(refusal(outcome), "409 email-verification-failed");
            world.sign_up("one@x.io").await;
            world.mails().await;
            let user = change_email(&world.cx, world.user(id), to("A@x.io")).await.unwrap();
            assert_eq!((user.email.as_deref(), user.pending_email), (Some("a@x.io"), None));
            let outcome = world.verify(id, &two).await;
            assert_eq!(refusal(outcome), "409 email-verification-failed");
            assert_eq!(world.mails().await.len(), 0);
            world.sign_up("two@x.io").await;
        }

        // contract: security S54 (an address that did not ask)
        async fn nobody_is_flooded_by_changes_to_and_fro(db: Db) {
            let world = World::new(db).await;
            let id = world.sign_up("a@x.io").await;
            world.mails().await;
            let mut to_victim = 0;
            for round in 0..8 {
                let outcome = change_email(&world.cx, world.user(id), to("victim@x.io")).await;
                if round < 5 {
                    outcome.unwrap();
                } else {
                    assert_eq!(refusal(outcome), "429 email-too-many-verification-requests");
                }
                let mails = world.mails().await;
                to_victim += mails.iter().filter(|mail| mail.to == "victim@x.io").count();
                let away = format!("a{round}@x.io");
                change_email(&world.cx, world.user(id), to(&away)).await.unwrap();
            }
            assert_eq!(to_victim, 5);
            // Two days later the address may be asked again.
            world.clock.advance_ms(48 * 60 * 60 * 1000);
            change_email(&world.cx, world.user(id), to("victim@x.io")).await.unwrap();
            world.mail_to("victim@x.io").await;
        }

        // contract: security S40 (a race for one address)
        async fn of_two_who_want_one_address_one_gets_it(db: Db) {
            let world = World::new(db).await;
            let (one, two) = (world.verified("a@x.io").await, world.sign_up("b@x.io").await);
            let (first, second) = tokio::join!(
                change_email(&world.cx, world.user(one), to("same@x.io")),
                change_email(&world.cx, world.user(two), to("SAME@x.io")),
            );
            let outcomes = [first, second];
            assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
            for lost in outcomes.into_iter().filter(Result::is_err) {
                assert_eq!(refusal(lost), "409 email-taken");
            }
        }
    }
}
