//! The caller deletes the own account: trusted token and password.

use super::{Cx, me, standing};
use crate::domain::view;
use crate::error::Error;
use crate::{events, store};
use stoa_policy::{Action, Denied, Resource, require};
use stoa_proto::users as pb;
use stoa_rpc::Caller;

pub(super) async fn delete_current(
    cx: &Cx,
    caller: Caller,
    request: pb::DeleteCurrentUserRequest,
) -> Result<pb::User, Error> {
    let id = me(&caller)?;
    let settings = cx.settings_for(&caller).await?;
    let checked = cx
        .checked_password(
            &caller,
            Action::DeleteCurrentUser,
            settings,
            request.current_password,
        )
        .await?;
    let texts = cx.settings.blanks_texts()?;
    let (caller, checked) = (&caller, checked.hash.as_str());
    let gone = cx
        .db
        .write(|tx| async move {
            let user = store::users::user_locked(&tx, id).await?;
            let standing = standing(caller, settings, user.as_ref());
            require(
                &caller.actor,
                Action::DeleteCurrentUser,
                &standing,
                &Resource::None,
            )?;
            let user = user.ok_or(Denied::Forbidden)?;
            if !store::users::has_password(&tx, id, checked).await? {
                return Err(Error::WrongPassword);
            }
            let gone = user.deleted()?;
            store::erasures::erase(&tx, &gone, cx.clock.now()).await?;
            cx.emit(&tx, caller, events::deleted(&user, &gone, texts))
                .await?;
            Ok(gone)
        })
        .await?;
    cx.erased.notify_one();
    Ok(view::current(&gone, settings))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MIGRATIONS;
    use crate::rpc::harness::*;
    use crate::rpc::{check_password, show_current};
    use stoa_db::{Db, accounting};
    use stoa_proto::events::resource;

    fn with(password: &str) -> pb::DeleteCurrentUserRequest {
        pb::DeleteCurrentUserRequest {
            current_password: password.to_owned(),
        }
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: users 17
        async fn a_wrong_password_or_an_untrusted_token_deletes_nothing(db: Db) {
            let world = World::new(db).await;
            let id = world.sign_up("a@x.io").await;
            let outcome = delete_current(&world.cx, world.trusted(id), with("wrong horse")).await;
            assert_eq!(refusal(outcome), "403 forbidden");
            let outcome = delete_current(&world.cx, world.user(id), with(PASSWORD)).await;
            assert_eq!(refusal(outcome), "403 forbidden");
            assert_eq!(world.envelopes().await.len(), 1);
        }

        // contract: users 35, integration I10
        async fn a_deletion_leaves_a_tombstone_and_one_event_without_the_person(db: Db) {
            let world = World::new(db).await;
            let id = world.sign_up("olli@x.io").await;
            let call = delete_current(&world.cx, world.trusted(id), with(PASSWORD));
            let (gone, statements) = accounting::scope(call).await;
            let expected = pb::User {
                id: id.to_string(),
                view: pb::UserView::Current.into(),
                deleted: true,
                version: 2,
                ..pb::User::default()
            };
            assert_eq!(gone.unwrap(), expected);
            // Read; then row, password, tombstone, addresses, texts and numbers that are searched
            // by, tokens, notices, mails, four notes of what went, erasure, envelope, whose data
            // it holds.
            assert_eq!(statements.count, 17);
            let (envelope, access, event) = world.last().await;
            assert_eq!(envelope.r#type, "user.deleted");
            assert_eq!(
                (access.state.as_str(), access.epoch, access.version),
                ("deleted", 1, 2)
            );
            let event = event.unwrap();
            assert_eq!(
                (event.event_type.as_str(), &event.resource),
                ("user/deleted", &None)
            );
            let Some(resource::Resource::User(old)) = event.previous.unwrap().resource else {
                panic!("a user");
            };
            assert_eq!(
                (old.state.as_deref(), old.email, old.profile),
                (Some("active"), None, Some(pb::Profile::default()))
            );
            let own = show_current::show_current(
                &world.cx,
                world.trusted(id),
                pb::ShowCurrentUserRequest {},
            )
            .await;
            assert_eq!(refusal(own), "401 auth-invalid-access-token");
            let again = delete_current(&world.cx, world.trusted(id), with(PASSWORD)).await;
            assert_eq!(refusal(again), "401 auth-invalid-access-token");
            let login = pb::CheckPasswordRequest {
                email: "olli@x.io".into(),
                password: PASSWORD.into(),
            };
            let login = check_password::check_password(&world.cx, world.system(), login)
                .await
                .unwrap();
            assert_eq!(login.user, None);
        }
    }
}
