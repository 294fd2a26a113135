//! Grants an anonymous token: writes nothing, and in the common case asks the database nothing.

use super::given;
use crate::Auth;
use crate::access;
use crate::domain::application::{Grant, Kind};
use crate::error::Error;
use stoa_proto::auth::{GrantAnonymousRequest, TokenSet};
use stoa_rpc::Caller;
use stoa_types::id::ClientId;

pub(super) async fn grant_anonymous(
    auth: &Auth,
    caller: Caller,
    request: GrantAnonymousRequest,
) -> Result<TokenSet, Error> {
    access::may_grant(&caller)?;
    given(&[("client_id", &request.client_id)])?;
    let id = ClientId::parse(&request.client_id).map_err(|_| Error::Unauthorized)?;
    let now = auth.real_clock.now();
    let found = match &request.client_secret {
        None => auth.applications.known(id).await?,
        Some(_) => auth.applications.now(id).await?,
    };
    let application = found
        .filter(|found| found.may(Kind::Marketplace, Grant::ClientCredentials))
        .ok_or(Error::Unauthorized)?;
    if let Some(secret) = &request.client_secret {
        application.secret(secret, now).ok_or(Error::Unauthorized)?;
    }
    auth.anonymous
        .grant(&application, &auth.tokens, now, &*auth.entropy)
}
