//! `operators/*`: the people who run the marketplace.

use crate::call::Call;
use crate::render::{Answer, Resource};
use stoa_codec::params::Name;
use stoa_proto::auth::{
    ChangeOperatorPasswordRequest, CreateOperatorRequest, DisableOperatorRequest,
    QueryOperatorsRequest, ResetOperatorPasswordRequest, StartOperatorPasswordResetRequest,
};
use stoa_rpc::Problems;

/// Operators, oldest first.
pub(crate) async fn query(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let message = QueryOperatorsRequest {
        page: Some(call.page()),
    };
    call.finish()?;
    let mut auth = call.gateway.peers().auth();
    let found = Call::ask(auth.query_operators(call.credentials.request(message))).await?;
    Ok(Answer::many(
        found.operators.into_iter().map(Resource::Operator),
        found.meta,
        show,
    ))
}

/// A new operator. It is shown in full whether that was asked for or not: nobody can ask for the
/// token again.
pub(crate) async fn create(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let message = CreateOperatorRequest {
        email: call.body.required("email").unwrap_or_default(),
        role: call
            .body
            .required::<Name>("role")
            .map(|name| name.0)
            .unwrap_or_default(),
    };
    call.finish()?;
    let mut auth = call.gateway.peers().auth();
    let made = Call::ask(auth.create_operator(call.credentials.request(message))).await?;
    Ok(Answer::one(Resource::Operator(made), show))
}

/// The end of an operator's access.
pub(crate) async fn disable(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let message = DisableOperatorRequest {
        id: call.body_id("id"),
        reason: super::reason(&mut call),
    };
    call.finish()?;
    let mut auth = call.gateway.peers().auth();
    let disabled = Call::ask(auth.disable_operator(call.credentials.request(message))).await?;
    Ok(Answer::command(Resource::Operator(disabled), show))
}

/// A token to choose a new password with; shown in full for the same reason.
pub(crate) async fn start_password_reset(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let message = StartOperatorPasswordResetRequest {
        id: call.body_id("id"),
    };
    call.finish()?;
    let mut auth = call.gateway.peers().auth();
    let request = call.credentials.request(message);
    let found = Call::ask(auth.start_operator_password_reset(request)).await?;
    Ok(Answer::one(Resource::Operator(found), show))
}

/// The own password.
pub(crate) async fn change_password(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let message = ChangeOperatorPasswordRequest {
        current_password: call.body.required("currentPassword").unwrap_or_default(),
        new_password: call.body.required("newPassword").unwrap_or_default(),
    };
    call.finish()?;
    let mut auth = call.gateway.peers().auth();
    let request = call.credentials.request(message);
    let changed = Call::ask(auth.change_operator_password(request)).await?;
    Ok(Answer::command(Resource::Operator(changed), show))
}

/// A new password by the token of a reset; needs no access token.
pub(crate) async fn reset_password(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let message = ResetOperatorPasswordRequest {
        token: call.body.required("token").unwrap_or_default(),
        new_password: call.body.required("newPassword").unwrap_or_default(),
    };
    call.finish()?;
    let mut auth = call.gateway.peers().auth();
    let request = call.credentials.request(message);
    let chosen = Call::ask(auth.reset_operator_password(request)).await?;
    // Who has the token learns whose it was, and nothing else.
    Ok(Answer::command(Resource::Operator(chosen), show).reference_only())
}
