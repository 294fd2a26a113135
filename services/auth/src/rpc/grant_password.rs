//! Logs a user in with e-mail address and password: a new session.

use super::{given, open};
use crate::Auth;
use crate::access;
use crate::audit::{self, Refusal};
use crate::domain::application::{Application, Grant, Kind};
use crate::domain::family::{Session, SessionKind};
use crate::error::Error;
use std::sync::Arc;
use stoa_feed::projections::actors::decode;
use stoa_policy::{UserAccess, UserState};
use stoa_proto::Class;
use stoa_proto::auth::{GrantPasswordRequest, TokenSet};
use stoa_proto::users::CheckPasswordRequest;
use stoa_proto::users::users_client::UsersClient;
use stoa_rpc::{Caller, status};
use stoa_types::id::{ClientId, RequestId, SessionId, UserId};

pub(super) async fn grant_password(
    auth: &Auth,
    caller: Caller,
    request: GrantPasswordRequest,
) -> Result<TokenSet, Error> {
    let client = Some(request.client_id.clone());
    let work = decide(auth, &caller, request);
    audit::grant(auth, "grant.password", &caller, client, work).await
}

async fn decide(
    auth: &Auth,
    caller: &Caller,
    request: GrantPasswordRequest,
) -> Result<TokenSet, Error> {
    access::may_grant(caller)?;
    given(&[
        ("client_id", &request.client_id),
        ("username", &request.username),
        ("password", &request.password),
    ])?;
    let Some(application) = application(auth, &request.client_id).await? else {
        // As much work as for a known one.
        auth.hasher.verify(request.password, None).await?;
        return Err(Error::Unauthorized(Refusal::UNKNOWN_CLIENT));
    };
    let (user, access) = check_password(auth, caller, request.username, request.password)
        .await?
        .filter(|(_, access)| access.state != UserState::Deleted)
        .ok_or(Error::Unauthorized(Refusal::WRONG_PASSWORD))?;
    let now = auth.real_clock.now();
    let ends = auth.tokens.lifetimes.user;
    let session = Session {
        id: SessionId::random(&*auth.entropy),
        kind: SessionKind::User,
        user: Some(user),
        client: Some(application.id),
        operator: None,
        secret: None,
        // As it was when the password was checked: a reset in between makes this session dead.
        user_epoch: access.epoch,
        application_epoch: application.epoch,
        operator_epoch: 0,
        started_at: now,
        refreshed_at: now,
        absolute_end: now.plus_ms(ends.absolute_s * 1000),
        ended: false,
    };
    open(auth, &session, None).await
}

async fn application(auth: &Auth, client_id: &str) -> Result<Option<Arc<Application>>, Error> {
    let Ok(id) = ClientId::parse(client_id) else {
        return Ok(None);
    };
    let found = auth.applications.known(id).await?;
    Ok(found.filter(|found| found.may(Kind::Marketplace, Grant::Password)))
}

