//! An operator bans a user. What follows elsewhere (sessions, listings) follows the event.

use super::fields::user_id;
use super::{Cx, standing};
use crate::domain::user::User;
use crate::domain::view;
use crate::error::Error;
use crate::{events, store};
use stoa_policy::{Action, Resource, require};
use stoa_proto::users as pb;
use stoa_rpc::Caller;
use stoa_types::SourceKind;

pub(super) async fn ban(
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
            require(&caller.actor, Action::BanUser, &standing, &resource)?;
            let user = user.ok_or(Error::UserNotFound)?;
            let banned = user.banned()?;
            store::users::replace(&tx, &banned).await?;
            cx.emit(
                &tx,
                caller,
                events::banned(&user, &banned, settings).reason(reason.clone()),
            )
            .await?;
            Ok::<_, Error>(banned)
        })
        .await?;
    Ok(view::full(&user, settings))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MIGRATIONS;
    use crate::rpc::harness::*;
    use crate::rpc::{delete, unban};
    use stoa_db::{Db, accounting};
    use stoa_policy::{Actor, Role};
    use stoa_types::id::OperatorId;

    stoa_testkit::on_every_engine! { MIGRATIONS;
        async fn a_ban_and_its_end_are_announced_once_each(db: Db) {
            let world = World::new(db).await;
            let id = world.sign_up("a@x.io").await;
            let refused = unban::unban(&world.cx, world.operator(), command(id)).await;
            assert_eq!(refusal(refused), "409 user-not-banned");

            let (user, statements) =
                accounting::scope(ban(&world.cx, world.operator(), command(id))).await;
            assert_eq!(user.unwrap().state.as_deref(), Some("banned"));
            assert_eq!(statements.count, 4);
            let (envelope, access, event) = world.last().await;
            assert_eq!(envelope.r#type, "user.banned");
            assert_eq!(
                (access.state.as_str(), access.version, access.epoch),
                ("banned", 2, 0)
            );
            let event = event.unwrap();
            assert_eq!(
                (event.event_type.as_str(), event.source.as_str()),
                ("user/updated", "source/console")
            );
            assert_eq!(
                event.previous_paths,
                ["attributes.banned", "attributes.state"]
            );
            let again = ban(&world.cx, world.operator(), command(id)).await;
            assert_eq!(refusal(again), "409 user-already-banned");

            let user = unban::unban(&world.cx, world.operator(), command(id))
                .await
                .unwrap();
            assert_eq!(
                (user.banned, user.state.as_deref()),
                (false, Some("active"))
            );
            let (envelope, access, event) = world.last().await;
            assert_eq!(
                (envelope.r#type.as_str(), access.version),
                ("user.unbanned", 3)
            );
            assert_eq!(event.unwrap().event_type, "user/updated");
            assert_eq!(world.envelopes().await.len(), 3);
        }

        // contract: security S44
        async fn no_write_of_the_user_commits_after_the_ban(db: Db) {
            let world = World::new(db).await;
            let id = world.sign_up("a@x.io").await;
            let patches: Vec<_> = (0..16)
                .map(|n| public_data(&format!(r#"{{"k{n}":1}}"#)))
                .collect();
            let writes = patches.into_iter().map(|patch| world.try_update(id, patch));
            let (written, banned) = tokio::join!(
                futures::future::join_all(writes),
                ban(&world.cx, world.operator(), command(id)),
            );
            banned.unwrap();
            let written: Vec<bool> = written
                .into_iter()
                .map(|outcome| {
                    outcome
                        .map_err(|e| assert_eq!(refusal::<()>(Err(e)), "403 forbidden"))
                        .is_ok()
                })
                .collect();
            let kinds: Vec<String> = world
                .envelopes()
                .await
                .into_iter()
                .map(|e| e.r#type)
                .collect();
            assert_eq!(kinds.last().map(String::as_str), Some("user.banned"));
            assert_eq!(kinds.len(), 2 + written.iter().filter(|ok| **ok).count());
        }

        async fn a_deleted_or_unknown_user_is_a_conflict(db: Db) {
            let world = World::new(db).await;
            let id = world.sign_up("a@x.io").await;
            delete::delete(&world.cx, world.operator(), command(id))
                .await
                .unwrap();
            for (id, code) in [
                (id, "409 user-deleted"),
                (world.nobody(), "409 user-not-found"),
            ] {
                let outcome = ban(&world.cx, world.operator(), command(id)).await;
                assert_eq!(refusal(outcome), code);
                let outcome = unban::unban(&world.cx, world.operator(), command(id)).await;
                assert_eq!(refusal(outcome), code);
                let outcome = delete::delete(&world.cx, world.operator(), command(id)).await;
                assert_eq!(refusal(outcome), code);
            }
        }

        async fn only_operators_who_may_act_ban(db: Db) {
            let world = World::new(db).await;
            let id = world.sign_up("a@x.io").await;
            let reader = Actor::operator(OperatorId::new(uuid::Uuid::from_u128(9)), Role::ReadOnly);
            for caller in [
                world.caller(reader),
                world.integration(),
                world.trusted(id),
                world.anonymous(),
            ] {
                let outcome = ban(&world.cx, caller, command(id)).await;
                assert_eq!(refusal(outcome), "403 forbidden");
            }
            assert_eq!(world.envelopes().await.len(), 1);
        }
    }
}
