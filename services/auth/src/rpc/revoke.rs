//! Ends the session of a refresh token when it is the caller's own; says nothing when it is not
//! (RFC 7009 section 2.2).

use super::given;
use crate::Auth;
use crate::access;
use crate::domain::family::{Session, SessionKind};
use crate::domain::revocation::Entry;
use crate::error::Error;
use crate::events;
use crate::store::{revocations, sessions};
use stoa_credentials::secret;
use stoa_feed::Origin;
use stoa_policy::{Action, Actor, Level};
use stoa_proto::auth::RevokeRequest;
use stoa_proto::types::Empty;
use stoa_rpc::Caller;

pub(super) async fn revoke(
    auth: &Auth,
    caller: Caller,
    request: RevokeRequest,
) -> Result<Empty, Error> {
    given(&[("token", &request.refresh_token)])?;
    if let Some(user) = caller.actor.user {
        auth.actors.known(user).await?;
    }
    let hash = secret::hash(&request.refresh_token);
    let now = auth.real_clock.now();
    let (actor, origin) = (&caller.actor, &Origin::of(&caller));
    auth.db
        .write(|tx| async move {
            access::may_write(&tx, actor, Action::RevokeToken).await?;
            let Some(session) = sessions::session_of_token(&tx, &hash).await? else {
                return Ok(());
            };
            if !is_own(actor, &session) {
                return Ok(());
            }
            let entry = Entry::session(session.id, "revoked", &auth.tokens.lifetimes, now);
            // A ban ends refresh tokens only, and access tokens outlive its end: a person who logs
            // out in between must not find them alive then.
            if sessions::end(&tx, session.id, entry.reason, now).await?
                || !revocations::names_session(&tx, session.id).await?
            {
                events::revoke(&tx, &[entry], origin, &*auth.entropy).await?;
            }
            Ok::<(), Error>(())
        })
        .await?;
    Ok(Empty {})
}

