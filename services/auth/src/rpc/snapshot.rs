//! Everything that a gateway needs to judge tokens, at one position of auth's feed.

use crate::Auth;
use crate::access;
use crate::error::Error;
use crate::signing::public_half;
use crate::store::{keys, revocations, settings};
use stoa_policy::Action;
use stoa_proto::auth::{SnapshotRequest, SnapshotResponse};
use stoa_rpc::Caller;

pub(super) async fn snapshot(
    auth: &Auth,
    caller: Caller,
    _: SnapshotRequest,
) -> Result<SnapshotResponse, Error> {
    access::may_read(auth, &caller, Action::AuthSnapshot).await?;
    // What the users service has already said must be in the answer, also after a long stop.
    auth.users_feed.catch_up().await?;
    auth.sequencer.pass().await?;
    // The position comes first: what is read after it may be newer, and is then told again.
    let position = auth.sequencer.progress().borrow().head;
    let now = auth.real_clock.now();
    Ok(SnapshotResponse {
        position,
        installation_id: auth.installation_id.to_string(),
        keys: keys::keys(&auth.db)
            .await?
            .iter()
            .map(public_half)
            .collect(),
        revocations: revocations::live(&auth.db, now).await?,
        settings: Some(settings::settings(&auth.db).await?),
        now_ms: now.as_ms(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::lifetimes::Lifetimes;
    use crate::domain::revocation::Entry;
    use crate::events;
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use futures::future::join_all;
    use prost::Message as _;
    use std::collections::HashSet;
    use stoa_db::Db;
    use stoa_feed::Origin;
    use stoa_policy::Actor;
    use stoa_proto::events::{Envelope, envelope::Payload};
    use stoa_testkit::engine::Place;
    use stoa_types::OsEntropy;
    use stoa_types::id::ClientId;

    async fn take(world: &World) -> SnapshotResponse {
        let taken = snapshot(&world.auth, world.nobody(), SnapshotRequest {}).await;
        told(taken).unwrap()
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: security S15
        async fn it_holds_what_the_users_service_said_before_the_request(db: Db) {
            let world = World::new(db).await;
            world.users.say("user.banned", |access| access.state = "banned".into()).await;
            let taken = take(&world).await;
            let kinds: Vec<_> = taken.revocations.iter().map(|r| r.state.as_str()).collect();
            assert_eq!(kinds, ["banned"]);
            assert_eq!(taken.keys.len(), 1);
            assert_eq!(taken.keys[0].state, "active");
            let settings = taken.settings.unwrap();
            assert_eq!((settings.version, settings.environment.as_str()), (1, "dev"));
            // settings.changed and key.promoted of the bootstrap, and the ban.
            assert_eq!(taken.position, 3);
            let head = world.row::<(i64,)>("SELECT head FROM sequencer").await;
            assert_eq!(head, (3,));
        }

        // contract: security S15 (two replicas)
        async fn either_replica_tells_everything_up_to_the_position_it_names(place: Place) {
            let world = World::new(place.open().await).await;
            let other = world.replica(place.open().await).await;
            let replicas = [&*world.auth, &*other.0.auth];
            let (now, lifetimes) = (world.auth.real_clock.now(), Lifetimes::default());
            // Writers at both, as fast as they can.
            let writing = join_all((0..40).map(|n| {
                let auth = replicas[n % 2];
                async move {
                    let client = ClientId::random(&OsEntropy);
                    let entry = [Entry::application_epoch(client, 1, &lifetimes, now)];
                    let (entry, origin) = (&entry, &Origin::new(&Actor::system("test"), None));
                    auth.db
                        .write(|tx| async move {
                            events::revoke(&tx, entry, origin, &OsEntropy).await
                        })
                        .await
                        .unwrap();
                }
            }));
            let at = async |auth: &Auth| {
                told(snapshot(auth, world.nobody(), SnapshotRequest {}).await).unwrap()
            };
            let taking = async {
                let mut taken = Vec::new();
                for n in 0..12 {
                    taken.push(at(replicas[n % 2]).await);
                }
                taken
            };
            let (mut taken, _) = tokio::join!(taking, writing);
            let last = [at(replicas[0]).await, at(replicas[1]).await];
            assert_eq!(last[0], last[1]);
            assert_eq!(last[0].revocations.len(), 40);
            taken.extend(last);
            let told: Vec<(i64, Vec<u8>)> =
                world.auth.db.all_as("SELECT position, envelope FROM outbox").await.unwrap();
            for snapshot in taken {
                let known: HashSet<&str> =
                    snapshot.revocations.iter().map(|entry| entry.key.as_str()).collect();
                for (position, envelope) in &told {
                    let envelope = Envelope::decode(envelope.as_slice()).unwrap();
                    if let Some(Payload::Revocation(entry)) = envelope.payload
                        && u64::try_from(*position).unwrap() <= snapshot.position
                    {
                        assert!(known.contains(&*entry.key), "{position} is missing");
                    }
                }
            }
        }
    }
}
