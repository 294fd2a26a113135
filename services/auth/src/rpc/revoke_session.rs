//! Ends a session by its id: one of the caller's own; for operators, one of any user.

use crate::Auth;
use crate::access;
use crate::audit;
use crate::domain::audit::Entry as AuditEntry;
use crate::domain::revocation::Entry;
use crate::error::Error;
use crate::events;
use crate::store::sessions::{self, Login};
use crate::view;
use stoa_feed::Origin;
use stoa_policy::{Action, Actor};
use stoa_proto::auth::{RevokeSessionRequest, Session};
use stoa_rpc::Caller;
use stoa_types::id::SessionId;
use stoa_types::{Problem, SourceKind};

/// Longest reason, in characters.
const LONGEST_REASON: usize = 500;

pub(super) async fn revoke_session(
    auth: &Auth,
    caller: Caller,
    request: RevokeSessionRequest,
) -> Result<Session, Error> {
    let id = check(&request)?;
    if let Some(user) = caller.actor.user {
        auth.actors.known(user).await?;
    }
    let now = auth.real_clock.now();
    let (caller, origin, reason) = (&caller, &Origin::of(&caller), request.reason.as_deref());
    let actor = &caller.actor;
    let ended = auth
        .db
        .write(|tx| async move {
            access::may_write(&tx, actor, Action::RevokeSession).await?;
            let login = sessions::of_user(&tx, id)
                .await?
                .filter(|login| may_end(actor, login))
                .ok_or(Error::UnknownSession)?;
            let entry = Entry::session(id, "session-revoked", &auth.tokens.lifetimes, now);
            if !sessions::end(&tx, id, entry.reason, now).await? {
                return Err(Error::UnknownSession);
            }
            events::revoke(&tx, &[entry], origin, &*auth.entropy).await?;
            if actor.operator.is_some() {
                let action = Action::RevokeSession.name();
                audit::command(&tx, auth, caller, action, |entry| {
                    let entry = entry.target("session", id);
                    AuditEntry {
                        personal_of: vec![login.user.to_string()],
                        ..entry.changed(reason, &[])
                    }
                })
                .await?;
            }
            Ok(login)
        })
        .await?;
    Ok(view::session(&ended, actor))
}

fn check(request: &RevokeSessionRequest) -> Result<SessionId, Error> {
    let invalid = |key: &'static str, why: String| {
        let problem = Problem::invalid_value(SourceKind::Body, vec![key.into()], why);
        Error::Invalid(problem.into())
    };
    if let Some(reason) = &request.reason
        && !(1..=LONGEST_REASON).contains(&reason.chars().count())
    {
        return Err(invalid(
            "reason",
            "must have 1 to 500 characters".to_owned(),
        ));
    }
    SessionId::parse(&request.id).map_err(|why| invalid("id", why.to_string()))
}

