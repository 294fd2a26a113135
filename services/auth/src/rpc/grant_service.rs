//! Gives a program of the owner its internal token, by the secret of an application of the kind
//! `internal`. There is no session: the token lives two minutes and is asked for anew.

use super::given;
use crate::Auth;
use crate::access;
use crate::audit;
use crate::domain::application::{Grant, Kind};
use crate::error::Error;
use crate::tokens::seconds;
use stoa_policy::Action;
use stoa_proto::auth::{GrantServiceRequest, TokenSet};
use stoa_rpc::Caller;

/// The scope of service tokens, on the wire only.
const SCOPE: &str = "service";

pub(super) async fn grant_service(
    auth: &Auth,
    caller: Caller,
    request: GrantServiceRequest,
) -> Result<TokenSet, Error> {
    let client = Some(request.client_id.clone());
    let work = decide(auth, &caller, request);
    audit::grant(auth, "grant.service", &caller, client, work).await
}

async fn decide(
    auth: &Auth,
    caller: &Caller,
    request: GrantServiceRequest,
) -> Result<TokenSet, Error> {
    access::may_grant(caller)?;
    given(&[
        ("client_id", &request.client_id),
        ("client_secret", &request.client_secret),
    ])?;
    let (application, _) = auth
        .applications
        .proven(
            &request.client_id,
            &request.client_secret,
            Kind::Internal,
            Grant::ClientCredentials,
            auth.real_clock.now(),
        )
        .await?;
    // What this release does not know any more is left out.
    let actions: Vec<Action> = application
        .actions
        .iter()
        .filter_map(|name| Action::from_name(name))
        .collect();
    let (access_token, life_s) = auth.identity.service_token(application.id, &actions);
    Ok(TokenSet {
        access_token,
        refresh_token: None,
        expires_in: seconds(life_s),
        scope: SCOPE.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::create_application::tests::{create, request};
    use crate::rpc::delete_application::tests::delete;
    use crate::rpc::grant_integration::tests::grant as grant_integration;
    use crate::rpc::rotate_secret::tests::run as rotate;
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use stoa_db::{Db, accounting};
    use stoa_policy::Role;
    use stoa_proto::auth::{Application, CreateApplicationRequest};
    use stoa_types::id::ClientId;

    async fn grant(world: &World, client: impl ToString, secret: &str) -> Told<TokenSet> {
        let request = GrantServiceRequest {
            client_id: client.to_string(),
            client_secret: secret.into(),
            source: "192.0.2.1".into(),
        };
        told(grant_service(&world.auth, world.nobody(), request).await)
    }

    async fn robot(world: &World, owner: &Caller) -> Application {
        let request = CreateApplicationRequest {
            actions: vec!["users.query".into(), "listings.query".into()],
            ..request("internal")
        };
        create(world, owner, request).await.unwrap()
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: auth 4 (internal caller), security 2.4 (internal callers)
        async fn an_internal_application_gets_a_short_token_that_names_its_actions(db: Db) {
            let world = World::new(db).await;
            let owner = world.operator(Role::Owner).await;
            let made = robot(&world, &owner).await;
            let secret = made.client_secret.clone().unwrap();
            let (tokens, statements) = accounting::scope(grant(&world, &made.id, &secret)).await;
            assert_eq!(statements.count, 1);
            let tokens = tokens.unwrap();
            assert_eq!((tokens.scope.as_str(), tokens.expires_in), ("service", 120));
            assert!(tokens.refresh_token.is_none());
            let header = stoa_rpc::keys::header(&tokens.access_token).unwrap();
            assert_eq!(header.typ, "stoa-internal+jwt");
            assert!(
                world.auth.tokens.keys.ring().verifying(&header.kid).is_none(),
                "not signed with the key of access tokens"
            );
            let claims = tokens.access_token.split('.').nth(1).unwrap();
            let claims = URL_SAFE_NO_PAD.decode(claims).unwrap();
            let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
            assert_eq!(claims["lvl"], "service");
            assert_eq!(claims["sub"], format!("app:{}", made.id));
            assert_eq!(claims["acts"], serde_json::json!(["users.query", "listings.query"]));
        }

        // contract: auth 4 (any other kind 401)
        async fn other_kinds_and_wrong_secrets_are_401(db: Db) {
            let world = World::new(db).await;
            let owner = world.operator(Role::Owner).await;
            let made = robot(&world, &owner).await;
            let secret = made.client_secret.unwrap();
            let born = world.born.clone();
            for (client, secret) in [
                (born.integration_client_id.to_string(), &born.integration_client_secret),
                (born.marketplace_client_id.to_string(), &born.marketplace_client_secret),
                (made.id.clone(), &born.integration_client_secret),
                ("robot".into(), &secret),
            ] {
                let answer = refusal(grant(&world, client, secret).await);
                assert_eq!((answer.0, answer.1.as_str()), UNAUTHORIZED);
            }
            // Nor does it get any other token.
            assert_eq!(refusal(grant_integration(&world, &made.id, &secret).await).0, 401);
        }

        // contract: security 2.4 (deleting the application or its secret ends new tokens)
        async fn the_end_of_the_secret_or_of_the_application_ends_new_tokens_at_once(db: Db) {
            let world = World::new(db).await;
            let owner = world.operator(Role::Owner).await;
            let made = robot(&world, &owner).await;
            let old = made.client_secret.clone().unwrap();
            let id = ClientId::parse(&made.id).unwrap();
            let rotated = rotate(&world, &owner, id, true).await.unwrap();
            let new = rotated.client_secret.unwrap();
            assert_eq!(refusal(grant(&world, id, &old).await).0, 401);
            assert!(grant(&world, id, &new).await.is_ok());
            delete(&world, &owner, &made.id).await.unwrap();
            assert_eq!(refusal(grant(&world, id, &new).await).0, 401);
        }
    }
}
