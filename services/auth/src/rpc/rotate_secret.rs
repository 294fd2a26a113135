//! A new secret for an application. The present one counts for another day, so that programs can
//! change over; two count at most. With `revokeNow` everything from before ends at once.

use super::SECRET_PREFIX;
use crate::Auth;
use crate::access;
use crate::audit;
use crate::domain::application::Secret;
use crate::domain::revocation::Entry;
use crate::error::Error;
use crate::events;
use crate::store::{applications, sessions};
use crate::view;
use stoa_credentials::secret;
use stoa_db::Tx;
use stoa_feed::Origin;
use stoa_policy::Action;
use stoa_proto::auth::{self as pb, RotateSecretRequest};
use stoa_rpc::Caller;
use stoa_types::Timestamp;
use stoa_types::id::ClientId;

/// How long a former secret still counts, in milliseconds.
const OVERLAP_MS: i64 = 86_400_000;

pub(super) async fn rotate_secret(
    auth: &Auth,
    caller: Caller,
    request: RotateSecretRequest,
) -> Result<pb::Application, Error> {
    let id = super::application_id(&request.id)?;
    let now = auth.real_clock.now();
    let text = secret::generate(SECRET_PREFIX, &*auth.entropy);
    let rotation = Rotation {
        id,
        fresh: Secret::new(&text, now, &*auth.entropy),
        revoke_now: request.revoke_now,
        origin: Origin::of(&caller),
        now,
    };
    let (caller, rotation) = (&caller, &rotation);
    let application = auth
        .db
        .write(|tx| async move {
            access::may_write(&tx, &caller.actor, Action::RotateSecret).await?;
            rotate(auth, &tx, rotation).await?;
            let action = Action::RotateSecret.name();
            audit::command(&tx, auth, caller, action, |entry| {
                let secret = rotation.fresh.id.to_string();
                let revoked = Some(rotation.revoke_now.into());
                entry.target("application", id).changed(
                    None,
                    &[
                        ("secret", None, Some(secret.into())),
                        ("revokeNow", None, revoked),
                    ],
                )
            })
            .await?;
            applications::application_in(&tx, id)
                .await?
                .ok_or(Error::UnknownApplication)
        })
        .await?;
    auth.applications.forget(id);
    Ok(pb::Application {
        client_secret: Some(text),
        ..view::application(&application, now)
    })
}

struct Rotation {
    id: ClientId,
    fresh: Secret,
    revoke_now: bool,
    origin: Origin,
    now: Timestamp,
}

