//! Exchanges a user's token for a trusted one, which carries the same user, session and counters
//! and lives shorter (RFC 8693, with the marketplace's parameters).

use super::given;
use crate::Auth;
use crate::access;
use crate::audit::{self, Refusal};
use crate::domain::application::{Application, Grant, Kind};
use crate::domain::audit::Entry;
use crate::domain::family::SessionKind;
use crate::error::Error;
use crate::store::{revocations, sessions};
use crate::tokens::Read;
use std::sync::Arc;
use stoa_policy::UserState;
use stoa_proto::auth::{ExchangeTokenRequest, TokenSet};
use stoa_rpc::Caller;
use stoa_rpc::access_token::{SCOPE_LIMITED, SCOPE_USER, Subject};
use stoa_types::Timestamp;

pub(super) async fn exchange_token(
    auth: &Auth,
    caller: Caller,
    request: ExchangeTokenRequest,
) -> Result<TokenSet, Error> {
    let client = Some(request.client_id.clone());
    let work = decide(auth, &caller, request);
    audit::grant(auth, "grant.exchange", &caller, client, work).await
}

async fn decide(
    auth: &Auth,
    caller: &Caller,
    request: ExchangeTokenRequest,
) -> Result<TokenSet, Error> {
    access::may_grant(caller)?;
    given(&[
        ("client_id", &request.client_id),
        ("client_secret", &request.client_secret),
        ("subject_token", &request.subject_token),
    ])?;
    let now = auth.real_clock.now();
    let application = trusted_application(auth, &request, now).await?;
    let subject = auth
        .tokens
        .read(&request.subject_token, now)
        .await?
        .filter(|subject| subject.claims.client_id == Some(application.id))
        .ok_or(Error::Unauthorized(Refusal::BAD_SUBJECT))?;
    let aep = subject.claims.aep.unwrap_or(0);
    if subject.claims.scope == SCOPE_LIMITED && aep >= application.epoch {
        check_alive(auth, &subject, now).await?;
        return Err(Error::Forbidden(Refusal::SUBJECT_MAY_NOT));
    }
    // Anything but a user's own plain token, a trusted one among it, is no subject.
    if subject.claims.scope != SCOPE_USER || aep < application.epoch {
        return Err(Error::Unauthorized(Refusal::BAD_SUBJECT));
    }
    let active = check_alive(auth, &subject, now).await?;
    let ring = auth.tokens.keys.with_active(&active).await?;
    let trusted = auth
        .tokens
        .trusted(&subject.claims, &ring, now, &*auth.entropy)?;
    let Subject::User(user) = subject.subject else {
        return Err(Error::Unauthorized(Refusal::BAD_SUBJECT));
    };
    let entry = Entry::of(caller, "grant.exchange", now, &*auth.entropy)
        .through(Some(&request.client_id))
        .of_user(Some(user));
    let entry = match subject.claims.sid {
        Some(sid) => entry.target("session", sid),
        None => entry,
    };
    audit::write_alone(auth, &entry).await?;
    Ok(trusted)
}

/// The application that proved its secret and may exchange.
async fn trusted_application(
    auth: &Auth,
    request: &ExchangeTokenRequest,
    now: Timestamp,
) -> Result<Arc<Application>, Error> {
    let (application, _) = auth
        .applications
        .proven(
            &request.client_id,
            &request.client_secret,
            Kind::Marketplace,
            Grant::TokenExchange,
            now,
        )
        .await?;
    if !application.trusted {
        let id = application.id;
        tracing::warn!(client.id = %id, "The application {id} may not exchange tokens");
        return Err(Error::Unauthorized(Refusal::NOT_TRUSTED));
    }
    Ok(application)
}

