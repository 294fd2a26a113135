//! An operator ends every session of a user: the epoch is raised, so every token of before is dead,
//! and an address that waits to be verified is given up with them.

use super::fields::user_id;
use super::{Cx, standing};
use crate::domain::user::{LifeError, User};
use crate::domain::view;
use crate::error::Error;
use crate::{events, store};
use stoa_policy::{Action, Resource, UserState, require};
use stoa_proto::users as pb;
use stoa_rpc::Caller;
use stoa_types::SourceKind;

pub(super) async fn revoke_sessions(
    cx: &Cx,
    caller: Caller,
    request: pb::UserCommandRequest,
) -> Result<pb::User, Error> {
    let id = user_id(SourceKind::Body, &request.id)?;
    let settings = cx.settings_for(&caller).await?;
    let (caller, reason) = (&caller, &request.reason);
    let user = cx
        .db
        .write(|tx| async move {
            let user = store::users::user_locked(&tx, id).await?;
            let resource = user.as_ref().map_or(Resource::None, User::resource);
            let standing = standing(caller, settings, None);
            let action = Action::RevokeUserSessions;
            require(&caller.actor, action, &standing, &resource)?;
            let user = user.ok_or(Error::UserNotFound)?;
            if user.state() == UserState::Deleted {
                return Err(LifeError::Deleted.into());
            }
            let next = user.with_sessions_revoked();
            store::users::replace(&tx, &next).await?;
            store::addresses::free_pending(&tx, id).await?;
            let told = events::epoch_raised(&user, &next, settings).reason(reason.clone());
            cx.emit(&tx, caller, told).await?;
            Ok::<_, Error>(next)
        })
        .await?;
    Ok(view::full(&user, settings))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MIGRATIONS;
    use crate::rpc::harness::*;
    use crate::rpc::show_current;
    use stoa_db::{Db, accounting};

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: security 2.6
        async fn every_session_dies_and_the_public_log_is_not_told(db: Db) {
            let world = World::new(db).await;
            let id = world.sign_up("a@x.io").await;
            let call = revoke_sessions(&world.cx, world.operator(), command(id));
            let (user, statements) = accounting::scope(call).await;
            assert_eq!(user.unwrap().version, 2);
            // Row, next version, pending address, envelope, and whom it is about.
            assert_eq!(statements.count, 5);
            let (envelope, access, event) = world.last().await;
            assert_eq!((envelope.r#type.as_str(), event), ("user.epoch-raised", None));
            assert_eq!((access.epoch, access.except_sid), (1, None));
            let empty = pb::ShowCurrentUserRequest {};
            let dead = show_current::show_current(&world.cx, world.user(id), empty).await;
            assert_eq!(refusal(dead), "401 auth-invalid-access-token");
        }

        async fn an_address_that_waits_to_be_verified_is_given_up_and_free(db: Db) {
            let world = World::new(db).await;
            let id = world.sign_up("a@x.io").await;
            world.await_verification(id, "new@x.io").await;
            let taken = world.create(create_request("NEW@x.io")).await;
            assert_eq!(refusal(taken), "409 email-taken");
            let user = revoke_sessions(&world.cx, world.operator(), command(id)).await.unwrap();
            assert_eq!(
                (user.email.as_deref(), user.pending_email),
                (Some("a@x.io"), None)
            );
            let event = world.last().await.2.unwrap();
            assert_eq!(event.previous_paths, ["attributes.pendingEmail"]);
            let previous = previous_user(&event);
            assert_eq!(previous.pending_email.as_deref(), Some("new@x.io"));
            world.sign_up("new@x.io").await;
        }

        async fn only_operators_may_and_only_for_who_is_there(db: Db) {
            let world = World::new(db).await;
            let (id, gone) = (world.sign_up("a@x.io").await, world.sign_up("b@x.io").await);
            world.delete(gone).await;
            for caller in [world.integration(), world.trusted(id), world.anonymous()] {
                let outcome = revoke_sessions(&world.cx, caller, command(id)).await;
                assert_eq!(refusal(outcome), "403 forbidden");
            }
            for (id, code) in [
                (gone, "409 user-deleted"),
                (world.nobody(), "409 user-not-found"),
            ] {
                let outcome = revoke_sessions(&world.cx, world.operator(), command(id)).await;
                assert_eq!(refusal(outcome), code);
            }
        }
    }
}