/// Same user and application, same integration application, or same operator. An operator who
/// looks through a user's eyes owns none of the user's sessions.
fn is_own(actor: &Actor, session: &Session) -> bool {
    match (actor.level, session.kind) {
        (Level::User | Level::TrustedUser, SessionKind::User) => {
            actor.user.is_some()
                && actor.user == session.user
                && actor.client == session.client
                && actor.operator.is_none()
        }
        (Level::Integration, SessionKind::Integration) => {
            actor.client.is_some() && actor.client == session.client
        }
        (Level::Operator, SessionKind::Operator) => {
            actor.operator.is_some() && actor.operator == session.operator
        }
        _ => false,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::rpc::grant_password::tests::log_in;
    use crate::rpc::refresh::tests::refresh_of;
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use stoa_db::Db;
    use stoa_types::id::{ClientId, SessionId, UserId};

    pub(in crate::rpc) async fn revoke_as(
        world: &World,
        caller: Caller,
        token: String,
    ) -> Told<Empty> {
        let request = RevokeRequest {
            refresh_token: token,
        };
        told(revoke(&world.auth, caller, request).await)
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: auth 11, security S13 (logout)
        async fn a_logout_ends_the_session_and_every_token_of_it(db: Db) {
            let world = World::new(db).await;
            let client = Some(world.born.marketplace_client_id);
            let first = log_in(&world).await;
            // Also those of a refresh in flight.
            let second = refresh_of(&world, client, first.refresh_token.clone()).await.unwrap();
            let caller = world.user(&world.claims(&first.access_token));
            for _ in 0..2 {
                let token = first.refresh_token.clone().unwrap();
                revoke_as(&world, caller.clone(), token).await.unwrap();
            }
            let sid = world.sid(&second).to_string();
            assert_eq!(world.revoked().await, [("sid".into(), sid, "revoked".into())]);
            for token in [first.refresh_token, second.refresh_token] {
                assert_eq!(refusal(refresh_of(&world, client, token).await).0, 401);
            }
        }

        // contract: security S13 (a foreign token)
        async fn a_foreign_or_unknown_token_is_answered_alike_and_nothing_ends(db: Db) {
            let world = World::new(db).await;
            let client = world.born.marketplace_client_id;
            let tokens = log_in(&world).await;
            let token = tokens.refresh_token.clone().unwrap();
            let own = world.user(&world.claims(&tokens.access_token));
            let sid = SessionId::random(&*world.entropy);
            let mut through_another = own.clone();
            through_another.actor.client = Some(ClientId::random(&*world.entropy));
            let mut with_an_operator = own.clone();
            with_an_operator.actor.level = Level::LimitedUser;
            for caller in [
                through_another,
                with_an_operator,
                world.caller(Actor::anonymous(Some(client))),
                world.caller(Actor::integration(client)),
            ] {
                assert!(revoke_as(&world, caller, token.clone()).await.is_ok());
            }
            // A user that the users service does not know is no user.
            let stranger = UserId::random(&*world.entropy);
            let stranger = world.caller(Actor::user(Level::User, stranger, client, sid));
            assert_eq!(refusal(revoke_as(&world, stranger, token.clone()).await).0, 403);
            assert!(revoke_as(&world, own, "srt_unknown".into()).await.is_ok());
            assert_eq!(world.revoked().await, []);
            assert!(refresh_of(&world, Some(client), Some(token)).await.is_ok());
        }

        // contract: auth 11, security 2.6
        async fn a_banned_user_who_logs_out_is_logged_out(db: Db) {
            let world = World::new(db).await;
            let tokens = log_in(&world).await;
            let own = world.user(&world.claims(&tokens.access_token));
            let banned = |access: &mut stoa_proto::users::UserAccess| access.state = "banned".into();
            world.users.say("user.banned", banned).await;
            world.service.drain().await.unwrap();
            let sid = world.sid(&tokens).to_string();
            for _ in 0..2 {
                let token = tokens.refresh_token.clone().unwrap();
                revoke_as(&world, own.clone(), token).await.unwrap();
            }
            let ends = world.revoked().await.into_iter().filter(|(kind, ..)| kind == "sid");
            assert_eq!(ends.collect::<Vec<_>>(), [("sid".into(), sid, "revoked".into())]);
        }

        async fn a_logout_after_the_own_deletion_is_401_as_the_refresh_is(db: Db) {
            let world = World::new(db).await;
            let tokens = log_in(&world).await;
            let own = world.user(&world.claims(&tokens.access_token));
            world.users.say("user.deleted", |access| {
                access.state = "deleted".into();
                access.epoch += 1;
            })
            .await;
            world.service.drain().await.unwrap();
            let token = tokens.refresh_token.unwrap();
            assert_eq!(refusal(revoke_as(&world, own, token.clone()).await).0, 401);
            let client = Some(world.born.marketplace_client_id);
            assert_eq!(refusal(refresh_of(&world, client, Some(token)).await).0, 401);
        }

        async fn integration_applications_and_operators_end_their_own_sessions_only(db: Db) {
            let world = World::new(db).await;
            let (client, born) = (world.born.integration_client_id, world.born.clone());
            let integration = stoa_proto::auth::GrantIntegrationRequest {
                client_id: client.to_string(),
                client_secret: born.integration_client_secret,
                source: String::new(),
            };
            let operator = stoa_proto::auth::GrantOperatorRequest {
                username: born.operator_email,
                password: born.operator_password,
                otp: None,
                source: String::new(),
            };
            let nobody = world.nobody();
            let integration =
                super::super::grant_integration::grant_integration(&world.auth, nobody.clone(), integration);
            let integration = told(integration.await).unwrap();
            let operator = super::super::grant_operator::grant_operator(&world.auth, nobody, operator);
            let operator = told(operator.await).unwrap();
            let other_operator = world.operator(stoa_policy::Role::Owner).await;
            let other_client = ClientId::random(&*world.entropy);
            let other_client = world.caller(Actor::integration(other_client));
            for (caller, tokens) in [(other_operator, &operator), (other_client, &integration)] {
                let token = tokens.refresh_token.clone().unwrap();
                assert!(revoke_as(&world, caller, token).await.is_ok());
            }
            assert_eq!(world.revoked().await, []);
            let id = world.claims(&operator.access_token).sub;
            let id = id.strip_prefix("op:").unwrap().parse().unwrap();
            let own = world.caller(Actor::operator(id, stoa_policy::Role::Owner));
            revoke_as(&world, own, operator.refresh_token.clone().unwrap()).await.unwrap();
            let own = world.caller(Actor::integration(client));
            revoke_as(&world, own, integration.refresh_token.clone().unwrap()).await.unwrap();
            assert_eq!(world.revoked().await.len(), 2);
            for (client, tokens) in [(None, operator), (Some(client), integration)] {
                assert_eq!(refusal(refresh_of(&world, client, tokens.refresh_token).await).0, 401);
            }
        }
    }
}
