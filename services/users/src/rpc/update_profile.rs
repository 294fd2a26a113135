//! An integration or operator changes anyone's profile, metadata included.

use super::fields::{merge_refused, patch, user_id};
use super::{Cx, standing};
use crate::domain::user::User;
use crate::domain::view;
use crate::error::Error;
use crate::{events, store};
use stoa_policy::{Action, Resource, UserState, require};
use stoa_proto::users as pb;
use stoa_rpc::Caller;
use stoa_types::SourceKind;

pub(super) async fn update_profile(
    cx: &Cx,
    caller: Caller,
    request: pb::UpdateUserProfileRequest,
) -> Result<pb::User, Error> {
    let id = user_id(SourceKind::Body, &request.id)?;
    let patch = patch(request.patch.unwrap_or_default(), true)?;
    let settings = cx.settings_for(&caller).await?;
    let (caller, patch, reason) = (&caller, &patch, &request.reason);
    let user = cx
        .db
        .write(|tx| async move {
            let user = store::users::user_locked(&tx, id).await?;
            let user = user.filter(|user| user.state() != UserState::Deleted);
            let resource = user.as_ref().map_or(Resource::None, User::resource);
            let standing = standing(caller, settings, None);
            require(
                &caller.actor,
                Action::UpdateUserProfile,
                &standing,
                &resource,
            )?;
            let user = user.ok_or(Error::UserNotFound)?;
            let next = user.with_profile(patch).map_err(merge_refused)?;
            if next.version != user.version {
                store::users::replace_profile(&tx, &user, &next).await?;
                let told = events::updated(&user, &next, settings).reason(reason.clone());
                cx.emit(&tx, caller, told).await?;
            } else {
                cx.note(&tx, caller, id, reason.clone()).await?;
            }
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
    use crate::rpc::{delete, show_current};
    use stoa_db::Db;
    use stoa_types::id::UserId;

    fn metadata(id: UserId, json: &str) -> pb::UpdateUserProfileRequest {
        pb::UpdateUserProfileRequest {
            id: id.to_string(),
            patch: Some(pb::ProfilePatch {
                metadata: Some(json.to_owned()),
                ..pb::ProfilePatch::default()
            }),
            reason: None,
        }
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: users 11, integration I8
        async fn an_integration_sets_metadata_that_the_user_sees(db: Db) {
            let world = World::new(db).await;
            let id = world.sign_up("a@x.io").await;
            let user = update_profile(&world.cx, world.integration(), metadata(id, r#"{"x":1}"#))
                .await
                .unwrap();
            assert_eq!(user.view(), pb::UserView::Full);
            let (_, _, event) = world.last().await;
            let event = event.unwrap();
            assert_eq!(event.source, "source/integration-api");
            assert_eq!(event.previous_paths, ["attributes.profile.metadata"]);
            let own = show_current::show_current(
                &world.cx,
                world.user(id),
                pb::ShowCurrentUserRequest {},
            )
            .await
            .unwrap();
            assert_eq!(own.profile.unwrap().metadata.as_deref(), Some(r#"{"x":1}"#));
        }

        async fn an_unknown_or_deleted_user_is_a_conflict(db: Db) {
            let world = World::new(db).await;
            let id = world.sign_up("a@x.io").await;
            delete::delete(&world.cx, world.operator(), command(id))
                .await
                .unwrap();
            for id in [id, world.nobody()] {
                for caller in [world.integration(), world.operator()] {
                    let outcome = update_profile(&world.cx, caller, metadata(id, "{}")).await;
                    assert_eq!(refusal(outcome), "409 user-not-found");
                }
            }
            let outcome = update_profile(&world.cx, world.user(id), metadata(id, "{}")).await;
            assert_eq!(refusal(outcome), "403 forbidden");
            let mut bad = metadata(id, "{}");
            bad.id = "x".into();
            let outcome = update_profile(&world.cx, world.integration(), bad).await;
            assert_eq!(
                refusal(outcome),
                "400 validation-invalid-value [Key(\"id\")]"
            );
        }
    }
}
