//! The caller changes the own profile.

use super::fields::{merge_refused, patch};
use super::{Cx, standing};
use crate::domain::view;
use crate::error::Error;
use crate::{events, store};
use stoa_policy::{Action, Denied, Resource, require};
use stoa_proto::users as pb;
use stoa_rpc::Caller;

pub(super) async fn update_current_profile(
    cx: &Cx,
    caller: Caller,
    request: pb::UpdateCurrentProfileRequest,
) -> Result<pb::User, Error> {
    let patch = patch(request.patch.unwrap_or_default(), false)?;
    let settings = cx.settings_for(&caller).await?;
    let (caller, patch) = (&caller, &patch);
    let user = cx
        .db
        .write(|tx| async move {
            let user = cx.caller_locked(&tx, caller).await?;
            let standing = standing(caller, settings, user.as_ref());
            require(
                &caller.actor,
                Action::UpdateCurrentProfile,
                &standing,
                &Resource::None,
            )?;
            let user = user.ok_or(Denied::Forbidden)?;
            let next = user.with_profile(patch).map_err(merge_refused)?;
            if next.version != user.version {
                store::users::replace_profile(&tx, &user, &next).await?;
                cx.emit(&tx, caller, events::updated(&user, &next, settings))
                    .await?;
            }
            Ok::<_, Error>(next)
        })
        .await?;
    Ok(view::current(&user, settings))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MIGRATIONS;
    use crate::rpc::harness::*;
    use crate::rpc::{ban, show_current};
    use stoa_db::{Db, accounting};
    use stoa_proto::events::resource;
    use stoa_types::id::UserId;

    async fn update(world: &World, id: UserId, patch: pb::ProfilePatch) -> Result<pb::User, Error> {
        let request = pb::UpdateCurrentProfileRequest { patch: Some(patch) };
        update_current_profile(&world.cx, world.user(id), request).await
    }

    fn first_name(name: &str) -> pb::ProfilePatch {
        pb::ProfilePatch {
            first_name: Some(name.to_owned()),
            ..pb::ProfilePatch::default()
        }
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: users 5
        async fn a_new_first_name_is_announced_with_all_that_follows_from_it(db: Db) {
            let world = World::new(db).await;
            let id = world.sign_up("a@x.io").await;
            let user = update(&world, id, first_name("olli-test")).await.unwrap();
            let profile = user.profile.unwrap();
            assert_eq!(profile.display_name.as_deref(), Some("olli-test F"));
            assert_eq!(profile.abbreviated_name.as_deref(), Some("oF"));
            let (envelope, access, event) = world.last().await;
            assert_eq!(
                (envelope.r#type.as_str(), access.version),
                ("user.updated", 2)
            );
            let event = event.unwrap();
            assert_eq!(event.event_type, "user/updated");
            assert_eq!(
                event.previous_paths,
                [
                    "attributes.profile.firstName",
                    "attributes.profile.displayName",
                    "attributes.profile.abbreviatedName",
                ]
            );
            let Some(resource::Resource::User(old)) = event.previous.unwrap().resource else {
                panic!("a user");
            };
            assert_eq!(old.profile.unwrap().display_name.as_deref(), Some("Olli F"));
        }

        // contract: users 7, users 8
        async fn extended_data_is_merged_and_bounded(db: Db) {
            let world = World::new(db).await;
            let id = world.sign_up("a@x.io").await;
            update(&world, id, public_data(r#"{"a":{"x":1,"y":2},"b":1}"#))
                .await
                .unwrap();
            update(&world, id, public_data(r#"{"a":{"x":9},"b":null,"c":[1]}"#))
                .await
                .unwrap();
            let private = |key: &str, size: usize| pb::ProfilePatch {
                private_data: Some(format!(r#"{{"{key}":"{}"}}"#, "x".repeat(size))),
                ..public_data(r#"{"c":2}"#)
            };
            let refused = "400 validation-invalid-value [Key(\"privateData\")]";
            assert_eq!(
                refusal(update(&world, id, private("a", 60_000)).await),
                refused
            );
            update(&world, id, private("a", 30_000)).await.unwrap();
            let both = pb::ProfilePatch {
                public_data: None,
                ..private("b", 30_000)
            };
            assert_eq!(refusal(update(&world, id, both).await), refused);
            let stored = show_current::show_current(
                &world.cx,
                world.user(id),
                pb::ShowCurrentUserRequest {},
            )
            .await;
            let profile = stored.unwrap().profile.unwrap();
            assert_eq!(
                profile.public_data.as_deref(),
                Some(r#"{"a":{"x":9},"c":2}"#)
            );
            let private = profile.private_data.unwrap();
            assert!(private.len() > 30_000 && !private.contains("\"b\""));
        }

        async fn a_change_that_changes_nothing_is_no_event(db: Db) {
            let world = World::new(db).await;
            let id = world.sign_up("a@x.io").await;
            for patch in [
                first_name("Olli"),
                pb::ProfilePatch::default(),
                public_data(r#"{"a":null}"#),
            ] {
                assert_eq!(update(&world, id, patch).await.unwrap().version, 1);
            }
            assert_eq!(world.envelopes().await.len(), 1);
        }

        // contract: users 11, users 51
        async fn metadata_and_banned_users_are_refused(db: Db) {
            let world = World::new(db).await;
            let id = world.sign_up("a@x.io").await;
            let metadata = pb::ProfilePatch {
                metadata: Some("{}".into()),
                ..pb::ProfilePatch::default()
            };
            let refused = "400 validation-disallowed-key [Key(\"metadata\")]";
            assert_eq!(refusal(update(&world, id, metadata).await), refused);
            ban::ban(&world.cx, world.operator(), command(id))
                .await
                .unwrap();
            assert_eq!(
                refusal(update(&world, id, first_name("X")).await),
                "403 forbidden"
            );
            assert_eq!(
                refusal(update(&world, world.nobody(), first_name("X")).await),
                "403 forbidden"
            );
        }

        async fn an_update_has_a_fixed_number_of_statements(db: Db) {
            let world = World::new(db).await;
            let id = world.sign_up("a@x.io").await;
            let (user, statements) = accounting::scope(update(&world, id, first_name("X"))).await;
            user.unwrap();
            // The row, its next version, envelope, whose data it holds.
            assert_eq!(statements.count, 4);
        }

        async fn updates_at_the_same_time_all_count(db: Db) {
            let world = World::new(db).await;
            let id = world.sign_up("a@x.io").await;
            let patches: Vec<_> = (0..8)
                .map(|n| public_data(&format!(r#"{{"k{n}":1}}"#)))
                .collect();
            let updates = patches.into_iter().map(|patch| update(&world, id, patch));
            let done = futures::future::join_all(updates).await;
            let mut done: Vec<u64> = done.into_iter().map(|user| user.unwrap().version).collect();
            done.sort_unstable();
            assert_eq!(done, (2..=9).collect::<Vec<u64>>());
            let last = world.envelopes().await.pop().unwrap();
            assert_eq!(last.aggregate_version, 9);
        }
    }
}
