//! `users/show`.

use crate::call::Call;
use crate::render::{Answer, Resource};
use stoa_proto::users::{ShowUserRequest, show_user_request::By};
use stoa_rpc::Problems;

/// The public form of a user in good standing.
pub(crate) async fn show(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let id = call.required_id("id");
    call.finish()?;
    let mut users = call.gateway.peers().users();
    let request = call.credentials.request(ShowUserRequest {
        by: Some(By::Id(id)),
    });
    let user = Call::ask(users.show(request)).await?;
    Ok(Answer::one(Resource::User(user), show))
}
