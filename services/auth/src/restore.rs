//! What makes a restored copy of the store safe to serve: nothing that was
//! issued before the restore works, and nothing that ended after the copy was made comes back.

use crate::domain::audit::{Entry as AuditEntry, HOST};
use crate::domain::lifetimes::Lifetimes;
use crate::domain::revocation::Entry;
use crate::domain::rotation::{self, State};
use crate::domain::seal::MasterKey;
use crate::store::{applications, audit, keys, sessions};
use crate::{events, signing};
use stoa_db::{Db, DbError};
use stoa_feed::Origin;
use stoa_policy::Actor;
use stoa_types::id::ClientId;
use stoa_types::{Clock, Entropy, Timestamp};
use uuid::Uuid;

/// Longest life that configuration can give an access token, in seconds.
const LONGEST_ACCESS_S: i64 = 86_400;

/// What ended after the copy was made, as the events `application.deleted` and
/// `application.secret-ended` told it.
#[derive(Clone, Debug, Default)]
pub struct Ended {
    /// Deleted applications, with the time of the deletion.
    pub applications: Vec<(ClientId, Timestamp)>,
    /// Ended client secrets by their ids, with the time of the end; it may lie ahead.
    pub secrets: Vec<(Uuid, Timestamp)>,
}

/// Sets the floor to the next second, revokes every session and every signing key, makes a fresh
/// key, and ends what the ledger names, with an envelope for each, in one transaction. Run it on a
/// restored store before anything serves; running it again is harmless.
///
/// A key of the copy may have been revoked since, so none of them signs again. `clock` is the real
/// clock; `master_key` seals the fresh key and must be the one that auth will start with.
///
/// # Errors
/// Those of the database; nothing is changed then.
pub async fn restore_floor(
    db: &Db,
    ended: &Ended,
    master_key: &[u8; 32],
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<(), DbError> {
    let now = clock.now();
    let master = &MasterKey::new(master_key);
    db.write(|tx| async move {
        let lifetimes = Lifetimes {
            access_s: LONGEST_ACCESS_S,
            ..Lifetimes::default()
        };
        let origin = Origin::new(&Actor::system("restore"), None);
        let leaves_at = rotation::leaves_at(&lifetimes, now);
        sessions::end_all(&tx, "restored", now).await?;
        // A token of this very second may be from before the restore.
        let mut entries = vec![Entry::floor(now.as_secs() + 1, "restored", &lifetimes, now)];
        let mut envelopes = Vec::new();
        for key in keys::keys_in(&tx).await? {
            if key.state != State::Revoked
                && keys::revoke(&tx, &key.kid, key.state, leaves_at).await?
            {
                entries.push(Entry::key(&key.kid, "restored", leaves_at, now));
            }
        }
        let fresh = signing::fresh(State::Active, master, now, entropy);
        keys::put_key(&tx, &fresh).await?;
        envelopes.push(events::key(&fresh, State::Active, &origin, now, entropy));
        for (client, at) in &ended.applications {
            if applications::delete(&tx, *client, *at).await? {
                entries.push(Entry::application_deleted(*client, &lifetimes, now));
                envelopes.push(events::application_end(
                    *client, None, *at, &origin, now, entropy,
                ));
            }
        }
        for (secret, at) in &ended.secrets {
            if let Some(client) = applications::end_secret(&tx, *secret, *at).await? {
                envelopes.push(events::application_end(
                    client,
                    Some(*secret),
                    *at,
                    &origin,
                    now,
                    entropy,
                ));
            }
        }
        stoa_feed::emit(&tx, envelopes).await?;
        let restored = AuditEntry::on_the_host(HOST, "installation.restore", now, entropy);
        audit::append(&tx, &restored).await?;
        events::revoke(&tx, &entries, &origin, entropy).await
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::Rpc;
    use crate::store::{MIGRATIONS, applications};
    use crate::testing::{EMAIL, PASSWORD, World};
    use std::sync::Arc;
    use stoa_proto::auth as pb;
    use stoa_proto::auth::auth_server::Auth as _;
    use stoa_proto::events::envelope::Payload;
    use stoa_testkit::engine::Place;
    use tonic::{Request, Status};

    /// A call before anybody is authenticated.
    fn call<M>(world: &World, message: M) -> Request<M> {
        let mut request = Request::new(message);
        request.extensions_mut().insert(world.nobody());
        request
    }

    async fn log_in(world: &World, rpc: &Rpc) -> Result<pb::TokenSet, Status> {
        let message = pb::GrantPasswordRequest {
            client_id: world.born.marketplace_client_id.to_string(),
            username: EMAIL.into(),
            password: PASSWORD.into(),
            source: String::new(),
        };
        let answer = rpc.grant_password(call(world, message)).await?;
        Ok(answer.into_inner())
    }

    async fn integration(world: &World, rpc: &Rpc, secret: &str) -> Result<(), Status> {
        let message = pb::GrantIntegrationRequest {
            client_id: world.born.integration_client_id.to_string(),
            client_secret: secret.into(),
            source: String::new(),
        };
        rpc.grant_integration(call(world, message)).await.map(drop)
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: security S47, security 2.6 (restore)
        async fn no_old_token_or_secret_works_after_a_restore(place: Place) {
            let db = place.open().await;
            let world = World::new(db.clone()).await;
            let rpc = Rpc(Arc::clone(&world.auth));
            let old = log_in(&world, &rpc).await.unwrap();
            let old_kid = world.auth.tokens.keys.ring().active().kid().to_owned();
            let (gone, _) = world.another_application(true).await;
            let secret = applications::application(&db, world.born.integration_client_id)
                .await
                .unwrap()
                .unwrap()
                .secrets[0]
                .id;
            let now = world.clock.now();
            let ended = Ended {
                applications: vec![(gone, now.plus_ms(-5000))],
                secrets: vec![(secret, now.plus_ms(60_000))],
            };
            for round in 1..=2_i64 {
                restore_floor(&db, &ended, &[7; 32], &*world.clock, &*world.entropy)
                    .await
                    .unwrap();
                let floors = world
                    .revoked()
                    .await
                    .into_iter()
                    .filter(|(kind, ..)| kind == "floor")
                    .count();
                assert_eq!(i64::try_from(floors).unwrap(), round);
            }
            let ends: Vec<_> = world
                .envelopes()
                .await
                .into_iter()
                .filter_map(|envelope| match envelope.payload {
                    Some(Payload::ApplicationEnd(end)) => {
                        Some((envelope.r#type, end.client_id, end.secret_id, end.ends_at_ms))
                    }
                    _ => None,
                })
                .collect();
            let integration_id = world.born.integration_client_id.to_string();
            assert_eq!(
                ends,
                [
                    ("application.deleted".into(), gone.to_string(), None, now.as_ms() - 5000),
                    (
                        "application.secret-ended".into(),
                        integration_id,
                        Some(secret.to_string()),
                        now.as_ms() + 60_000
                    ),
                ],
                "once, and with ids and times only"
            );

            let restarted = world.replica(place.open().await).await;
            let auth = Arc::clone(&restarted.0.auth);
            let rpc = Rpc(Arc::clone(&auth));
            assert!(auth.tokens.keys.ring().verifying(&old_kid).is_none());
            let refresh = pb::RefreshRequest {
                client_id: Some(world.born.marketplace_client_id.to_string()),
                refresh_token: old.refresh_token.unwrap(),
                source: String::new(),
            };
            assert!(rpc.refresh(call(&world, refresh)).await.is_err());
            let anonymous = |client: ClientId| pb::GrantAnonymousRequest {
                client_id: client.to_string(),
                client_secret: None,
            };
            assert!(rpc.grant_anonymous(call(&world, anonymous(gone))).await.is_err());

            // New ones work at once: the first second after the floor is theirs.
            let fresh = log_in(&world, &rpc).await.unwrap();
            let read = auth.tokens.read(&fresh.access_token, world.clock.now()).await;
            let read = read.unwrap().unwrap();
            let (refused, active) = crate::store::revocations::refuses(
                &db, &read.claims.jti, &read.kid, read.claims.sid.unwrap(), read.claims.iat,
                world.clock.now(),
            )
            .await
            .unwrap();
            assert!(!refused && active == read.kid && read.kid != old_kid);
            // A secret counts until its recorded end, and no longer.
            let text = &world.born.integration_client_secret;
            integration(&world, &rpc, text).await.unwrap();
            world.pass_s(60);
            assert!(integration(&world, &rpc, text).await.is_err());
        }
    }
}
