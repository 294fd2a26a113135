//! Somebody asks for a new password: a token goes to the stored address.
//!
//! An unknown address is told so, as the public API does. Where the marketplace is strict it is
//! answered like a known one and after the same work: a token and a mail of nobody are written,
//! which the sending job drops.

use super::fields::Fields;
use super::{Cx, standing};
use crate::error::Error;
use crate::store;
use stoa_feed::projections::settings::access_of;
use stoa_policy::{Action, Resource, UserState, require};
use stoa_proto::users as pb;
use stoa_rpc::Caller;
use stoa_types::id::UserId;

pub(super) async fn request_password_reset(
    cx: &Cx,
    caller: Caller,
    request: pb::RequestPasswordResetRequest,
) -> Result<pb::PasswordReset, Error> {
    let mut fields = Fields::of_body();
    let email = fields.email(&request.email);
    let email = fields.finish_with(email)?;
    let all_settings = cx.all_settings_for(&caller).await?;
    let settings = access_of(&all_settings);
    let found = store::users::by_email(&cx.db, email.key()).await?;
    if found.is_none() && !all_settings.password_reset_strict {
        return Err(Error::EmailNotFound);
    }
    let id = found.map_or_else(|| UserId::random(&*cx.entropy), |user| user.id);
    let (caller, email) = (&caller, &email);
    cx.db
        .write(|tx| async move {
            let actor = cx.caller_locked(&tx, caller).await?;
            let standing = standing(caller, settings, actor.as_ref());
            require(
                &caller.actor,
                Action::RequestPasswordReset,
                &standing,
                &Resource::None,
            )?;
            let user = store::users::user_locked(&tx, id).await?;
            // Deleted in the meantime, it is nobody's address any more.
            let user = user.filter(|user| user.state() != UserState::Deleted);
            let epoch = user.map_or(0, |user| user.access.epoch);
            cx.post(&tx).reset(id, email.key(), epoch).await?;
            Ok::<_, Error>(())
        })
        .await?;
    cx.mail_queued();
    Ok(pb::PasswordReset {
        id: cx.entropy.uuid().to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MIGRATIONS;
    use crate::rpc::ban;
    use crate::rpc::harness::*;
    use stoa_db::{Db, accounting};
    use stoa_proto::auth;

    async fn ask(world: &World, email: &str) -> Result<pb::PasswordReset, Error> {
        let request = pb::RequestPasswordResetRequest {
            email: email.to_owned(),
        };
        request_password_reset(&world.cx, world.anonymous(), request).await
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: users 20, security S40
        async fn a_known_address_gets_one_mail_and_the_answer_no_token(db: Db) {
            let world = World::new(db).await;
            world.sign_up("Olli@x.io").await;
            world.mails().await;
            let (answer, statements) = accounting::scope(ask(&world, " olli@X.io ")).await;
            // Read; then row, token, mail.
            assert_eq!(statements.count, 4);
            let mails = world.mails().await;
            assert_eq!(mails.len(), 1);
            // The stored address, not the one that was typed.
            assert_eq!(mails[0].to, "Olli@x.io");
            let token = mails[0].token().unwrap();
            assert!(token.starts_with("spr_") && !format!("{answer:?}").contains(&token));
            assert!(mails[0].text.contains("e=Olli%40x.io"), "{}", mails[0].text);
            for unknown in ["nobody@x.io", "\u{131}@x.io"] {
                let outcome = ask(&world, unknown).await;
                assert_eq!(refusal(outcome), "409 email-not-found");
            }
            let outcome = ask(&world, "no-at-sign").await;
            assert_eq!(refusal(outcome), "400 validation-invalid-value [Key(\"email\")]");
            assert_eq!(world.mails().await.len(), 0);
            assert_eq!(world.envelopes().await.len(), 1, "no event");
        }

        // contract: users 5.3 (primary addresses only)
        async fn an_address_that_waits_is_not_known(db: Db) {
            let world = World::new(db).await;
            let id = world.verified("a@x.io").await;
            world.change_email(id, "new@x.io").await.unwrap();
            assert_eq!(refusal(ask(&world, "new@x.io").await), "409 email-not-found");
        }

        // contract: security S37 (strict mode)
        async fn a_strict_marketplace_answers_everyone_alike_and_after_the_same_work(db: Db) {
            let world = World::with_settings(db, auth::Settings {
                password_reset_strict: true,
                ..auth::Settings::default()
            })
            .await;
            world.sign_up("a@x.io").await;
            world.mails().await;
            for _ in 0..7 {
                let (known, one) = accounting::scope(ask(&world, "a@x.io")).await;
                let (unknown, other) = accounting::scope(ask(&world, "nobody@x.io")).await;
                assert_eq!(known.unwrap().id.len(), unknown.unwrap().id.len());
                assert_eq!(one.count, other.count);
            }
            let mails = world.mails().await;
            assert_eq!(mails.len(), 5);
            assert!(mails.iter().all(|mail| mail.to == "a@x.io"));
        }

        // contract: security S39, S54
        async fn an_address_gets_five_mails_an_hour_and_each_of_them_works(db: Db) {
            let world = World::new(db).await;
            world.sign_up("a@x.io").await;
            world.mails().await;
            for _ in 0..7 {
                ask(&world, "a@x.io").await.unwrap();
            }
            let mails = world.mails().await;
            assert_eq!(mails.len(), 5);
            world.reset("a@x.io", &mails[0].token().unwrap(), "first horse").await.unwrap();
            assert!(world.logs_in("a@x.io", "first horse").await);
        }

        // contract: users 5.3
        async fn a_banned_user_gets_the_mail_and_stays_banned(db: Db) {
            let world = World::new(db).await;
            let id = world.sign_up("a@x.io").await;
            ban::ban(&world.cx, world.operator(), command(id)).await.unwrap();
            let token = world.reset_token("a@x.io").await;
            world.reset("a@x.io", &token, "other horse").await.unwrap();
            let (_, access, _) = world.last().await;
            assert_eq!((access.state.as_str(), access.epoch), ("banned", 1));
            assert_eq!(world.mails().await.len(), 0);
        }
    }
}
