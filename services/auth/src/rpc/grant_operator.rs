//! Logs an operator in. Operators have their own table and passwords: a user's credentials give
//! no operator token, and an operator's no user token.

use super::{given, open};
use crate::Auth;
use crate::access;
use crate::domain::family::{Session, SessionKind};
use crate::error::Error;
use crate::store::operators;
use stoa_proto::auth::{GrantOperatorRequest, TokenSet};
use stoa_rpc::Caller;
use stoa_types::id::SessionId;

pub(super) async fn grant_operator(
    auth: &Auth,
    caller: Caller,
    request: GrantOperatorRequest,
) -> Result<TokenSet, Error> {
    access::may_grant(&caller)?;
    given(&[
        ("username", &request.username),
        ("password", &request.password),
    ])?;
    let operator = operators::operator_by_email(&auth.db, &request.username)
        .await?
        .filter(|operator| !operator.disabled);
    let stored = operator.as_ref().map(|found| found.password_hash.clone());
    // An unknown or disabled operator takes as long as a known one.
    let checked = auth.hasher.verify(request.password.clone(), stored).await?;
    let operator = operator.filter(|_| checked.ok).ok_or(Error::Unauthorized)?;
    if checked.needs_rehash {
        let hash = auth.hasher.hash(request.password).await?;
        let (id, old, new) = (operator.id, &operator.password_hash, &hash);
        auth.db
            .write(|tx| async move { operators::rehash(&tx, id, old, new).await })
            .await?;
    }
    let now = auth.real_clock.now();
    let ends = auth.tokens.lifetimes.operator;
    let session = Session {
        id: SessionId::random(&*auth.entropy),
        kind: SessionKind::Operator,
        user: None,
        client: None,
        operator: Some(operator.id),
        secret: None,
        user_epoch: 0,
        application_epoch: 0,
        operator_epoch: operator.epoch,
        started_at: now,
        refreshed_at: now,
        absolute_end: now.plus_ms(ends.absolute_s * 1000),
        ended: false,
    };
    open(auth, &session).await
}
