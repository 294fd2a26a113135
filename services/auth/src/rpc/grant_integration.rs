//! Lets an integration application in by its secret: a new session, tied to that secret.

use super::{given, open};
use crate::Auth;
use crate::access;
use crate::domain::application::{Grant, Kind};
use crate::domain::family::{Session, SessionKind};
use crate::error::Error;
use stoa_proto::auth::{GrantIntegrationRequest, TokenSet};
use stoa_rpc::Caller;
use stoa_types::id::{ClientId, SessionId};

pub(super) async fn grant_integration(
    auth: &Auth,
    caller: Caller,
    request: GrantIntegrationRequest,
) -> Result<TokenSet, Error> {
    access::may_grant(&caller)?;
    given(&[
        ("client_id", &request.client_id),
        ("client_secret", &request.client_secret),
    ])?;
    let id = ClientId::parse(&request.client_id).map_err(|_| Error::Unauthorized)?;
    let now = auth.real_clock.now();
    let application = auth
        .applications
        .now(id)
        .await?
        .filter(|found| found.may(Kind::Integration, Grant::ClientCredentials))
        .ok_or(Error::Unauthorized)?;
    let secret = application
        .secret(&request.client_secret, now)
        .ok_or(Error::Unauthorized)?;
    let ends = auth.tokens.lifetimes.integration;
    let session = Session {
        id: SessionId::random(&*auth.entropy),
        kind: SessionKind::Integration,
        user: None,
        client: Some(application.id),
        operator: None,
        secret: Some(secret),
        user_epoch: 0,
        application_epoch: application.epoch,
        operator_epoch: 0,
        started_at: now,
        refreshed_at: now,
        absolute_end: now.plus_ms(ends.absolute_s * 1000),
        ended: false,
    };
    open(auth, &session).await
}
