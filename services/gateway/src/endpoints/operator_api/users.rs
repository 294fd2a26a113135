//! `users/*` of the operator API.

use crate::call::Call;
use crate::endpoints::integration_api::users::{
    answer, change_permissions, change_profile, filters,
};
use crate::render::{Answer, Resource};
use crate::service::Users;
use stoa_proto::users::{User, UserCommandRequest};
use stoa_rpc::Problems;

/// Users by filter and state, deleted ones too when asked for.
pub(crate) async fn query(mut call: Call) -> Result<Answer, Problems> {
    let mut message = filters(&mut call);
    message.states = call.words("states");
    answer(call, message).await
}

/// Changes of anyone's profile.
pub(crate) async fn update_profile(mut call: Call) -> Result<Answer, Problems> {
    let reason = super::reason(&mut call);
    change_profile(call, reason).await
}

/// Changes of anyone's permissions.
pub(crate) async fn update_permissions(mut call: Call) -> Result<Answer, Problems> {
    let reason = super::reason(&mut call);
    change_permissions(call, reason).await
}

/// A user who waits for approval gets it.
pub(crate) async fn approve(call: Call) -> Result<Answer, Problems> {
    command(call, |mut users, request| async move {
        users.approve(request).await
    })
    .await
}

/// The end of every session of a user.
pub(crate) async fn revoke_sessions(call: Call) -> Result<Answer, Problems> {
    command(call, |mut users, request| async move {
        users.revoke_sessions(request).await
    })
    .await
}

/// A ban.
pub(crate) async fn ban(call: Call) -> Result<Answer, Problems> {
    command(call, |mut users, request| async move {
        users.ban(request).await
    })
    .await
}

/// Its end.
pub(crate) async fn unban(call: Call) -> Result<Answer, Problems> {
    command(call, |mut users, request| async move {
        users.unban(request).await
    })
    .await
}

/// The end of an account.
pub(crate) async fn delete(call: Call) -> Result<Answer, Problems> {
    command(call, |mut users, request| async move {
        users.delete(request).await
    })
    .await
}

async fn command<F, Fut>(mut call: Call, run: F) -> Result<Answer, Problems>
where
    F: FnOnce(Users, tonic::Request<UserCommandRequest>) -> Fut,
    Fut: Future<Output = Result<tonic::Response<User>, tonic::Status>>,
{
    let show = call.presentation();
    let id = call.body_id("id");
    let reason = super::reason(&mut call);
    call.finish()?;
    let request = call.credentials.request(UserCommandRequest { id, reason });
    let user = Call::ask(run(call.gateway.peers().users(), request)).await?;
    Ok(Answer::command(Resource::User(user), show))
}
