//! Writes down that an operator moves the virtual clock, which the gateway's process then does.

use crate::Auth;
use crate::access;
use crate::audit;
use crate::error::Error;
use stoa_policy::Action;
use stoa_proto::auth::NoteClockAdvanceRequest;
use stoa_proto::types::Empty;
use stoa_rpc::Caller;

pub(super) async fn note_clock_advance(
    auth: &Auth,
    caller: Caller,
    request: NoteClockAdvanceRequest,
) -> Result<Empty, Error> {
    let caller = &caller;
    auth.db
        .write(|tx| async move {
            access::may_write(&tx, &caller.actor, Action::AdvanceClock).await?;
            let action = Action::AdvanceClock.name();
            audit::command(&tx, auth, caller, action, |entry| {
                let seconds = Some(request.seconds.into());
                entry.changed(None, &[("seconds", None, seconds)])
            })
            .await?;
            Ok::<(), Error>(())
        })
        .await?;
    Ok(Empty {})
}
