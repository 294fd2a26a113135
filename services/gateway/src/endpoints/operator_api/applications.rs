//! `applications/*`: the clients of the token endpoint.

use crate::call::Call;
use crate::render::{Answer, Resource};
use stoa_codec::params::Name;
use stoa_proto::auth::{
    CreateApplicationRequest, DeleteApplicationRequest, QueryApplicationsRequest,
    RotateSecretRequest,
};
use stoa_rpc::Problems;

/// Applications, oldest first.
pub(crate) async fn query(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let message = QueryApplicationsRequest {
        page: Some(call.page()),
    };
    call.finish()?;
    let mut auth = call.gateway.peers().auth();
    let found = Call::ask(auth.query_applications(call.credentials.request(message))).await?;
    Ok(Answer::many(
        found.applications.into_iter().map(Resource::Application),
        found.meta,
        show,
    ))
}

/// A new application. It is shown in full whether that was asked for or not: nobody can ask for
/// its secret again.
pub(crate) async fn create(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let body = &mut call.body;
    let message = CreateApplicationRequest {
        kind: body
            .required::<Name>("kind")
            .map(|name| name.0)
            .unwrap_or_default(),
        name: body.required("name").unwrap_or_default(),
        redirect_uris: body.nullable("redirectUris").value().unwrap_or_default(),
        trusted: body.nullable("trusted").value(),
        actions: body.nullable("actions").value().unwrap_or_default(),
    };
    call.finish()?;
    let mut auth = call.gateway.peers().auth();
    let made = Call::ask(auth.create_application(call.credentials.request(message))).await?;
    Ok(Answer::one(Resource::Application(made), show))
}

/// The end of an application and of all its tokens.
pub(crate) async fn delete(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let message = DeleteApplicationRequest {
        id: call.body_id("id"),
    };
    call.finish()?;
    let mut auth = call.gateway.peers().auth();
    let deleted = Call::ask(auth.delete_application(call.credentials.request(message))).await?;
    Ok(Answer::command(Resource::Application(deleted), show))
}

/// A new secret; shown in full for the same reason.
pub(crate) async fn rotate_secret(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let message = RotateSecretRequest {
        id: call.body_id("id"),
        revoke_now: call.body.nullable("revokeNow").value().unwrap_or(false),
    };
    call.finish()?;
    let mut auth = call.gateway.peers().auth();
    let rotated = Call::ask(auth.rotate_secret(call.credentials.request(message))).await?;
    Ok(Answer::one(Resource::Application(rotated), show))
}
