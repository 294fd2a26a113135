//! `password_reset/*`: a new password by a token that was mailed.

use crate::call::Call;
use crate::render::{Answer, Resource};
use stoa_proto::users::{RequestPasswordResetRequest, ResetPasswordRequest};
use stoa_rpc::Problems;

/// Mails the token. The answer never holds it.
pub(crate) async fn request(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let message = RequestPasswordResetRequest {
        email: call.body.required("email").unwrap_or_default(),
    };
    call.finish()?;
    let mut users = call.gateway.peers().users();
    let reset = Call::ask(users.request_password_reset(call.credentials.request(message))).await?;
    Ok(Answer::command(Resource::PasswordReset(reset.id), show))
}

/// Takes the token and the new password.
pub(crate) async fn reset(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let message = ResetPasswordRequest {
        email: call.body.required("email").unwrap_or_default(),
        token: call.body.required("passwordResetToken").unwrap_or_default(),
        new_password: call.body.required("newPassword").unwrap_or_default(),
    };
    call.finish()?;
    let mut users = call.gateway.peers().users();
    let reset = Call::ask(users.reset_password(call.credentials.request(message))).await?;
    Ok(Answer::command(Resource::PasswordReset(reset.id), show))
}
