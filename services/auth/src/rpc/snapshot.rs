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
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use stoa_db::Db;

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
    }
}
