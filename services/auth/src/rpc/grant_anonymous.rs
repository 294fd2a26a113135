//! Grants an anonymous token: writes nothing, and in the common case asks the database nothing.

use super::given;
use crate::Auth;
use crate::access;
use crate::audit::{self, Refusal};
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
    let client = Some(request.client_id.clone());
    let work = decide(auth, &caller, request);
    audit::grant(auth, "grant.anonymous", &caller, client, work).await
}

async fn decide(
    auth: &Auth,
    caller: &Caller,
    request: GrantAnonymousRequest,
) -> Result<TokenSet, Error> {
    access::may_grant(caller)?;
    given(&[("client_id", &request.client_id)])?;
    let (kind, grant) = (Kind::Marketplace, Grant::ClientCredentials);
    let now = auth.real_clock.now();
    let application = match &request.client_secret {
        None => {
            let id = ClientId::parse(&request.client_id)
                .map_err(|_| Error::Unauthorized(Refusal::UNKNOWN_CLIENT))?;
            let found = auth.applications.known(id).await?;
            let found = found.filter(|found| found.may(kind, grant));
            found.ok_or(Error::Unauthorized(Refusal::UNKNOWN_CLIENT))?
        }
        Some(secret) => {
            let proven = auth
                .applications
                .proven(&request.client_id, secret, kind, grant, now);
            proven.await?.0
        }
    };
    auth.anonymous
        .grant(&application, &auth.tokens, now, &*auth.entropy)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use stoa_db::{Db, accounting};

    async fn grant(world: &World, client: impl ToString, secret: Option<&str>) -> Told<TokenSet> {
        let request = GrantAnonymousRequest {
            client_id: client.to_string(),
            client_secret: secret.map(str::to_owned),
        };
        told(grant_anonymous(&world.auth, world.nobody(), request).await)
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: security S6, auth 1
        async fn all_callers_of_an_application_share_one_token_a_minute_without_a_statement(db: Db) {
            let world = World::new(db).await;
            let client = world.born.marketplace_client_id;
            let first = grant(&world, client, None).await.unwrap();
            assert_eq!((first.scope.as_str(), first.expires_in), ("public-read", 3600));
            assert_eq!(first.refresh_token, None);
            let (last, statements) = accounting::scope(async {
                let mut last = first.clone();
                for _ in 0..1000 {
                    last = grant(&world, client, None).await.unwrap();
                }
                last
            })
            .await;
            assert_eq!((last, statements.count), (first.clone(), 0));
            world.pass_s(59);
            let late = grant(&world, client, None).await.unwrap();
            assert_eq!((&late.access_token, late.expires_in), (&first.access_token, 3541));
            world.pass_s(1);
            let next = grant(&world, client, None).await.unwrap();
            assert_ne!(next.access_token, first.access_token);
            assert_eq!(next.expires_in, 3600);
            let claims = world.claims(&next.access_token);
            assert_eq!(claims.sub, format!("app:{client}"));
            assert!(claims.sid.is_none() && claims.subject().is_some());
            assert_eq!(world.row::<(i64,)>("SELECT COUNT(*) FROM sessions").await, (0,));
        }

        async fn only_a_marketplace_application_grants_it_and_a_secret_that_is_sent_must_be_right(db: Db) {
            let world = World::new(db).await;
            let born = world.born.clone();
            let client = born.marketplace_client_id;
            let secret = born.marketplace_client_secret.as_str();
            assert!(grant(&world, client, Some(secret)).await.is_ok());
            let wrong = Some("undefined");
            assert_eq!(refusal(grant(&world, client, wrong).await).0, 401);
            let unknown = ClientId::random(&*world.entropy);
            for id in [born.integration_client_id.to_string(), unknown.to_string(), "x".into()] {
                let answer = refusal(grant(&world, id, None).await);
                assert_eq!((answer.0, answer.1.as_str()), UNAUTHORIZED);
            }
            assert_eq!(refusal(grant(&world, "", None).await), (400, "bad-request".into()));
        }
    }
}
