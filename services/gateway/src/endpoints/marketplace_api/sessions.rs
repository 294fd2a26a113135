//! `sessions/*`: the own logins; and those of a user, for operators.

use crate::call::Call;
use crate::render::{Answer, Resource};
use stoa_proto::auth::{QuerySessionsRequest, RevokeSessionRequest};
use stoa_rpc::Problems;

/// The own living sessions, newest first.
pub(crate) async fn query(call: Call) -> Result<Answer, Problems> {
    answer(call, None).await
}

/// An own session ends.
pub(crate) async fn revoke(mut call: Call) -> Result<Answer, Problems> {
    let id = call.body_id("id");
    end(call, RevokeSessionRequest { id, reason: None }).await
}

/// Living sessions: the caller's own when no user is named.
pub(crate) async fn answer(mut call: Call, user_id: Option<String>) -> Result<Answer, Problems> {
    let show = call.presentation();
    let message = QuerySessionsRequest {
        page: Some(call.page()),
        user_id,
    };
    call.finish()?;
    let mut auth = call.gateway.peers().auth();
    let found = Call::ask(auth.query_sessions(call.credentials.request(message))).await?;
    Ok(Answer::many(
        found.sessions.into_iter().map(Resource::Session),
        found.meta,
        show,
    ))
}

/// The end of a session.
pub(crate) async fn end(mut call: Call, message: RevokeSessionRequest) -> Result<Answer, Problems> {
    let show = call.presentation();
    call.finish()?;
    let mut auth = call.gateway.peers().auth();
    let session = Call::ask(auth.revoke_session(call.credentials.request(message))).await?;
    Ok(Answer::command(Resource::Session(session), show))
}
