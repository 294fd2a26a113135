//! An integration or operator allows or denies a user what the marketplace asks a permission for.

use super::fields::user_id;
use super::{Cx, standing};
use crate::domain::user::{PermissionsPatch, User};
use crate::domain::view;
use crate::error::Error;
use crate::{events, store};
use stoa_policy::{Action, Resource, UserState, require};
use stoa_proto::users as pb;
use stoa_rpc::Caller;
use stoa_types::SourceKind;

pub(super) async fn update_permissions(
    cx: &Cx,
    caller: Caller,
    request: pb::UpdateUserPermissionsRequest,
) -> Result<pb::User, Error> {
    let id = user_id(SourceKind::Body, &request.id)?;
    let patch = PermissionsPatch {
        post_listings: request.post_listings,
        initiate_transactions: request.initiate_transactions,
        read: request.read,
    };
    let settings = cx.settings_for(&caller).await?;
    let (caller, reason) = (&caller, &request.reason);
    let user = cx
        .db
        .write(|tx| async move {
            let user = store::users::user_locked(&tx, id).await?;
            let user = user.filter(|user| user.state() != UserState::Deleted);
            let resource = user.as_ref().map_or(Resource::None, User::resource);
            let standing = standing(caller, settings, None);
            let action = Action::UpdateUserPermissions;
            require(&caller.actor, action, &standing, &resource)?;
            let user = user.ok_or(Error::UserNotFound)?;
            let next = user.with_permissions(patch);
            if next.version != user.version {
                store::users::replace(&tx, &next).await?;
                let told = events::updated(&user, &next, settings).reason(reason.clone());
                cx.emit(&tx, caller, told).await?;
                cx.post(&tx).permissions_changed(&user, &next).await?;
            } else {
                cx.note(&tx, caller, id, reason.clone()).await?;
            }
            Ok::<_, Error>(next)
        })
        .await?;
    cx.mail_queued();
    Ok(view::full(&user, settings))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MIGRATIONS;
    use crate::rpc::ban;
    use crate::rpc::harness::*;
    use stoa_db::Db;
    use stoa_proto::auth;
    use stoa_types::id::UserId;

    fn deny_initiating(id: UserId) -> pb::UpdateUserPermissionsRequest {
        pb::UpdateUserPermissionsRequest {
            id: id.to_string(),
            initiate_transactions: Some(false),
            ..pb::UpdateUserPermissionsRequest::default()
        }
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: users 30
        async fn given_permissions_change_and_the_log_has_all_three_as_they_were(db: Db) {
            let control = auth::AccessControl {
                require_permission_to_post_listings: true,
                ..auth::AccessControl::default()
            };
            let world = World::asking(db, control).await;
            let id = world.sign_up("a@x.io").await;
            let caller = world.integration();
            let user = update_permissions(&world.cx, caller, deny_initiating(id)).await.unwrap();
            let stored = user.permissions.unwrap();
            assert!(!stored.post_listings && !stored.initiate_transactions && stored.read);
            // The marketplace does not ask for this one.
            assert!(user.effective_permissions.unwrap().initiate_transactions);
            let (envelope, access, event) = world.last().await;
            assert_eq!((envelope.r#type.as_str(), access.version), ("user.updated", 2));
            assert_eq!(access.permissions, Some(stored));
            let event = event.unwrap();
            assert_eq!(event.previous_paths, ["attributes.permissions"]);
            let previous = previous_user(&event).permissions.unwrap();
            assert!(!previous.post_listings && previous.initiate_transactions && previous.read);
        }

        // contract: users 30
        async fn a_change_is_mailed_with_what_changed_and_nothing_else(db: Db) {
            let world = World::new(db).await;
            let id = world.verified("a@x.io").await;
            world.mails().await;
            for _ in 0..2 {
                update_permissions(&world.cx, world.integration(), deny_initiating(id))
                    .await
                    .unwrap();
            }
            let mail = world.mail_to("a@x.io").await;
            let says = |text: &str| mail.text.contains(text);
            assert!(says("no longer start transactions"), "{mail:?}");
            assert!(!says("publish listings") && !says("see the listings"), "{mail:?}");
            let other = world.sign_up("b@x.io").await;
            world.mails().await;
            update_permissions(&world.cx, world.operator(), deny_initiating(other))
                .await
                .unwrap();
            assert!(world.mails().await.is_empty(), "the address is not verified");
        }

        async fn the_same_permissions_again_change_nothing(db: Db) {
            let world = World::new(db).await;
            let id = world.sign_up("a@x.io").await;
            for _ in 0..2 {
                update_permissions(&world.cx, world.operator(), deny_initiating(id)).await.unwrap();
            }
            let none = pb::UpdateUserPermissionsRequest {
                id: id.to_string(),
                ..pb::UpdateUserPermissionsRequest::default()
            };
            let user = update_permissions(&world.cx, world.operator(), none).await.unwrap();
            assert_eq!(user.version, 2);
            // What changed nothing is told to the audit log alone.
            let told = world.envelopes().await;
            let told: Vec<_> = told.iter().map(|envelope| envelope.r#type.as_str()).collect();
            let expected = ["user.created", "user.updated", "audit.recorded", "audit.recorded"];
            assert_eq!(told, expected);
            // A ban changes nothing about what is stored for the time after it.
            ban::ban(&world.cx, world.operator(), command(id)).await.unwrap();
            let allow = pb::UpdateUserPermissionsRequest {
                initiate_transactions: Some(true),
                ..deny_initiating(id)
            };
            let user = update_permissions(&world.cx, world.operator(), allow).await.unwrap();
            assert!(user.permissions.unwrap().initiate_transactions);
            assert!(!user.effective_permissions.unwrap().initiate_transactions);
        }

        async fn only_those_who_act_for_the_marketplace_may(db: Db) {
            let world = World::new(db).await;
            let (id, gone) = (world.sign_up("a@x.io").await, world.sign_up("b@x.io").await);
            world.delete(gone).await;
            for caller in [world.trusted(id), world.user(id), world.anonymous()] {
                let outcome = update_permissions(&world.cx, caller, deny_initiating(id)).await;
                assert_eq!(refusal(outcome), "403 forbidden");
            }
            for id in [gone, world.nobody()] {
                let caller = world.operator();
                let outcome = update_permissions(&world.cx, caller, deny_initiating(id)).await;
                assert_eq!(refusal(outcome), "409 user-not-found");
            }
        }
    }
}
