//! A new application with its first secret, which the answer alone carries.

use super::SECRET_PREFIX;
use crate::Auth;
use crate::access;
use crate::audit;
use crate::domain::application::{Application, Kind, Secret};
use crate::domain::new_application;
use crate::error::Error;
use crate::store::applications;
use crate::view;
use serde_json::json;
use stoa_credentials::secret;
use stoa_policy::Action;
use stoa_proto::auth::{self as pb, CreateApplicationRequest};
use stoa_rpc::Caller;
use stoa_types::id::ClientId;

pub(super) async fn create_application(
    auth: &Auth,
    caller: Caller,
    request: CreateApplicationRequest,
) -> Result<pb::Application, Error> {
    let kind = new_application::check(&request).map_err(Error::Invalid)?;
    let now = auth.real_clock.now();
    let text = secret::generate(SECRET_PREFIX, &*auth.entropy);
    let secret = Secret::new(&text, now, &*auth.entropy);
    let id = ClientId::random(&*auth.entropy);
    let application = Application {
        redirect_uris: request.redirect_uris,
        actions: request.actions,
        trusted: kind == Kind::Marketplace && request.trusted.unwrap_or(true),
        ..Application::new(id, kind, request.name.trim(), secret)
    };
    let (caller, new) = (&caller, &application);
    auth.db
        .write(|tx| async move {
            applications::put_application(&tx, new).await?;
            access::may_write(&tx, &caller.actor, Action::CreateApplication).await?;
            let action = Action::CreateApplication.name();
            audit::command(&tx, auth, caller, action, |entry| {
                let made = json!({
                    "kind": new.kind.name(),
                    "name": new.name,
                    "redirectUris": new.redirect_uris,
                    "trusted": new.trusted,
                    "actions": new.actions,
                });
                entry
                    .target("application", new.id)
                    .changed(None, &[("application", None, Some(made))])
            })
            .await?;
            Ok::<(), Error>(())
        })
        .await?;
    Ok(pb::Application {
        client_secret: Some(text),
        ..view::application(&application, now)
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use stoa_db::{Db, accounting};
    use stoa_policy::{Actor, Role};
    use stoa_types::Clock as _;

    pub(in crate::rpc) fn request(kind: &str) -> CreateApplicationRequest {
        CreateApplicationRequest {
            kind: kind.into(),
            name: " Robot ".into(),
            redirect_uris: Vec::new(),
            trusted: None,
            actions: Vec::new(),
        }
    }

    pub(in crate::rpc) async fn create(
        world: &World,
        caller: &Caller,
        request: CreateApplicationRequest,
    ) -> Told<pb::Application> {
        told(create_application(&world.auth, caller.clone(), request).await)
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: operator applications/create, security S20, security S22
        async fn a_new_application_works_at_once_with_the_secret_that_is_shown_once(db: Db) {
            let world = World::new(db).await;
            let owner = world.operator(Role::Owner).await;
            let uri = "https://market.example/api/login-as";
            let web = CreateApplicationRequest {
                redirect_uris: vec![uri.into()],
                ..request("marketplace")
            };
            let (made, statements) = accounting::scope(create(&world, &owner, web)).await;
            // The application, its secret, the operator's row, the audit entry.
            assert_eq!(statements.count, 4);
            let made = made.unwrap();
            let secret = made.client_secret.clone().unwrap();
            assert!(secret.starts_with("scs_") && secret.len() == 47);
            assert_eq!((made.kind.as_str(), made.name.as_str()), ("marketplace", "Robot"));
            assert!(made.trusted);
            let id = ClientId::parse(&made.id).unwrap();
            let stored = applications::application(&world.auth.db, id).await.unwrap().unwrap();
            assert_eq!(stored.redirect_uris, [uri]);
            assert!(stored.secret(&secret, world.clock.now()).is_some());
            let partner = CreateApplicationRequest {
                trusted: Some(false),
                ..request("marketplace")
            };
            assert!(!create(&world, &owner, partner).await.unwrap().trusted);
            let robot = create(&world, &owner, request("integration")).await.unwrap();
            assert!(!robot.trusted);
        }

        // contract: security S28
        async fn only_an_owner_makes_applications(db: Db) {
            let world = World::new(db).await;
            let before = world.row::<(i64,)>("SELECT COUNT(*) FROM applications").await;
            for role in [Role::Staff, Role::ReadOnly] {
                let mut caller = world.operator(role).await;
                caller.actor.role = Some(Role::Owner);
                let answer = create(&world, &caller, request("integration")).await;
                assert_eq!(refusal(answer), (403, "forbidden".into()), "{role:?}");
            }
            let client = world.born.integration_client_id;
            let integration = world.caller(Actor::integration(client));
            assert_eq!(refusal(create(&world, &integration, request("integration")).await).0, 403);
            assert_eq!(world.row::<(i64,)>("SELECT COUNT(*) FROM applications").await, before);
        }

        async fn what_does_not_go_together_is_400(db: Db) {
            let world = World::new(db).await;
            let owner = world.operator(Role::Owner).await;
            let answer = create(&world, &owner, request("internal")).await;
            assert_eq!(refusal(answer), (400, "validation-invalid-value".into()));
        }
    }
}
