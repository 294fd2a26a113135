//! A page of living sessions, newest first: the caller's own, or those of the user an operator names.

use super::{FIRST_PAGE, check_page};
use crate::Auth;
use crate::access;
use crate::domain::family::SessionKind;
use crate::error::Error;
use crate::store::sessions;
use crate::view;
use stoa_policy::Action;
use stoa_proto::auth::{QuerySessionsRequest, QuerySessionsResponse};
use stoa_proto::types::PageMeta;
use stoa_rpc::Caller;
use stoa_types::id::UserId;
use stoa_types::{Problem, Problems, SourceKind};

pub(super) async fn query_sessions(
    auth: &Auth,
    caller: Caller,
    request: QuerySessionsRequest,
) -> Result<QuerySessionsResponse, Error> {
    let page = request.page.unwrap_or(FIRST_PAGE);
    Problems::check(check_page(&page)).map_err(Error::Invalid)?;
    access::may_read(auth, &caller, Action::QuerySessions).await?;
    let actor = &caller.actor;
    let user = match actor.user.filter(|_| actor.level.is_user()) {
        Some(own) => own,
        None => {
            let named = named_user(request.user_id.as_deref())?;
            // Whoever is unknown here is asked for; nobody of that id is 404.
            auth.actors.known(named).await?.ok_or(Error::UnknownUser)?;
            named
        }
    };
    let now = auth.real_clock.now();
    let ends = auth.tokens.lifetimes.ends(SessionKind::User);
    let idle_since = now.plus_ms(-ends.idle_s * 1000);
    let page_of = (page.page, page.per_page);
    let (found, total_items) =
        sessions::living_of_user(&auth.db, user, idle_since, now, page_of).await?;
    Ok(QuerySessionsResponse {
        sessions: found
            .iter()
            .map(|login| view::session(login, actor))
            .collect(),
        meta: Some(PageMeta {
            total_items,
            page: page.page,
            per_page: page.per_page,
        }),
    })
}

/// The user that an operator names.
fn named_user(text: Option<&str>) -> Result<UserId, Error> {
    let path = || vec!["userId".into()];
    let problem = match text {
        None => Problem::missing_key(SourceKind::Query, path()),
        Some(text) => match UserId::parse(text) {
            Ok(id) => return Ok(id),
            Err(why) => Problem::invalid_value(SourceKind::Query, path(), why.to_string()),
        },
    };
    Err(Error::Invalid(problem.into()))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::rpc::grant_password::tests::log_in;
    use crate::rpc::refresh::tests::refresh_of;
    use crate::rpc::revoke::tests::revoke_as;
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use stoa_db::{Db, accounting};
    use stoa_policy::{Actor, Level, Role};
    use stoa_proto::auth::Session;
    use stoa_proto::types::Page;
    use stoa_types::Clock as _;

    pub(in crate::rpc) async fn query(
        world: &World,
        caller: &Caller,
        user_id: Option<String>,
        page: Option<Page>,
    ) -> Told<QuerySessionsResponse> {
        let request = QuerySessionsRequest { page, user_id };
        told(query_sessions(&world.auth, caller.clone(), request).await)
    }

    async fn own(world: &World, caller: &Caller) -> Vec<Session> {
        query(world, caller, None, None).await.unwrap().sessions
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: security S19, users section 5.6
        async fn a_user_sees_the_own_living_sessions_newest_first(db: Db) {
            let world = World::new(db).await;
            let client = world.born.marketplace_client_id;
            let started = world.clock.now().as_ms();
            let first = log_in(&world).await;
            world.pass_s(10);
            let second = log_in(&world).await;
            let caller = world.user(&world.claims(&second.access_token));
            // The users service tells of the caller once.
            own(&world, &caller).await;
            let (seen, statements) =
                accounting::scope(query(&world, &caller, None, None)).await;
            let seen = seen.unwrap();
            // The state of the caller, the number, the page.
            assert_eq!(statements.count, 3);
            assert_eq!(seen.meta.unwrap().total_items, 2);
            let expected = |tokens, at, current| Session {
                id: world.sid(tokens).to_string(),
                client_id: client.to_string(),
                created_at_ms: at,
                last_refreshed_at_ms: at,
                current: Some(current),
                login_as: false,
                operator_id: None,
            };
            let (older, newer) = (
                expected(&first, started, false),
                expected(&second, started + 10_000, true),
            );
            assert_eq!(seen.sessions, [newer.clone(), older.clone()]);
            let page = Some(Page { page: 2, per_page: 1 });
            let page = query(&world, &caller, None, page).await.unwrap();
            assert_eq!((page.sessions, page.meta.unwrap().total_items), (vec![older], 2));

            // A refresh is seen, a logout ends it, and so does time.
            world.pass_s(10);
            let refreshed = refresh_of(&world, Some(client), first.refresh_token).await.unwrap();
            let seen = own(&world, &caller).await;
            assert_eq!(seen[1].last_refreshed_at_ms, started + 20_000);
            let of_first = world.user(&world.claims(&refreshed.access_token));
            revoke_as(&world, of_first, refreshed.refresh_token.unwrap()).await.unwrap();
            assert_eq!(own(&world, &caller).await, [newer]);
            world.pass_s(world.auth.tokens.lifetimes.user.idle_s - 10);
            assert_eq!(own(&world, &caller).await, []);
        }

        // contract: operator sessions/query
        async fn an_operator_sees_those_of_the_user_who_is_named(db: Db) {
            let world = World::new(db).await;
            let tokens = log_in(&world).await;
            let reader = world.operator(Role::ReadOnly).await;
            let alice = world.users.alice.to_string();
            let seen = query(&world, &reader, Some(alice.clone()), None).await.unwrap();
            assert_eq!(seen.sessions.len(), 1);
            assert_eq!(seen.sessions[0].id, world.sid(&tokens).to_string());
            assert_eq!((seen.sessions[0].current, seen.sessions[0].login_as), (None, false));
            let nobody = UserId::random(&*world.entropy).to_string();
            for (named, refused) in [
                (None, (400, "validation-missing-key")),
                (Some("x".to_owned()), (400, "validation-invalid-value")),
                (Some(nobody), (404, "not-found")),
            ] {
                let answer = refusal(query(&world, &reader, named, None).await);
                assert_eq!(answer, (refused.0, refused.1.to_owned()));
            }
            // An epoch that was raised ends them, also before each row is ended.
            let raised = "UPDATE actors SET epoch = epoch + 1";
            world.run(stoa_db::sql(raised)).await;
            assert!(query(&world, &reader, Some(alice), None).await.unwrap().sessions.is_empty());
        }

        // contract: auth section 8 (sessions), security S31
        async fn nobody_else_lists_sessions(db: Db) {
            let world = World::new(db).await;
            let tokens = log_in(&world).await;
            let user = world.user(&world.claims(&tokens.access_token));
            let mut limited = user.clone();
            limited.actor.level = Level::LimitedUser;
            let client = world.born.marketplace_client_id;
            for caller in [
                limited,
                world.caller(Actor::anonymous(Some(client))),
                world.caller(Actor::integration(client)),
            ] {
                let refused = refusal(query(&world, &caller, None, None).await);
                assert_eq!(refused, (403, "forbidden".into()));
            }
            world.users.say("user.banned", |access| access.state = "banned".into()).await;
            world.service.drain().await.unwrap();
            let refused = refusal(query(&world, &user, None, None).await);
            assert_eq!(refused, (403, "forbidden".into()));
        }
    }
}
