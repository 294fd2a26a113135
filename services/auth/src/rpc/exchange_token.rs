//! Exchanges a user's token for a trusted one, which carries the same user, session and counters
//! and lives shorter (RFC 8693, with the marketplace's parameters).

use super::given;
use crate::Auth;
use crate::access;
use crate::domain::application::{Application, Grant, Kind};
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
use stoa_types::id::ClientId;

pub(super) async fn exchange_token(
    auth: &Auth,
    caller: Caller,
    request: ExchangeTokenRequest,
) -> Result<TokenSet, Error> {
    access::may_grant(&caller)?;
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
        .filter(|subject| subject.claims.client_id == Some(application.id))
        .ok_or(Error::Unauthorized)?;
    let aep = subject.claims.aep.unwrap_or(0);
    if subject.claims.scope == SCOPE_LIMITED && aep >= application.epoch {
        check_alive(auth, &subject, now).await?;
        return Err(Error::Forbidden);
    }
    // Anything but a user's own plain token, a trusted one among it, is no subject.
    if subject.claims.scope != SCOPE_USER || aep < application.epoch {
        return Err(Error::Unauthorized);
    }
    check_alive(auth, &subject, now).await?;
    auth.tokens.trusted(&subject.claims, now, &*auth.entropy)
}

/// The application that proved its secret and may exchange.
async fn trusted_application(
    auth: &Auth,
    request: &ExchangeTokenRequest,
    now: Timestamp,
) -> Result<Arc<Application>, Error> {
    let id = ClientId::parse(&request.client_id).map_err(|_| Error::Unauthorized)?;
    let application = auth
        .applications
        .now(id)
        .await?
        .filter(|found| found.may(Kind::Marketplace, Grant::TokenExchange))
        .ok_or(Error::Unauthorized)?;
    application
        .secret(&request.client_secret, now)
        .ok_or(Error::Unauthorized)?;
    if !application.trusted {
        tracing::warn!(client.id = %id, "The application {id} may not exchange tokens");
        return Err(Error::Unauthorized);
    }
    Ok(application)
}

/// Whether the subject token still stands, after auth's own rows: a dead one is 401, so that the
/// client refreshes and tries again; a banned user's is 403.
async fn check_alive(auth: &Auth, subject: &Read, now: Timestamp) -> Result<(), Error> {
    let claims = &subject.claims;
    let (Subject::User(user), Some(sid), Some(uep)) = (subject.subject, claims.sid, claims.uep)
    else {
        return Err(Error::Unauthorized);
    };
    let known = sessions::session(&auth.db, sid)
        .await?
        .ok_or(Error::Unauthorized)?;
    let session = &known.session;
    if session.kind != SessionKind::User || session.user != Some(user) {
        return Err(Error::Unauthorized);
    }
    let banned = match known.user {
        None => false,
        Some(standing) => {
            if standing.state == UserState::Deleted || standing.outdates(uep, sid) {
                return Err(Error::Unauthorized);
            }
            standing.state == UserState::Banned
        }
    };
    // A ban ends the families of its moment, but their access tokens are alive: weak, not dead.
    if banned {
        return Err(Error::Forbidden);
    }
    if session.ended || now >= session.absolute_end {
        return Err(Error::Unauthorized);
    }
    if revocations::refuses(&auth.db, &claims.jti, &subject.kid, claims.iat, now).await? {
        return Err(Error::Unauthorized);
    }
    Ok(())
}
