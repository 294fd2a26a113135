//! Users by filter, for integrations and operators: newest first unless sorted, all but deleted
//! ones unless an operator names states.

use super::fields::Fields;
use super::{Cx, standing};
use crate::domain::view;
use crate::error::Error;
use crate::store::query::{UserFilter, page};
use stoa_policy::{Action, Level, Resource, UserState, require};
use stoa_proto::types::{Page, PageMeta};
use stoa_proto::users as pb;
use stoa_rpc::Caller;
use stoa_types::{Problems, Timestamp};

/// Users on a page when nothing is said, and at most.
const MAX_PER_PAGE: u32 = 100;
/// Sort keys, at most.
const MAX_SORT: usize = 3;

pub(super) async fn query(
    cx: &Cx,
    caller: Caller,
    request: pb::QueryUsersRequest,
) -> Result<pb::QueryUsersResponse, Error> {
    let filter = filter(request, caller.actor.level)?;
    let settings = cx.settings_for(&caller).await?;
    let standing = standing(&caller, settings, None);
    require(
        &caller.actor,
        Action::QueryUsers,
        &standing,
        &Resource::None,
    )?;
    let (users, total_items) = page(&cx.db, &filter).await?;
    Ok(pb::QueryUsersResponse {
        users: users
            .iter()
            .map(|user| view::full(user, settings))
            .collect(),
        meta: Some(PageMeta {
            total_items,
            page: filter.page,
            per_page: filter.per_page,
        }),
    })
}

fn filter(request: pb::QueryUsersRequest, level: Level) -> Result<UserFilter, Problems> {
    let mut fields = Fields::of_query();
    let Page { page, per_page } = request.page.unwrap_or(Page {
        page: 1,
        per_page: MAX_PER_PAGE,
    });
    if page == 0 {
        fields.invalid("page", "counts from 1");
    }
    if !(1..=MAX_PER_PAGE).contains(&per_page) {
        fields.invalid("perPage", "must be 1 to 100");
    }
    let mut instant = |field, ms: Option<i64>| {
        let read = Timestamp::checked_from_ms(ms?);
        read.map_err(|why| fields.invalid(field, why)).ok()
    };
    let created_from = instant("createdAtStart", request.created_at_start_ms);
    let created_before = instant("createdAtEnd", request.created_at_end_ms);
    if request.sort.len() > MAX_SORT {
        fields.invalid("sort", "at most 3 keys");
    }
    // Only one key is known, so the first decides.
    let mut oldest_first = None;
    for key in &request.sort {
        match key.as_str() {
            "createdAt" => oldest_first.get_or_insert(false),
            "-createdAt" => oldest_first.get_or_insert(true),
            _ => {
                fields.invalid("sort", "can be createdAt or -createdAt");
                break;
            }
        };
    }
    let states = states(&request.states, level, &mut fields);
    fields.finish()?;
    Ok(UserFilter {
        created_from,
        created_before,
        states,
        oldest_first: oldest_first.unwrap_or(false),
        page,
        per_page,
    })
}