/// Users end their own, operators anybody's: whose session it is that somebody else names is not
/// told.
fn may_end(actor: &Actor, login: &Login) -> bool {
    !actor.level.is_user() || actor.user == Some(login.user)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::grant_password::tests::log_in;
    use crate::rpc::query_sessions::tests::query;
    use crate::rpc::refresh::tests::refresh_of;
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use stoa_db::{Db, Engine, accounting};
    use stoa_policy::{Level, Role};
    use stoa_testkit::engine::Place;
    use stoa_types::id::UserId;

    async fn end(world: &World, caller: &Caller, id: SessionId) -> Told<Session> {
        let request = RevokeSessionRequest {
            id: id.to_string(),
            reason: None,
        };
        told(revoke_session(&world.auth, caller.clone(), request).await)
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: security S19, security 2.6 (session ended)
        async fn an_ended_session_is_over_and_the_others_go_on(place: Place) {
            let world = World::new(place.open().await).await;
            let client = Some(world.born.marketplace_client_id);
            let (here, there) = (log_in(&world).await, log_in(&world).await);
            let caller = world.user(&world.claims(&here.access_token));
            let sid = world.sid(&there);
            // The users service tells of the caller once.
            query(&world, &caller, None, None).await.unwrap();
            let (ended, statements) = accounting::scope(end(&world, &caller, sid)).await;
            assert_eq!(ended.unwrap().id, sid.to_string());
            // The state of the caller twice, the session, its end, the entry and its envelope; and
            // the lock on the caller, which SQLite's one writer does not need.
            let locks = u64::from(world.auth.db.engine() == Engine::Postgres);
            assert_eq!(statements.count, 6 + locks);
            let entry = ("sid".into(), sid.to_string(), "session-revoked".into());
            assert_eq!(world.revoked().await, [entry]);
            let refused = refresh_of(&world, client, there.refresh_token.clone()).await;
            assert_eq!(refusal(refused).0, 401);
            let unknown = (409, "conflict".to_owned());
            assert_eq!(refusal(end(&world, &caller, sid).await), unknown, "once is enough");
            let left = query(&world, &caller, None, None).await.unwrap().sessions;
            assert_eq!(left.len(), 1);
            assert!(refresh_of(&world, client, here.refresh_token.clone()).await.is_ok());

            // A restart forgets nothing of it.
            let restarted = world.replica(place.open().await).await;
            let live = crate::store::revocations::live(&restarted.0.auth.db, world.auth.real_clock.now());
            let kept: Vec<_> = live.await.unwrap().into_iter().map(|entry| entry.key).collect();
            assert_eq!(kept, [sid.to_string()]);

            // The own one, too.
            let own = world.sid(&here);
            assert_eq!(end(&world, &caller, own).await.unwrap().current, Some(true));
            let refused = refresh_of(&world, client, here.refresh_token).await;
            assert_eq!(refusal(refused).0, 401);
        }

        // contract: users section 5.6 (409)
        async fn an_unknown_session_and_that_of_another_user_are_told_alike(db: Db) {
            let world = World::new(db).await;
            let tokens = log_in(&world).await;
            let sid = world.sid(&tokens);
            let client = world.born.marketplace_client_id;
            let mallory = UserId::random(&*world.entropy);
            world.users.join(mallory);
            let session = SessionId::random(&*world.entropy);
            let mallory = world.caller(Actor::user(Level::User, mallory, client, session));
            for id in [sid, SessionId::random(&*world.entropy)] {
                let refused = refusal(end(&world, &mallory, id).await);
                assert_eq!(refused, (409, "conflict".into()));
            }
            let request = RevokeSessionRequest { id: "x".into(), reason: None };
            let answer = told(revoke_session(&world.auth, mallory, request).await);
            assert_eq!(refusal(answer), (400, "validation-invalid-value".into()));
            assert_eq!(world.revoked().await, []);
            assert!(refresh_of(&world, Some(client), tokens.refresh_token).await.is_ok());
        }

        // contract: operator sessions/revoke, operator 9
        async fn staff_ends_anybodys_session_and_readers_none(db: Db) {
            let world = World::new(db).await;
            let sid = world.sid(&log_in(&world).await);
            let reader = world.operator(Role::ReadOnly).await;
            assert_eq!(refusal(end(&world, &reader, sid).await), (403, "forbidden".into()));
            let staff = world.operator(Role::Staff).await;
            let long = RevokeSessionRequest {
                id: sid.to_string(),
                reason: Some("x".repeat(501)),
            };
            let answer = told(revoke_session(&world.auth, staff.clone(), long).await);
            assert_eq!(refusal(answer).0, 400);
            assert_eq!(end(&world, &staff, sid).await.unwrap().current, None);
            assert_eq!(world.revoked().await.len(), 1);
            // Sessions of operators and applications are not users' sessions.
            let operator = stoa_proto::auth::GrantOperatorRequest {
                username: world.born.operator_email.clone(),
                password: world.born.operator_password.clone(),
                otp: None,
                source: String::new(),
            };
            let nobody = world.nobody();
            let granted =
                super::super::grant_operator::grant_operator(&world.auth, nobody, operator);
            let of_operator = world.sid(&told(granted.await).unwrap());
            assert_eq!(refusal(end(&world, &staff, of_operator).await).0, 409);
        }

        // contract: security S31
        async fn an_operator_in_a_users_place_ends_none(db: Db) {
            let world = World::new(db).await;
            let tokens = log_in(&world).await;
            let mut limited = world.user(&world.claims(&tokens.access_token));
            limited.actor.level = Level::LimitedUser;
            let sid = world.sid(&tokens);
            assert_eq!(refusal(end(&world, &limited, sid).await), (403, "forbidden".into()));
        }
    }
}
