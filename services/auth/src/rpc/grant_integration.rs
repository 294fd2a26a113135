//! Lets an integration application in by its secret: a new session, tied to that secret.

use super::{given, open};
use crate::Auth;
use crate::access;
use crate::audit;
use crate::domain::application::{Grant, Kind};
use crate::domain::family::{Session, SessionKind};
use crate::error::Error;
use stoa_proto::auth::{GrantIntegrationRequest, TokenSet};
use stoa_rpc::Caller;
use stoa_types::id::SessionId;

pub(super) async fn grant_integration(
    auth: &Auth,
    caller: Caller,
    request: GrantIntegrationRequest,
) -> Result<TokenSet, Error> {
    let client = Some(request.client_id.clone());
    let work = decide(auth, &caller, request);
    audit::grant(auth, "grant.integration", &caller, client, work).await
}

async fn decide(
    auth: &Auth,
    caller: &Caller,
    request: GrantIntegrationRequest,
) -> Result<TokenSet, Error> {
    access::may_grant(caller)?;
    given(&[
        ("client_id", &request.client_id),
        ("client_secret", &request.client_secret),
    ])?;
    let now = auth.real_clock.now();
    let (application, secret) = auth
        .applications
        .proven(
            &request.client_id,
            &request.client_secret,
            Kind::Integration,
            Grant::ClientCredentials,
            now,
        )
        .await?;
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
    open(auth, &session, None).await
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::rpc::refresh::tests::refresh_of;
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use stoa_db::{Db, accounting, sql};
    use stoa_types::id::ClientId;

    pub(in crate::rpc) async fn grant(
        world: &World,
        client: impl ToString,
        secret: &str,
    ) -> Told<TokenSet> {
        let request = GrantIntegrationRequest {
            client_id: client.to_string(),
            client_secret: secret.into(),
            source: "192.0.2.1".into(),
        };
        told(grant_integration(&world.auth, world.nobody(), request).await)
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: auth 31, auth 32, auth 33
        async fn an_integration_application_gets_a_session_by_its_secret(db: Db) {
            let world = World::new(db).await;
            let (id, secret) = (
                world.born.integration_client_id,
                world.born.integration_client_secret.clone(),
            );
            let (tokens, statements) = accounting::scope(grant(&world, id, &secret)).await;
            assert_eq!(statements.count, 3);
            let tokens = tokens.unwrap();
            assert_eq!((tokens.scope.as_str(), tokens.expires_in), ("integ", 3600));
            let claims = world.claims(&tokens.access_token);
            assert_eq!((claims.sub, claims.aud), (format!("app:{id}"), "stoa:integration".into()));
            let refreshed = refresh_of(&world, Some(id), tokens.refresh_token).await.unwrap();
            assert_eq!(refreshed.scope, "integ");
            // Idle for 30 days: the secret still opens a new session.
            world.pass_s(30 * 86_400);
            let late = refresh_of(&world, Some(id), refreshed.refresh_token).await;
            assert_eq!(refusal(late).0, 401);
            assert!(grant(&world, id, &secret).await.is_ok());
        }

        async fn a_wrong_secret_or_kind_of_application_is_401(db: Db) {
            let world = World::new(db).await;
            let born = world.born.clone();
            for (client, secret) in [
                (born.integration_client_id, born.marketplace_client_secret.as_str()),
                (born.marketplace_client_id, &born.marketplace_client_secret),
                (ClientId::random(&*world.entropy), &born.integration_client_secret),
            ] {
                let answer = refusal(grant(&world, client, secret).await);
                assert_eq!((answer.0, answer.1.as_str()), UNAUTHORIZED);
            }
        }

        // contract: security S23
        async fn the_end_of_a_secret_ends_the_sessions_that_it_opened(db: Db) {
            let world = World::new(db).await;
            let id = world.born.integration_client_id;
            let secret = world.born.integration_client_secret.clone();
            let tokens = grant(&world, id, &secret).await.unwrap();
            let end = world.auth.real_clock.now().plus_ms(60_000);
            world
                .run(
                    sql("UPDATE client_secrets SET ends_at = $1 WHERE application_id = $2")
                        .bind(end)
                        .bind(id),
                )
                .await;
            world.pass_s(59);
            let tokens = refresh_of(&world, Some(id), tokens.refresh_token).await.unwrap();
            world.pass_s(1);
            assert_eq!(refusal(refresh_of(&world, Some(id), tokens.refresh_token).await).0, 401);
            assert_eq!(refusal(grant(&world, id, &secret).await).0, 401);
        }
    }
}
