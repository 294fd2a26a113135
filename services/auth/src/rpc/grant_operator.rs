//! Logs an operator in. Operators have their own table and passwords: a user's credentials give
//! no operator token, and an operator's no user token.

use super::{given, open};
use crate::Auth;
use crate::access;
use crate::audit::{self, Refusal};
use crate::domain::audit::Entry;
use crate::domain::family::{Session, SessionKind};
use crate::error::Error;
use crate::store::operators::{self, Operator};
use stoa_policy::Level;
use stoa_proto::auth::{GrantOperatorRequest, TokenSet};
use stoa_rpc::Caller;
use stoa_types::id::SessionId;

pub(super) async fn grant_operator(
    auth: &Auth,
    caller: Caller,
    request: GrantOperatorRequest,
) -> Result<TokenSet, Error> {
    let client = None;
    let work = decide(auth, &caller, request);
    audit::grant(auth, "grant.operator", &caller, client, work).await
}

async fn decide(
    auth: &Auth,
    caller: &Caller,
    request: GrantOperatorRequest,
) -> Result<TokenSet, Error> {
    access::may_grant(caller)?;
    given(&[
        ("username", &request.username),
        ("password", &request.password),
    ])?;
    let operator = operators::operator_by_email(&auth.db, &request.username)
        .await?
        .filter(|operator| !operator.disabled);
    let tried = operator.as_ref().map(|found| found.id);
    let stored = operator.as_ref().and_then(Operator::password);
    // An unknown or disabled operator takes as long as a known one.
    let checked = auth.hasher.verify(request.password.clone(), stored).await?;
    let operator = operator.filter(|_| checked.ok).ok_or(Error::Unauthorized(
        Refusal::WRONG_PASSWORD.of_operator(tried),
    ))?;
    if checked.needs_rehash
        && let Err(error) = rehash(auth, &operator, request.password).await
    {
        // The password is right all the same; the next login tries again.
        tracing::warn!(operator.id = %operator.id, error = %error, "A password was not hashed anew");
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
    let entry = Entry::of(caller, "grant.operator", now, &*auth.entropy);
    let entry = Entry {
        operator: operator.id.to_string(),
        level: Level::Operator.name().to_owned(),
        ..entry
    };
    open(auth, &session, Some(entry.target("session", session.id))).await
}

/// Stores a hash of the present cost in the place of the one that was checked.
async fn rehash(auth: &Auth, operator: &Operator, password: String) -> Result<(), Error> {
    let hash = &auth.hasher.hash(password).await?;
    auth.db
        .write(|tx| async move {
            operators::rehash(&tx, operator.id, &operator.password_hash, hash).await
        })
        .await?;
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use stoa_db::{Db, sql};

    pub(in crate::rpc) async fn log_in(
        world: &World,
        username: &str,
        password: &str,
    ) -> Told<TokenSet> {
        let request = GrantOperatorRequest {
            username: username.into(),
            password: password.into(),
            otp: None,
            source: "192.0.2.1".into(),
        };
        told(grant_operator(&world.auth, world.nobody(), request).await)
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: auth 42, operator 14
        async fn operators_have_credentials_of_their_own(db: Db) {
            let world = World::new(db).await;
            let password = world.born.operator_password.clone();
            let tokens = log_in(&world, " Owner@Example.COM ", &password).await.unwrap();
            assert_eq!((tokens.scope.as_str(), tokens.expires_in), ("operator", 900));
            assert!(tokens.refresh_token.unwrap().starts_with("srt_"));
            let claims = world.claims(&tokens.access_token);
            assert!(claims.sub.starts_with("op:") && claims.client_id.is_none());
            assert_eq!((claims.aud.as_str(), claims.oep), ("stoa:operator", Some(0)));
            assert_eq!(claims.auth_time, Some(claims.iat));
            for (username, password) in [
                ("owner@example.com", "wrong"),
                ("nobody@example.com", password.as_str()),
                (EMAIL, PASSWORD),
            ] {
                let answer = log_in(&world, username, password).await;
                assert_eq!(refusal(answer), (401, "unauthorized".into()), "{username}");
            }
        }

        // contract: security S13 (operator disabled)
        async fn a_disabled_operator_neither_logs_in_nor_refreshes(db: Db) {
            let world = World::new(db).await;
            let password = world.born.operator_password.clone();
            let tokens = log_in(&world, "owner@example.com", &password).await.unwrap();
            world.run(sql("UPDATE operators SET disabled_at = 1, epoch = epoch + 1")).await;
            let answer = log_in(&world, "owner@example.com", &password).await;
            assert_eq!(refusal(answer).0, 401);
            let request = stoa_proto::auth::RefreshRequest {
                client_id: None,
                refresh_token: tokens.refresh_token.unwrap(),
                source: String::new(),
            };
            let answer = super::super::refresh::refresh(&world.auth, world.nobody(), request).await;
            assert_eq!(refusal(told(answer)).0, 401);
        }
    }
}
