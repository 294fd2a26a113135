//! Logs a user in with e-mail address and password: a new session.

use super::{given, open};
use crate::Auth;
use crate::access;
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
    access::may_grant(&caller)?;
    given(&[
        ("client_id", &request.client_id),
        ("username", &request.username),
        ("password", &request.password),
    ])?;
    let Some(application) = application(auth, &request.client_id).await? else {
        // As much work as for a known one.
        auth.hasher.verify(request.password, None).await?;
        return Err(Error::Unauthorized);
    };
    let (user, access) = check_password(auth, &caller, request.username, request.password)
        .await?
        .filter(|(_, access)| access.state != UserState::Deleted)
        .ok_or(Error::Unauthorized)?;
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
    open(auth, &session).await
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