fn states(names: &[String], level: Level, fields: &mut Fields) -> Vec<UserState> {
    if names.is_empty() {
        return vec![
            UserState::Active,
            UserState::PendingApproval,
            UserState::Banned,
        ];
    }
    if level != Level::Operator {
        fields.disallowed("states");
    }
    let states: Vec<UserState> = names
        .iter()
        .filter_map(|name| UserState::from_name(name))
        .collect();
    if states.len() != names.len() {
        fields.invalid(
            "states",
            "can be active, pendingApproval, banned and deleted",
        );
    }
    states
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MIGRATIONS;
    use crate::rpc::harness::*;
    use crate::rpc::{ban, delete};
    use stoa_db::{Db, accounting};

    fn paged(page: u32, per_page: u32) -> pb::QueryUsersRequest {
        pb::QueryUsersRequest {
            page: Some(Page { page, per_page }),
            ..pb::QueryUsersRequest::default()
        }
    }

    async fn emails(world: &World, request: pb::QueryUsersRequest) -> (Vec<String>, u64) {
        let (answer, statements) =
            accounting::scope(query(&world.cx, world.integration(), request)).await;
        let answer = answer.unwrap();
        assert_eq!(statements.count, 2);
        let emails = answer.users.into_iter().map(|user| user.email.unwrap());
        (emails.collect(), answer.meta.unwrap().total_items)
    }

    #[test]
    fn bad_parameters_are_all_named() {
        let request = pb::QueryUsersRequest {
            created_at_start_ms: Some(i64::MAX),
            sort: vec!["email".into()],
            states: vec!["gone".into()],
            ..paged(0, 101)
        };
        let problems = filter(request, Level::Integration).unwrap_err();
        let found: Vec<String> = problems
            .as_slice()
            .iter()
            .map(|p| format!("{} {:?}", p.code, p.source.as_ref().unwrap().path))
            .collect();
        let invalid = |name: &str| format!("validation-invalid-value [Key({name:?})]");
        let expected = [
            invalid("page"),
            invalid("perPage"),
            invalid("createdAtStart"),
            invalid("sort"),
            "validation-disallowed-key [Key(\"states\")]".to_owned(),
            invalid("states"),
        ];
        assert_eq!(found, expected);
        let many = pb::QueryUsersRequest {
            sort: vec!["createdAt".into(); 4],
            ..paged(1, 100)
        };
        assert_eq!(filter(many, Level::Operator).unwrap_err().status(), 400);
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: users 44, integration I5
        async fn users_are_filtered_by_time_sorted_and_paged(db: Db) {
            let world = World::new(db).await;
            let mut middle = 0;
            for n in 0..5 {
                if n == 2 {
                    world.clock.advance_ms(1000);
                    middle = world.now();
                }
                world.sign_up(&format!("u{n}@x.io")).await;
                world.clock.advance_ms(10);
            }
            let (newest, total) = emails(&world, pb::QueryUsersRequest::default()).await;
            assert_eq!(
                (newest, total),
                (
                    ["u4", "u3", "u2", "u1", "u0"]
                        .map(|n| format!("{n}@x.io"))
                        .to_vec(),
                    5
                )
            );
            let oldest = pb::QueryUsersRequest {
                sort: vec!["-createdAt".into()],
                ..paged(2, 2)
            };
            assert_eq!(
                emails(&world, oldest).await,
                (vec!["u2@x.io".into(), "u3@x.io".into()], 5)
            );
            let later = pb::QueryUsersRequest {
                created_at_start_ms: Some(middle),
                ..paged(1, 1)
            };
            assert_eq!(emails(&world, later).await, (vec!["u4@x.io".into()], 3));
            let before = pb::QueryUsersRequest {
                created_at_end_ms: Some(middle),
                sort: vec!["createdAt".into()],
                ..pb::QueryUsersRequest::default()
            };
            assert_eq!(emails(&world, before).await.1, 2);
            assert_eq!(emails(&world, paged(9, 100)).await, (vec![], 5));
        }

        async fn pages_of_users_made_at_the_same_time_concatenate_to_the_whole(db: Db) {
            let world = World::new(db).await;
            for n in 0..7 {
                world.sign_up(&format!("u{n}@x.io")).await;
            }
            let whole = emails(&world, pb::QueryUsersRequest::default()).await.0;
            let mut pages = Vec::new();
            for page in 1..=3 {
                pages.extend(emails(&world, paged(page, 3)).await.0);
            }
            assert_eq!(pages, whole);
            assert_eq!(whole.len(), 7);
        }

        async fn operators_ask_for_states_and_see_the_deleted(db: Db) {
            let world = World::new(db).await;
            let (a, b) = (world.sign_up("a@x.io").await, world.sign_up("b@x.io").await);
            world.sign_up("c@x.io").await;
            ban::ban(&world.cx, world.operator(), command(a))
                .await
                .unwrap();
            delete::delete(&world.cx, world.operator(), command(b))
                .await
                .unwrap();
            assert_eq!(emails(&world, pb::QueryUsersRequest::default()).await.1, 2);
            let request = pb::QueryUsersRequest {
                states: vec!["banned".into(), "deleted".into()],
                ..pb::QueryUsersRequest::default()
            };
            let answer = query(&world.cx, world.operator(), request.clone())
                .await
                .unwrap();
            let mut flags: Vec<_> = answer
                .users
                .iter()
                .map(|u| (u.banned, u.deleted, u.email.is_some()))
                .collect();
            flags.sort_unstable();
            assert_eq!(flags, [(false, true, false), (true, false, true)]);
            for caller in [world.user(a), world.anonymous()] {
                let outcome = query(&world.cx, caller, pb::QueryUsersRequest::default()).await;
                assert_eq!(refusal(outcome), "403 forbidden");
            }
        }
    }
}
