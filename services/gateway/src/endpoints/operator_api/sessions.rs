//! `sessions/*` of the operator API.

use crate::call::Call;
use crate::endpoints::marketplace_api::sessions::{answer, end};
use crate::render::Answer;
use stoa_proto::auth::RevokeSessionRequest;
use stoa_rpc::Problems;

/// Living sessions of a user, newest first.
pub(crate) async fn query(mut call: Call) -> Result<Answer, Problems> {
    let user = call.required_id("userId");
    answer(call, Some(user)).await
}

/// Anybody's session ends.
pub(crate) async fn revoke(mut call: Call) -> Result<Answer, Problems> {
    let id = call.body_id("id");
    let reason: Option<String> = call.body.nullable("reason").value();
    if reason
        .as_ref()
        .is_some_and(|text| text.is_empty() || text.chars().count() > 500)
    {
        call.body.invalid("reason", "must have 1 to 500 characters");
    }
    end(call, RevokeSessionRequest { id, reason }).await
}
