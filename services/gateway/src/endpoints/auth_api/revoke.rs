//! `POST /v1/auth/revoke`: the end of the caller's session (RFC 7009: an unknown token is a
//! success too).

use crate::call::{AuthCall, Call};
use serde_json::{Value, json};
use stoa_proto::auth::RevokeRequest;
use stoa_rpc::{Problem, Problems};

/// Ends the session of the given refresh token when it is the caller's own.
pub(crate) async fn revoke(call: AuthCall) -> Result<Value, Problems> {
    let refresh_token = call.form.required("token")?.to_owned();
    let credentials = call.caller.as_ref().ok_or_else(Problem::missing_token)?;
    let mut auth = call.gateway.peers().auth();
    Call::ask(auth.revoke(credentials.request(RevokeRequest { refresh_token }))).await?;
    Ok(json!({ "revoked": true }))
}
