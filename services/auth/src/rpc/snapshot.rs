//! Everything that a gateway needs to judge tokens, at one position of auth's feed.

use crate::Auth;
use crate::access;
use crate::error::Error;
use crate::store::{revocations, settings};
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
        keys: auth.tokens.keys.public().to_vec(),
        revocations: revocations::live(&auth.db, now).await?,
        settings: Some(settings::settings(&auth.db).await?),
        now_ms: now.as_ms(),
    })
}
