//! The caller changes the own password: every other session dies in the same transaction, and the
//! account's address is told.

use super::fields::{Fields, no_name};
use super::{Cx, me, standing};
use crate::domain::view;
use crate::error::Error;
use crate::{events, store};
use stoa_feed::projections::settings::access_of;
use stoa_policy::{Action, Denied, Resource, require};
use stoa_proto::users as pb;
use stoa_rpc::Caller;

pub(super) async fn change_password(
    cx: &Cx,
    caller: Caller,
    request: pb::ChangePasswordRequest,
) -> Result<pb::User, Error> {
    let id = me(&caller)?;
    let all_settings = cx.all_settings_for(&caller).await?;
    let settings = access_of(&all_settings);
    let mut fields = Fields::of_body();
    let password = fields.new_password("newPassword", request.new_password, &all_settings);
    let password = fields.finish_with(password)?;
    let checked = cx
        .checked_password(
            &caller,
            Action::ChangePassword,
            settings,
            request.current_password,
        )
        .await?;
    let account = checked.user.account.as_ref();
    let password = no_name("newPassword", password, account, &all_settings)?;
    let hash = cx.passwords.hash(password.into_text()).await?;
    let (caller, checked, hash) = (&caller, checked.hash.as_str(), hash.as_str());
    let user = cx
        .db
        .write(|tx| async move {
            let user = store::users::user_locked(&tx, id).await?;
            let standing = standing(caller, settings, user.as_ref());
            require(
                &caller.actor,
                Action::ChangePassword,
                &standing,
                &Resource::None,
            )?;
            let user = user.ok_or(Denied::Forbidden)?;
            if !store::users::replace_password(&tx, id, checked, hash).await? {
                // Somebody changed it in the meantime: what was checked is not the password.
                return Err(Error::WrongPassword);
            }
            let next = user.with_new_password(caller.actor.session);
            store::users::replace(&tx, &next).await?;
            cx.emit(&tx, caller, events::epoch_raised(&user, &next, settings))
                .await?;
            cx.post(&tx).password_changed(&next, false).await?;
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
    use crate::rpc::{check_password, show_current};
    use stoa_db::{Db, accounting};

    fn from_to(current: &str, new: &str) -> pb::ChangePasswordRequest {
        pb::ChangePasswordRequest {
            current_password: current.to_owned(),
            new_password: new.to_owned(),
        }
    }

    async fn logs_in(world: &World, password: &str) -> bool {
        let request = pb::CheckPasswordRequest {
            email: "a@x.io".into(),
            password: password.to_owned(),
        };
        let answer = check_password::check_password(&world.cx, world.system(), request).await;
        answer.unwrap().user.is_some()
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: security 2.6
        async fn a_new_password_ends_every_session_but_the_callers(db: Db) {
            let world = World::new(db).await;
            let id = world.sign_up("a@x.io").await;
            let call = change_password(&world.cx, world.user(id), from_to(PASSWORD, " new horse "));
            let (user, statements) = accounting::scope(call).await;
            assert_eq!(user.unwrap().version, 2);
            // Read; then row, password, next version, envelope, mail.
            assert_eq!(statements.count, 6);
            assert!(logs_in(&world, " new horse ").await);
            assert!(!logs_in(&world, "new horse").await && !logs_in(&world, PASSWORD).await);
            let (envelope, access, event) = world.last().await;
            assert_eq!(
                (envelope.r#type.as_str(), event),
                ("user.epoch-raised", None)
            );
            assert_eq!(
                (access.epoch, access.except_sid),
                (1, Some(session(1).to_string()))
            );
            let mut elsewhere = world.user(id);
            elsewhere.actor.session = Some(session(2));
            let empty = pb::ShowCurrentUserRequest {};
            let dead = show_current::show_current(&world.cx, elsewhere.clone(), empty).await;
            assert_eq!(refusal(dead), "401 auth-invalid-access-token");
            let dead =
                change_password(&world.cx, elsewhere, from_to(" new horse ", PASSWORD)).await;
            assert_eq!(refusal(dead), "401 auth-invalid-access-token");
            assert!(
                show_current::show_current(&world.cx, world.user(id), empty)
                    .await
                    .is_ok()
            );
        }

        // contract: users 17
        async fn a_wrong_or_bad_password_changes_nothing(db: Db) {
            let world = World::new(db).await;
            let id = world.sign_up("a@x.io").await;
            let outcome = change_password(
                &world.cx,
                world.user(id),
                from_to("wrong horse", "new horse"),
            )
            .await;
            assert_eq!(refusal(outcome), "403 forbidden");
            let outcome =
                change_password(&world.cx, world.user(id), from_to(PASSWORD, "short")).await;
            assert_eq!(
                refusal(outcome),
                "400 validation-invalid-value [Key(\"newPassword\")]"
            );
            assert!(logs_in(&world, PASSWORD).await);
            assert_eq!(world.envelopes().await.len(), 1);
        }

        async fn of_two_changes_at_once_the_second_finds_its_password_wrong(db: Db) {
            let world = World::new(db).await;
            let id = world.sign_up("a@x.io").await;
            let (one, two) = tokio::join!(
                change_password(&world.cx, world.user(id), from_to(PASSWORD, "one horse")),
                change_password(&world.cx, world.user(id), from_to(PASSWORD, "two horses")),
            );
            let (won, lost, new) = if one.is_ok() {
                (one, two, "one horse")
            } else {
                (two, one, "two horses")
            };
            assert_eq!(
                (won.unwrap().version, refusal(lost)),
                (2, "403 forbidden".to_owned())
            );
            assert!(logs_in(&world, new).await);
        }
    }
}