/// Whether the subject token still stands, after auth's own rows: a dead one is 401, so that the
/// client refreshes and tries again; a banned user's is 403. Returns the id of the key that signs now.
async fn check_alive(auth: &Auth, subject: &Read, now: Timestamp) -> Result<String, Error> {
    let claims = &subject.claims;
    let (Subject::User(user), Some(sid), Some(uep)) = (subject.subject, claims.sid, claims.uep)
    else {
        return Err(Error::Unauthorized(Refusal::BAD_SUBJECT));
    };
    let known = sessions::session(&auth.db, sid)
        .await?
        .ok_or(Error::Unauthorized(Refusal::BAD_SUBJECT))?;
    let session = &known.session;
    if session.kind != SessionKind::User || session.user != Some(user) {
        return Err(Error::Unauthorized(Refusal::BAD_SUBJECT));
    }
    let banned = match known.user {
        None => false,
        Some(standing) => {
            if standing.state == UserState::Deleted || standing.outdates(uep, sid) {
                return Err(Error::Unauthorized(Refusal::BAD_SUBJECT));
            }
            standing.state == UserState::Banned
        }
    };
    let (refused, active) =
        revocations::refuses(&auth.db, &claims.jti, &subject.kid, sid, claims.iat, now).await?;
    // Somebody who has logged out may be banned, too.
    if refused || now >= session.absolute_end {
        return Err(Error::Unauthorized(Refusal::BAD_SUBJECT));
    }
    // A ban ends the families of its moment, but their access tokens are alive: weak, not dead.
    if banned {
        return Err(Error::Forbidden(Refusal::SUBJECT_MAY_NOT));
    }
    if session.ended {
        return Err(Error::Unauthorized(Refusal::BAD_SUBJECT));
    }
    Ok(active)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::grant_password::tests::log_in;
    use crate::rpc::revoke::tests::revoke_as;
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use stoa_db::{Db, accounting, sql};
    use stoa_rpc::access_token::{AccessClaims, Act, SCOPE_ANONYMOUS, SCOPE_TRUSTED, TYP};
    use stoa_types::id::ClientId;

    async fn exchange(
        world: &World,
        client: ClientId,
        secret: &str,
        subject: &str,
    ) -> Told<TokenSet> {
        let request = ExchangeTokenRequest {
            client_id: client.to_string(),
            client_secret: secret.into(),
            subject_token: subject.into(),
            source: "192.0.2.1".into(),
        };
        told(exchange_token(&world.auth, world.nobody(), request).await)
    }

    async fn exchange_own(world: &World, subject: &str) -> Told<TokenSet> {
        let born = &world.born;
        exchange(
            world,
            born.marketplace_client_id,
            &born.marketplace_client_secret,
            subject,
        )
        .await
    }

    /// A token that auth itself might have signed.
    fn signed(world: &World, change: impl FnOnce(&mut AccessClaims), like: &TokenSet) -> String {
        let mut claims = world.claims(&like.access_token);
        change(&mut claims);
        world
            .auth
            .tokens
            .keys
            .ring()
            .active()
            .sign(TYP, &claims)
            .unwrap()
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: auth 15, security S21
        async fn a_trusted_token_keeps_user_session_and_epoch_and_lives_shorter(db: Db) {
            let world = World::new(db).await;
            let user = log_in(&world).await;
            let (trusted, statements) =
                accounting::scope(exchange_own(&world, &user.access_token)).await;
            let trusted = trusted.unwrap();
            // The last one writes the audit entry.
            assert_eq!(statements.count, 4);
            assert_eq!((trusted.scope.as_str(), trusted.expires_in), ("trusted:user", 600));
            assert_eq!(trusted.refresh_token, None);
            let (a, b) = (world.claims(&user.access_token), world.claims(&trusted.access_token));
            assert_eq!((&a.sub, a.sid, a.uep, a.client_id), (&b.sub, b.sid, b.uep, b.client_id));
            world.pass_s(3100);
            let late = exchange_own(&world, &user.access_token).await.unwrap();
            assert_eq!(late.expires_in, 500);
        }

        // contract: auth 17, auth 18, security S21
        async fn the_secret_must_be_that_of_the_application_that_got_the_subject_token(db: Db) {
            let world = World::new(db).await;
            let user = log_in(&world).await.access_token;
            let born = world.born.clone();
            let (other, its_secret) = world.another_application(true).await;
            for (client, secret) in [
                (born.marketplace_client_id, "scs_wrong"),
                (born.marketplace_client_id, its_secret.as_str()),
                (other, its_secret.as_str()),
                (born.integration_client_id, born.integration_client_secret.as_str()),
            ] {
                let answer = refusal(exchange(&world, client, secret, &user).await);
                assert_eq!((answer.0, answer.1.as_str()), UNAUTHORIZED);
            }
        }

        // contract: security S21
        async fn only_a_user_s_plain_token_is_a_subject(db: Db) {
            let world = World::new(db).await;
            let user = log_in(&world).await;
            let client = world.born.marketplace_client_id;
            let scope = |scope: &'static str| move |c: &mut AccessClaims| c.scope = scope.into();
            let anonymous = signed(&world, |c| {
                c.scope = SCOPE_ANONYMOUS.into();
                c.sub = format!("app:{client}");
                (c.sid, c.uep) = (None, None);
            }, &user);
            let other_installation = signed(&world, |c| c.iss = "urn:stoa:other".into(), &user);
            let other_marketplace = signed(&world, |c| c.mkt = "other".into(), &user);
            let trusted = signed(&world, scope(SCOPE_TRUSTED), &user);
            let integration = signed(&world, scope("integ"), &user);
            for subject in [
                "undefined", "a.b.c", &anonymous, &trusted, &integration, &other_installation,
                &other_marketplace, user.refresh_token.as_deref().unwrap(),
            ] {
                assert_eq!(refusal(exchange_own(&world, subject).await).0, 401, "{subject}");
            }
            let limited = signed(&world, |c| {
                c.scope = SCOPE_LIMITED.into();
                c.act = Some(Act { sub: format!("op:{client}") });
                c.oep = Some(0);
            }, &user);
            assert_eq!(refusal(exchange_own(&world, &limited).await), (403, "forbidden".into()));
        }

        // contract: auth 16, security S13
        async fn a_dead_subject_token_is_401_so_that_the_client_refreshes(db: Db) {
            let world = World::new(db).await;
            let expired = log_in(&world).await.access_token;
            world.pass_s(3600);
            assert_eq!(refusal(exchange_own(&world, &expired).await).0, 401);
            let ended = log_in(&world).await;
            let caller = world.user(&world.claims(&ended.access_token));
            revoke_as(&world, caller, ended.refresh_token.unwrap()).await.unwrap();
            assert_eq!(refusal(exchange_own(&world, &ended.access_token).await).0, 401);
            let reset = log_in(&world).await.access_token;
            world.users.say("user.epoch-raised", |access| access.epoch += 1).await;
            world.service.drain().await.unwrap();
            assert_eq!(refusal(exchange_own(&world, &reset).await).0, 401);
            let reported = log_in(&world).await.access_token;
            assert!(exchange_own(&world, &reported).await.is_ok());
            world
                .run(
                    sql("INSERT INTO revocation_log (id, kind, key, epoch, state, reason, at, keep_until)
                         VALUES ('1', 'jti', $1, 0, '', 'reported', 0, 9000000000000000)")
                    .bind(world.claims(&reported).jti),
                )
                .await;
            assert_eq!(refusal(exchange_own(&world, &reported).await).0, 401);
        }

        // contract: security S12 (exchange and ban), security S21
        async fn a_banned_user_is_403_and_a_deleted_one_401(db: Db) {
            let world = World::new(db).await;
            let user = log_in(&world).await.access_token;
            world.users.say("user.banned", |access| access.state = "banned".into()).await;
            world.service.drain().await.unwrap();
            assert_eq!(refusal(exchange_own(&world, &user).await), (403, "forbidden".into()));
            // Who has logged out as well is not weak, but gone.
            let tokens = log_in(&world).await;
            let own = world.user(&world.claims(&tokens.access_token));
            revoke_as(&world, own, tokens.refresh_token.unwrap()).await.unwrap();
            assert_eq!(refusal(exchange_own(&world, &tokens.access_token).await).0, 401);
            world.users.say("user.deleted", |access| access.state = "deleted".into()).await;
            world.service.drain().await.unwrap();
            assert_eq!(refusal(exchange_own(&world, &user).await).0, 401);
        }

        // contract: security S22
        async fn an_application_without_the_switch_or_the_grant_exchanges_nothing(db: Db) {
            let world = World::new(db).await;
            let user = log_in(&world).await.access_token;
            let refused = async || refusal(exchange_own(&world, &user).await).0;
            world.run(sql("UPDATE applications SET trusted = FALSE")).await;
            assert_eq!(refused().await, 401);
            world.run(sql("UPDATE applications SET trusted = TRUE, grants = 'password'")).await;
            assert_eq!(refused().await, 401);
            world
                .run(sql("UPDATE applications SET grants = 'token_exchange', deleted_at = 1"))
                .await;
            assert_eq!(refused().await, 401);
            world
                .run(sql("UPDATE applications SET deleted_at = NULL, epoch = 1"))
                .await;
            assert_eq!(refused().await, 401);
            world.run(sql("UPDATE applications SET epoch = 0")).await;
            assert!(exchange_own(&world, &user).await.is_ok());
        }
    }
}