async fn rotate(auth: &Auth, tx: &Tx, rotation: &Rotation) -> Result<(), Error> {
    let Rotation {
        id,
        fresh,
        revoke_now,
        origin,
        now,
    } = rotation;
    let (id, now) = (*id, *now);
    let epoch = applications::raise_epoch(tx, id, i64::from(*revoke_now))
        .await?
        .ok_or(Error::UnknownApplication)?;
    let before = applications::application_in(tx, id)
        .await?
        .ok_or(Error::UnknownApplication)?;
    let mut told = Vec::new();
    for old in before.secrets.iter().filter(|old| old.counts(now)) {
        // One that was ending already makes room.
        let ends_at = if *revoke_now || old.ends_at.is_some() {
            now
        } else {
            now.plus_ms(OVERLAP_MS)
        };
        if applications::end_secret(tx, old.id, ends_at)
            .await?
            .is_some()
        {
            let end =
                events::application_end(id, Some(old.id), ends_at, origin, now, &*auth.entropy);
            told.push(end);
        }
    }
    applications::put_secret(tx, id, fresh).await?;
    stoa_feed::emit(tx, told).await?;
    if *revoke_now {
        sessions::end_of_client(tx, id, "secret-revoked", now).await?;
        let entry = Entry::application_epoch(id, epoch, &auth.tokens.lifetimes, now);
        events::revoke(tx, &[entry], origin, &*auth.entropy).await?;
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::rpc::grant_integration::tests::grant;
    use crate::rpc::refresh::tests::refresh_of;
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use stoa_db::Db;
    use stoa_policy::Role;
    use stoa_proto::events::envelope::Payload;
    use stoa_types::Clock as _;

    pub(in crate::rpc) async fn run(
        world: &World,
        caller: &Caller,
        id: ClientId,
        revoke_now: bool,
    ) -> Told<pb::Application> {
        let request = RotateSecretRequest {
            id: id.to_string(),
            revoke_now,
        };
        told(rotate_secret(&world.auth, caller.clone(), request).await)
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: security S20, security S23
        async fn two_secrets_count_for_a_day_then_the_old_one_and_its_sessions_end(db: Db) {
            let world = World::new(db).await;
            let owner = world.operator(Role::Owner).await;
            let id = world.born.integration_client_id;
            let old = world.born.integration_client_secret.clone();
            let rotated = run(&world, &owner, id, false).await.unwrap();
            let new = rotated.client_secret.unwrap();
            assert_eq!(rotated.secrets.len(), 2);
            let ends: Vec<_> = rotated.secrets.iter().map(|s| s.ends_at_ms).collect();
            assert!(ends.contains(&Some(world.clock.now().as_ms() + 86_400_000)));
            assert!(ends.contains(&None));
            world.pass_s(86_399);
            let by_old = grant(&world, id, &old).await.unwrap();
            let by_new = grant(&world, id, &new).await.unwrap();
            world.pass_s(1);
            assert_eq!(refusal(grant(&world, id, &old).await).0, 401);
            assert_eq!(refusal(refresh_of(&world, Some(id), by_old.refresh_token).await).0, 401);
            assert!(refresh_of(&world, Some(id), by_new.refresh_token).await.is_ok());
            assert_eq!(world.revoked().await, [], "no token of before is refused");
        }

        // contract: security S20 (two live at most)
        async fn a_third_secret_ends_the_first_at_once(db: Db) {
            let world = World::new(db).await;
            let owner = world.operator(Role::Owner).await;
            let id = world.born.integration_client_id;
            let first = world.born.integration_client_secret.clone();
            let second = run(&world, &owner, id, false).await.unwrap().client_secret.unwrap();
            let third = run(&world, &owner, id, false).await.unwrap();
            assert_eq!(third.secrets.len(), 2);
            assert_eq!(refusal(grant(&world, id, &first).await).0, 401);
            assert!(grant(&world, id, &second).await.is_ok());
            assert!(grant(&world, id, &third.client_secret.unwrap()).await.is_ok());
            let ends: Vec<_> = world
                .envelopes()
                .await
                .into_iter()
                .filter_map(|e| match e.payload {
                    Some(Payload::ApplicationEnd(end)) => {
                        assert_eq!(e.r#type, "application.secret-ended");
                        Some(end.ends_at_ms - world.clock.now().as_ms())
                    }
                    _ => None,
                })
                .collect();
            // The first got a day, then nothing; the second got a day.
            assert_eq!(ends.len(), 3);
            assert_eq!(ends[0], 86_400_000);
            assert_eq!(ends[1] + ends[2], 86_400_000);
        }

        // contract: security 2.6 (secret rotated with revokeNow), security S13
        async fn revoke_now_ends_every_token_and_secret_from_before(db: Db) {
            let world = World::new(db).await;
            let owner = world.operator(Role::Owner).await;
            let id = world.born.integration_client_id;
            let old = world.born.integration_client_secret.clone();
            let tokens = grant(&world, id, &old).await.unwrap();
            let aep = world.claims(&tokens.access_token).aep;
            let rotated = run(&world, &owner, id, true).await.unwrap();
            assert_eq!(rotated.secrets.len(), 1);
            assert_eq!(refusal(grant(&world, id, &old).await).0, 401);
            assert_eq!(refusal(refresh_of(&world, Some(id), tokens.refresh_token).await).0, 401);
            assert_eq!(
                world.revoked().await,
                [("app".into(), id.to_string(), "secret-revoked".into())]
            );
            let again = grant(&world, id, &rotated.client_secret.unwrap()).await.unwrap();
            assert_eq!(world.claims(&again.access_token).aep, aep.map(|epoch| epoch + 1));
            assert!(refresh_of(&world, Some(id), again.refresh_token).await.is_ok());
        }

        async fn only_an_owner_rotates_and_only_what_is_there(db: Db) {
            let world = World::new(db).await;
            let staff = world.operator(Role::Staff).await;
            let id = world.born.integration_client_id;
            assert_eq!(refusal(run(&world, &staff, id, true).await).0, 403);
            let owner = world.operator(Role::Owner).await;
            let unknown = ClientId::random(&*world.entropy);
            let answer = refusal(run(&world, &owner, unknown, false).await);
            assert_eq!(answer, (409, "application-not-found".into()));
            assert!(grant(&world, id, &world.born.integration_client_secret).await.is_ok());
        }
    }
}
