//! Users that other resources refer to, in the form the caller may see, in the order asked for.
//! Unknown ids are left out.

use super::Cx;
use crate::domain::view;
use crate::error::Error;
use std::collections::HashSet;
use stoa_policy::view::of_related;
use stoa_policy::{Action, Resource, require};
use stoa_proto::users as pb;
use stoa_rpc::Caller;
use stoa_types::id::UserId;
use stoa_types::{Problem, SourceKind};

/// Most ids of one call; a page refers to a few hundred users at most.
const MAX_IDS: usize = 1000;

pub(super) async fn batch_get(
    cx: &Cx,
    caller: Caller,
    request: pb::BatchGetUsersRequest,
) -> Result<pb::BatchGetUsersResponse, Error> {
    if request.ids.len() > MAX_IDS {
        let why = format!("at most {MAX_IDS} ids");
        return Err(Problem::invalid_value(SourceKind::Query, vec!["ids".into()], why).into());
    }
    let mut seen = HashSet::new();
    let wanted = request
        .ids
        .iter()
        .filter_map(|text| UserId::parse(text).ok());
    let ids: Vec<UserId> = wanted.filter(|id| seen.insert(*id)).collect();
    let settings = cx.settings_for(&caller).await?;
    let loaded = cx.load(&caller, &ids).await?;
    let standing = loaded.standing(&caller, settings);
    require(
        &caller.actor,
        Action::RelatedUsers,
        &standing,
        &Resource::None,
    )?;
    let form = of_related(&caller.actor);
    let users = ids.into_iter().filter_map(|id| loaded.get(id));
    Ok(pb::BatchGetUsersResponse {
        users: users
            .map(|user| view::related(user, form, settings))
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MIGRATIONS;
    use crate::rpc::harness::*;
    use crate::rpc::{ban, delete, get_access, get_protected_data};
    use stoa_db::{Db, accounting};

    async fn get(world: &World, caller: Caller, ids: &[UserId]) -> Result<Vec<pb::User>, Error> {
        let mut ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        ids.push("no id".into());
        let answer = batch_get(&world.cx, caller, pb::BatchGetUsersRequest { ids }).await;
        answer.map(|answer| answer.users)
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: users 32, users 35
        async fn related_users_come_in_the_callers_form_and_in_order(db: Db) {
            let world = World::new(db).await;
            let (live, banned, gone) = (
                world.sign_up("a@x.io").await,
                world.sign_up("b@x.io").await,
                world.sign_up("c@x.io").await,
            );
            ban::ban(&world.cx, world.operator(), command(banned))
                .await
                .unwrap();
            delete::delete(&world.cx, world.operator(), command(gone))
                .await
                .unwrap();
            let ids = [gone, live, world.nobody(), banned, live];
            for caller in [world.anonymous(), world.user(live), world.user(banned)] {
                let (users, statements) = accounting::scope(get(&world, caller, &ids)).await;
                let users = users.unwrap();
                let shown: Vec<_> = users
                    .iter()
                    .map(|u| (u.id.clone(), u.banned, u.deleted, u.profile.is_some()))
                    .collect();
                assert_eq!(
                    shown,
                    [
                        (gone.to_string(), false, true, false),
                        (live.to_string(), false, false, true),
                        (banned.to_string(), true, false, false),
                    ]
                );
                assert!(users.iter().all(|user| user.email.is_none()));
                assert_eq!(statements.count, 1);
            }
            let full = get(&world, world.integration(), &ids).await.unwrap();
            assert_eq!(full[2].email.as_deref(), Some("b@x.io"));
            let dead = get(&world, world.user(gone), &ids).await;
            assert_eq!(refusal(dead), "401 auth-invalid-access-token");
            let many = vec![live; 1001];
            let outcome = get(&world, world.anonymous(), &many).await;
            assert_eq!(
                refusal(outcome),
                "400 validation-invalid-value [Key(\"ids\")]"
            );
        }

        async fn access_and_protected_data_are_there_for_services(db: Db) {
            let world = World::new(db).await;
            let mut request = create_request("a@x.io");
            request.protected_data = Some(r#"{"phone":"1"}"#.into());
            let id = UserId::parse(&world.create(request).await.unwrap().id).unwrap();
            let access = |caller, id: UserId| {
                get_access::get_access(
                    &world.cx,
                    caller,
                    pb::GetAccessRequest {
                        user_id: id.to_string(),
                    },
                )
            };
            let data = |caller, id: UserId| {
                get_protected_data::get_protected_data(
                    &world.cx,
                    caller,
                    pb::GetProtectedDataRequest {
                        user_id: id.to_string(),
                    },
                )
            };
            for caller in [world.system(), world.anonymous(), world.user(id)] {
                let found = access(caller.clone(), id).await.unwrap();
                assert_eq!(
                    (found.state.as_str(), found.epoch, found.version),
                    ("active", 0, 1)
                );
                assert_eq!(
                    data(caller, id).await.unwrap().protected_data,
                    r#"{"phone":"1"}"#
                );
            }
            assert_eq!(
                refusal(access(world.system(), world.nobody()).await),
                "404 not-found"
            );
            delete::delete(&world.cx, world.operator(), command(id))
                .await
                .unwrap();
            assert_eq!(access(world.system(), id).await.unwrap().state, "deleted");
            assert_eq!(data(world.system(), id).await.unwrap().protected_data, "{}");
        }
    }
}