/// Asks the users service. Nothing: refused, whatever the reason.
async fn check_password(
    auth: &Auth,
    caller: &Caller,
    email: String,
    password: String,
) -> Result<Option<(UserId, UserAccess)>, Error> {
    let request = caller
        .request
        .unwrap_or_else(|| RequestId::random(&*auth.entropy));
    let credentials = auth
        .identity
        .system(&format!("login {request}"), Class::Read, request);
    let answer = UsersClient::new(auth.users.clone())
        .check_password(credentials.request(CheckPasswordRequest { email, password }))
        .await
        .map_err(|refusal| Error::Peer(status::from_status(&refusal)))?;
    let access = answer.into_inner().user;
    Ok(access.as_ref().map(decode).transpose()?)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use stoa_db::{Db, accounting};

    /// The played user logs in.
    pub(in crate::rpc) async fn log_in(world: &World) -> TokenSet {
        log_in_as(world, EMAIL, PASSWORD).await.unwrap()
    }

    async fn log_in_as(world: &World, username: &str, password: &str) -> Told<TokenSet> {
        log_in_at(
            world,
            &world.born.marketplace_client_id.to_string(),
            username,
            password,
        )
        .await
    }

    pub(in crate::rpc) async fn log_in_at(
        world: &World,
        client: &str,
        username: &str,
        password: &str,
    ) -> Told<TokenSet> {
        let request = GrantPasswordRequest {
            client_id: client.into(),
            username: username.into(),
            password: password.into(),
            source: "192.0.2.1".into(),
        };
        told(grant_password(&world.auth, world.nobody(), request).await)
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: auth 3
        async fn a_login_opens_a_session_with_the_epoch_of_the_password_check(db: Db) {
            let world = World::new(db).await;
            world.users.change(|access| access.epoch = 5);
            let (tokens, statements) = accounting::scope(log_in(&world)).await;
            // The application, the session, its token.
            assert_eq!(statements.count, 3);
            assert_eq!((tokens.scope.as_str(), tokens.expires_in), ("user", 3600));
            let claims = world.claims(&tokens.access_token);
            assert_eq!(claims.sub, format!("user:{}", world.users.alice));
            assert_eq!((claims.uep, claims.aep, claims.oep), (Some(5), Some(0), None));
            assert_eq!(claims.client_id, Some(world.born.marketplace_client_id));
            assert_eq!(claims.exp - claims.iat, 3600);
            assert!(claims.iss.starts_with("urn:stoa:") && claims.subject().is_some());
            assert_eq!(claims.jti.len(), 22);
            let (_, again) = accounting::scope(log_in(&world)).await;
            assert_eq!(again.count, 2);
        }

        // contract: auth 4, auth 5, auth 42
        async fn every_wrong_credential_is_the_same_401(db: Db) {
            let world = World::new(db).await;
            let born = world.born.clone();
            let client = born.marketplace_client_id.to_string();
            let operator = (born.operator_email.as_str(), born.operator_password.as_str());
            let integration = born.integration_client_id.to_string();
            for (client, username, password) in [
                (client.as_str(), EMAIL, "wrong"),
                (&client, "nobody@example.com", PASSWORD),
                (&client, operator.0, operator.1),
                (&integration, EMAIL, PASSWORD),
                ("undefined", EMAIL, PASSWORD),
            ] {
                let answer = refusal(log_in_at(&world, client, username, password).await);
                assert_eq!((answer.0, answer.1.as_str()), UNAUTHORIZED, "{username}");
            }
            let answer = log_in_at(&world, &client, EMAIL, "").await;
            assert_eq!(refusal(answer), (400, "bad-request".into()));
            assert_eq!(world.row::<(i64,)>("SELECT COUNT(*) FROM sessions").await, (0,));
        }

        // contract: auth 41 (new login), security W18
        async fn banned_users_log_in_and_deleted_ones_do_not(db: Db) {
            let world = World::new(db).await;
            world.users.change(|access| access.state = "banned".into());
            assert!(log_in_as(&world, EMAIL, PASSWORD).await.is_ok());
            world.users.change(|access| access.state = "deleted".into());
            assert_eq!(refusal(log_in_as(&world, EMAIL, PASSWORD).await).0, 401);
        }

        // contract: security S16 (our own trouble is never 401)
        async fn without_the_users_service_the_answer_is_503(db: Db) {
            let world = World::new(db).await;
            world.users.hang_up();
            assert_eq!(refusal(log_in_as(&world, EMAIL, PASSWORD).await).0, 503);
        }

        // contract: auth 37
        async fn the_longest_token_set_fits_into_the_cookie_of_the_client(db: Db) {
            let world = World::new(db).await;
            world.users.change(|access| access.epoch = i64::MAX);
            let tokens = log_in(&world).await;
            let refresh = tokens.refresh_token.unwrap();
            assert!(tokens.access_token.len() + refresh.len() <= 2500);
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.~".contains(c);
            assert!(tokens.access_token.chars().chain(refresh.chars()).all(plain));
        }
    }
}
