//! `current_user/*`: the caller's own account.

use crate::call::Call;
use crate::endpoints::integration_api::users::profile_patch;
use crate::render::{Answer, Resource};
use stoa_codec::Value;
use stoa_proto::users::{
    ChangeEmailRequest, ChangePasswordRequest, CreateCurrentUserRequest, DeleteCurrentUserRequest,
    SendVerificationEmailRequest, ShowCurrentUserRequest, UpdateCurrentProfileRequest,
    VerifyCurrentEmailRequest,
};
use stoa_rpc::Problems;
use stoa_types::ExtendedData;

/// The own account in full.
pub(crate) async fn show(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    call.finish()?;
    let mut users = call.gateway.peers().users();
    let user =
        Call::ask(users.show_current(call.credentials.request(ShowCurrentUserRequest {}))).await?;
    Ok(Answer::one(Resource::User(user), show))
}

/// Sign-up; it does not log in.
pub(crate) async fn create(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let body = &mut call.body;
    let data = |given: Option<ExtendedData>| given.map(|data| data.to_json());
    let message = CreateCurrentUserRequest {
        email: body.required("email").unwrap_or_default(),
        password: body.required("password").unwrap_or_default(),
        first_name: body.required("firstName").unwrap_or_default(),
        last_name: body.required("lastName").unwrap_or_default(),
        display_name: body.nullable("displayName").value(),
        bio: body.nullable("bio").value(),
        public_data: data(body.nullable("publicData").value()),
        protected_data: data(body.nullable("protectedData").value()),
        private_data: data(body.nullable("privateData").value()),
    };
    call.finish()?;
    let mut users = call.gateway.peers().users();
    let user = Call::ask(users.create_current(call.credentials.request(message))).await?;
    Ok(Answer::command(Resource::User(user), show))
}

/// Changes of the own profile.
pub(crate) async fn update_profile(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let patch = profile_patch(&mut call.body, false);
    call.finish()?;
    let mut users = call.gateway.peers().users();
    let message = UpdateCurrentProfileRequest { patch: Some(patch) };
    let user = Call::ask(users.update_current_profile(call.credentials.request(message))).await?;
    Ok(Answer::command(Resource::User(user), show))
}

/// A new password; the current one proves the person.
pub(crate) async fn change_password(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let message = ChangePasswordRequest {
        current_password: call.body.required("currentPassword").unwrap_or_default(),
        new_password: call.body.required("newPassword").unwrap_or_default(),
    };
    call.finish()?;
    let mut users = call.gateway.peers().users();
    let user = Call::ask(users.change_password(call.credentials.request(message))).await?;
    Ok(Answer::command(Resource::User(user), show))
}

/// Another address; the current password proves the person.
pub(crate) async fn change_email(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let message = ChangeEmailRequest {
        current_password: call.body.required("currentPassword").unwrap_or_default(),
        email: call.body.required("email").unwrap_or_default(),
    };
    call.finish()?;
    let mut users = call.gateway.peers().users();
    let user = Call::ask(users.change_email(call.credentials.request(message))).await?;
    Ok(Answer::command(Resource::User(user), show))
}

/// The proof of an address. A token may come as a number: clients take it from a query string and
/// read what looks like one.
pub(crate) async fn verify_email(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let token = match call.body.required("verificationToken") {
        Some(Value::String(text)) => text,
        Some(Value::Integer(number)) => number.to_string(),
        Some(Value::Double(number)) => number.to_string(),
        Some(Value::Number(text)) => text,
        Some(_) => {
            call.body.invalid("verificationToken", "must be a string");
            String::new()
        }
        None => String::new(),
    };
    call.finish()?;
    let mut users = call.gateway.peers().users();
    let message = VerifyCurrentEmailRequest { token };
    let user = Call::ask(users.verify_current_email(call.credentials.request(message))).await?;
    Ok(Answer::command(Resource::User(user), show))
}

/// One more mail with a token.
pub(crate) async fn send_verification_email(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    call.finish()?;
    let mut users = call.gateway.peers().users();
    let message = SendVerificationEmailRequest {};
    let user = Call::ask(users.send_verification_email(call.credentials.request(message))).await?;
    Ok(Answer::command(Resource::User(user), show))
}

/// The end of the own account.
pub(crate) async fn delete(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let current_password = call.body.required("currentPassword").unwrap_or_default();
    // No payment provider keeps an account yet, so there is none to delete along.
    let _: Option<bool> = call.body.nullable("deleteFromStripe").value();
    call.finish()?;
    let mut users = call.gateway.peers().users();
    let message = DeleteCurrentUserRequest { current_password };
    let user = Call::ask(users.delete_current(call.credentials.request(message))).await?;
    Ok(Answer::command(Resource::User(user), show))
}
