//! `clock/advance`: the virtual clock of a development installation.

use crate::call::Call;
use crate::render::Answer;
use stoa_proto::auth::NoteClockAdvanceRequest;
use stoa_rpc::{Problem, Problems};

/// Longest step: ten years.
const MAX_SECONDS: i64 = 10 * 366 * 86_400;

/// Moves domain time forward and runs all that became due before it answers.
pub(crate) async fn advance(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let seconds = call
        .body
        .required_integer("seconds", 1..=MAX_SECONDS)
        .unwrap_or_default();
    call.finish()?;
    let Some(clock) = call.gateway.virtual_clock() else {
        return Err(Problem::not_found().into());
    };
    let mut auth = call.gateway.peers().auth();
    let message = NoteClockAdvanceRequest { seconds };
    Call::ask(auth.note_clock_advance(call.credentials.request(message))).await?;
    let now = clock
        .advance(seconds * 1000)
        .await
        .map_err(|_| Problem::unavailable())?;
    Ok(Answer::clock(now, show))
}
