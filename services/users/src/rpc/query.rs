//! Users by filter, for integrations and operators: newest first unless sorted, all but deleted
//! ones unless an operator names states.

use super::{Cx, standing, user_filter};
use crate::domain::search::Searchable;
use crate::domain::view;
use crate::error::Error;
use crate::store;
use stoa_policy::{Action, Resource, require};
use stoa_proto::types::PageMeta;
use stoa_proto::users as pb;
use stoa_rpc::Caller;

pub(super) async fn query(
    cx: &Cx,
    caller: Caller,
    request: pb::QueryUsersRequest,
) -> Result<pb::QueryUsersResponse, Error> {
    let settings = cx.settings_for(&caller).await?;
    let standing = standing(&caller, settings, None);
    require(
        &caller.actor,
        Action::QueryUsers,
        &standing,
        &Resource::None,
    )?;
    let keys = match user_filter::names_keys(&request) {
        true => store::search::keys(&cx.db).await?,
        false => Vec::new(),
    };
    let filter = user_filter::read(&request, caller.actor.level, &Searchable::of(keys))?;
    let (users, total_items) = store::query::page(&cx.db, &filter, &cx.totals).await?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MIGRATIONS;
    use crate::domain::search::tests::declared;
    use crate::rpc::harness::*;
    use crate::rpc::{ban, delete, update_profile};
    use stoa_db::{Db, accounting};
    use stoa_proto::types::{DataFilter, Page};

    fn paged(page: u32, per_page: u32) -> pb::QueryUsersRequest {
        pb::QueryUsersRequest {
            page: Some(Page { page, per_page }),
            ..pb::QueryUsersRequest::default()
        }
    }

    async fn emails(world: &World, request: pb::QueryUsersRequest) -> (Vec<String>, u64) {
        // With filters: the keys, what they have, then the number and the page as without.
        let expected = if request.filters.is_empty() { 2 } else { 4 };
        let (answer, statements) =
            accounting::scope(query(&world.cx, world.integration(), request)).await;
        let answer = answer.unwrap();
        assert_eq!(statements.count, expected);
        let emails = answer.users.into_iter().map(|user| user.email.unwrap());
        (emails.collect(), answer.meta.unwrap().total_items)
    }

    /// A user who signed up with this profile.
    async fn person(world: &World, name: &str, json: [&str; 2], metadata: &str) {
        world.clock.advance_ms(10);
        let mut request = create_request(&format!("{name}@x.io"));
        request.public_data = Some(json[0].into());
        request.protected_data = Some(json[1].into());
        let id = world.create(request).await.unwrap().id;
        let patch = pb::ProfilePatch {
            metadata: Some(metadata.into()),
            ..pb::ProfilePatch::default()
        };
        let request = pb::UpdateUserProfileRequest {
            id,
            patch: Some(patch),
            reason: None,
        };
        update_profile::update_profile(&world.cx, world.integration(), request)
            .await
            .unwrap();
    }

    /// The people of the tests below, oldest first.
    async fn people(db: Db) -> World {
        let world = World::new(db).await;
        let mut vip = declared("metadata", "vip", "boolean");
        vip.default_json = Some("false".into());
        world
            .declare(&[
                declared("public", "city", "enum"),
                declared("public", "tags", "multi-enum"),
                declared("protected", "age", "long"),
                declared("public", "story", "text"),
                vip,
            ])
            .await;
        world.collecting().once().await.unwrap();
        for (name, public, protected, metadata) in [
            (
                "ada",
                r#"{"city":"Oslo","tags":["a"]}"#,
                r#"{"age":18}"#,
                "{}",
            ),
            (
                "bob",
                r#"{"city":"Oslo","tags":["a","b"]}"#,
                r#"{"age":29}"#,
                r#"{"vip":true}"#,
            ),
            (
                "cat",
                r#"{"city":"Rome","story":"Local bikes"}"#,
                r#"{"age":30}"#,
                "{}",
            ),
            (
                "dan",
                r#"{"city":"oslo","tags":"a"}"#,
                r#"{"age":"30"}"#,
                r#"{"vip":"no"}"#,
            ),
            (
                "eve",
                r#"{"tags":["b","c"]}"#,
                r#"{"age":-5}"#,
                r#"{"vip":false}"#,
            ),
        ] {
            person(&world, name, [public, protected], metadata).await;
        }
        world
    }

    fn name_of(user: &pb::User) -> String {
        let email = user.email.as_deref().unwrap_or_default();
        email.trim_end_matches("@x.io").to_owned()
    }

    fn filtered(filters: &[(&str, &str, &str)], sort: &[&str]) -> pb::QueryUsersRequest {
        let filter = |(prefix, key, value): &(&str, &str, &str)| DataFilter {
            prefix: (*prefix).into(),
            key: (*key).into(),
            value: (*value).into(),
        };
        pb::QueryUsersRequest {
            filters: filters.iter().map(filter).collect(),
            sort: sort.iter().map(|key| (*key).to_owned()).collect(),
            ..pb::QueryUsersRequest::default()
        }
    }

    async fn names(world: &World, request: pb::QueryUsersRequest) -> Vec<String> {
        let (emails, total) = emails(world, request).await;
        assert_eq!(emails.len() as u64, total);
        let name = |email: &String| email.trim_end_matches("@x.io").to_owned();
        emails.iter().map(name).collect()
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: users 43, search S3, search S5, search S6, search S7, search S8, search S9
        async fn users_are_found_by_their_extended_data(db: Db) {
            let world = people(db).await;
            for (prefix, key, value, expected) in [
                ("pub", "city", "Oslo", "bob ada"),
                ("pub", "city", "Rome,Oslo,Paris", "cat bob ada"),
                ("pub", "city", "Paris", ""),
                ("pub", "tags", "a,b", "bob"),
                ("pub", "tags", "has_all:b", "eve bob"),
                ("pub", "tags", "has_any:a,c", "eve bob ada"),
                ("prot", "age", "18,30", "bob ada"),
                ("prot", "age", "30", "cat"),
                ("prot", "age", "29,", "cat bob"),
                ("prot", "age", ",0", "eve"),
                ("prot", "age", "30,18", ""),
                ("meta", "vip", "true", "bob"),
                // Whose value is of another type has none, not even the default.
                ("meta", "vip", "false", "eve cat ada"),
                ("pub", "story", "loc ikes", "cat"),
                ("pub", "story", "!!!", ""),
                // No schema, another scope, nothing asked for.
                ("pub", "unknown", "x", "eve dan cat bob ada"),
                ("pub", "age", "18", "eve dan cat bob ada"),
                ("pub", "city", "", "eve dan cat bob ada"),
            ] {
                let request = filtered(&[(prefix, key, value)], &[]);
                let answer = query(&world.cx, world.operator(), request).await.unwrap();
                let found: Vec<String> = answer.users.iter().map(name_of).collect();
                assert_eq!(found.join(" "), expected, "{prefix}_{key}={value}");
                assert_eq!(answer.meta.unwrap().total_items, found.len() as u64);
            }
            let refused = filtered(&[("prot", "age", "old")], &[]);
            let outcome = query(&world.cx, world.integration(), refused).await;
            assert_eq!(refusal(outcome), "400 validation-invalid-value [Key(\"prot_age\")]");
        }

        // contract: users 43, search S22
        async fn filters_combine_and_numbers_sort_with_the_missing_last(db: Db) {
            let world = people(db).await;
            let both = filtered(&[("pub", "city", "Oslo,Rome"), ("prot", "age", "18,30")], &["-createdAt"]);
            assert_eq!(names(&world, both.clone()).await, ["ada", "bob"]);
            let three = filtered(&[("pub", "city", "Oslo"), ("prot", "age", "18,"), ("meta", "vip", "true")], &[]);
            assert_eq!(names(&world, three).await, ["bob"]);
            let by_age = |key: &'static str| query(&world.cx, world.integration(), filtered(&[], &[key]));
            let order = |answer: pb::QueryUsersResponse| answer.users.iter().map(name_of).collect::<Vec<_>>().join(" ");
            assert_eq!(order(by_age("prot_age").await.unwrap()), "cat bob ada eve dan");
            assert_eq!(order(by_age("-prot_age").await.unwrap()), "eve ada bob cat dan");
            let page = pb::QueryUsersRequest {
                page: Some(Page { page: 2, per_page: 1 }),
                ..filtered(&[("pub", "city", "Oslo,Rome,oslo")], &["prot_age", "-createdAt"])
            };
            assert_eq!(emails(&world, page).await, (vec!["bob@x.io".to_owned()], 4));
            // Ages in time: a filter and a window.
            let late = pb::QueryUsersRequest {
                created_at_start_ms: Some(world.now() - 15),
                ..filtered(&[("meta", "vip", "false")], &[])
            };
            assert_eq!(names(&world, late).await, ["eve"]);
        }

        async fn banned_users_are_found_and_operators_narrow_it_down(db: Db) {
            let world = people(db).await;
            let all = query(&world.cx, world.operator(), filtered(&[], &[])).await.unwrap();
            let bob = all.users.iter().find(|user| name_of(user) == "bob").unwrap();
            let id = stoa_types::id::UserId::parse(&bob.id).unwrap();
            ban::ban(&world.cx, world.operator(), command(id)).await.unwrap();
            let oslo = filtered(&[("pub", "city", "Oslo")], &[]);
            assert_eq!(names(&world, oslo.clone()).await, ["bob", "ada"]);
            for (states, expected) in [(["active"].as_slice(), "ada"), (&["banned"], "bob"), (&["deleted"], "")] {
                let request = pb::QueryUsersRequest {
                    states: states.iter().map(|state| (*state).to_owned()).collect(),
                    ..oslo.clone()
                };
                let answer = query(&world.cx, world.operator(), request).await.unwrap();
                let found: Vec<String> = answer.users.iter().map(name_of).collect();
                assert_eq!(found.join(" "), expected, "{states:?}");
            }
        }

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
