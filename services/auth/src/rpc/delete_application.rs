//! Deletes an application: its tokens, sessions and secrets end at once.

use crate::Auth;
use crate::access;
use crate::audit;
use crate::domain::revocation::Entry;
use crate::error::Error;
use crate::events;
use crate::store::{applications, sessions};
use crate::view;
use stoa_feed::Origin;
use stoa_policy::Action;
use stoa_proto::auth::{self as pb, DeleteApplicationRequest};
use stoa_rpc::Caller;

pub(super) async fn delete_application(
    auth: &Auth,
    caller: Caller,
    request: DeleteApplicationRequest,
) -> Result<pb::Application, Error> {
    let id = super::application_id(&request.id)?;
    let now = auth.real_clock.now();
    let (caller, origin) = (&caller, &Origin::of(&caller));
    let deleted = auth
        .db
        .write(|tx| async move {
            access::may_write(&tx, &caller.actor, Action::DeleteApplication).await?;
            if !applications::delete(&tx, id, now).await? {
                return Err(Error::UnknownApplication);
            }
            let found = applications::application_in(&tx, id)
                .await?
                .ok_or(Error::UnknownApplication)?;
            sessions::end_of_client(&tx, id, "application-deleted", now).await?;
            let told = events::application_end(id, None, now, origin, now, &*auth.entropy);
            stoa_feed::emit(&tx, [told]).await?;
            let entry = Entry::application_deleted(id, &auth.tokens.lifetimes, now);
            events::revoke(&tx, &[entry], origin, &*auth.entropy).await?;
            let action = Action::DeleteApplication.name();
            audit::command(&tx, auth, caller, action, |entry| {
                entry
                    .target("application", id)
                    .changed(None, &[("deleted", Some(false.into()), Some(true.into()))])
            })
            .await?;
            Ok(found)
        })
        .await?;
    auth.applications.forget(id);
    Ok(view::application(&deleted, now))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::rpc::Rpc;
    use crate::rpc::create_application::tests::{create, request};
    use crate::rpc::grant_password::tests::log_in;
    use crate::rpc::refresh::tests::refresh_of;
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use std::sync::Arc;
    use stoa_db::Db;
    use stoa_policy::Role;
    use stoa_proto::auth::auth_server::Auth as _;
    use stoa_proto::events::envelope::Payload;
    use stoa_testkit::engine::Place;
    use stoa_types::Clock as _;

    pub(in crate::rpc) async fn delete(
        world: &World,
        caller: &Caller,
        id: &str,
    ) -> Told<pb::Application> {
        let request = DeleteApplicationRequest { id: id.into() };
        told(delete_application(&world.auth, caller.clone(), request).await)
    }

    async fn anonymous(world: &World, auth: &Arc<Auth>) -> bool {
        let mut request = tonic::Request::new(pb::GrantAnonymousRequest {
            client_id: world.born.marketplace_client_id.to_string(),
            client_secret: None,
        });
        request.extensions_mut().insert(world.nobody());
        Rpc(Arc::clone(auth)).grant_anonymous(request).await.is_ok()
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: operator 11, security S13 (application deleted)
        async fn a_deleted_application_is_unknown_and_its_sessions_are_over(db: Db) {
            let world = World::new(db).await;
            let owner = world.operator(Role::Owner).await;
            let client = world.born.marketplace_client_id;
            let tokens = log_in(&world).await;
            assert!(anonymous(&world, &world.auth).await);
            let deleted = delete(&world, &owner, &client.to_string()).await.unwrap();
            assert_eq!(deleted.id, client.to_string());
            assert!(!anonymous(&world, &world.auth).await, "its client id is unknown");
            let refreshed = refresh_of(&world, Some(client), tokens.refresh_token).await;
            assert_eq!(refusal(refreshed).0, 401);
            let key = client.to_string();
            assert_eq!(
                world.revoked().await,
                [("app".into(), key.clone(), "application-deleted".into())]
            );
            let ends: Vec<_> = world
                .envelopes()
                .await
                .into_iter()
                .filter_map(|e| match e.payload {
                    Some(Payload::ApplicationEnd(end)) => Some((e.r#type, end)),
                    _ => None,
                })
                .collect();
            let end = pb::ApplicationEnd {
                client_id: key.clone(),
                secret_id: None,
                ends_at_ms: world.clock.now().as_ms(),
            };
            assert_eq!(ends, [("application.deleted".into(), end)]);
            for unknown in [key, world.born.operator_email.clone()] {
                let again = refusal(delete(&world, &owner, &unknown).await);
                let code = if unknown.contains('@') {
                    (400, "validation-invalid-value".into())
                } else {
                    (409, "application-not-found".into())
                };
                assert_eq!(again, code);
            }
        }

        // contract: operator 11 (two replicas)
        async fn another_replica_forgets_a_deleted_application(place: Place) {
            let world = World::new(place.open().await).await;
            let owner = world.operator(Role::Owner).await;
            let other = world.replica(place.open().await).await;
            other.start();
            let auth = Arc::clone(&other.0.auth);
            assert!(anonymous(&world, &auth).await);
            delete(&world, &owner, &world.born.marketplace_client_id.to_string()).await.unwrap();
            let head = {
                world.auth.sequencer.pass().await.unwrap();
                world.auth.sequencer.progress().borrow().head
            };
            other.0.follower.reached(head).await;
            assert!(!anonymous(&world, &auth).await);
            other.0.tasks.shut_down().await;
        }

        async fn only_an_owner_deletes_an_application(db: Db) {
            let world = World::new(db).await;
            let owner = world.operator(Role::Owner).await;
            let robot = create(&world, &owner, request("integration")).await.unwrap();
            for role in [Role::Staff, Role::ReadOnly] {
                let caller = world.operator(role).await;
                assert_eq!(refusal(delete(&world, &caller, &robot.id).await).0, 403);
            }
            assert!(delete(&world, &owner, &robot.id).await.is_ok());
        }
    }
}
