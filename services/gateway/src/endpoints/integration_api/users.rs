//! `users/*`. `show` serves the operator API too.

use crate::call::Call;
use crate::endpoints::marketplace_api::own_listings::patch;
use crate::render::{Answer, Resource};
use stoa_codec::params::{Body, Given, Name};
use stoa_proto::types::{DataFilter, TextPatch};
use stoa_proto::users::{
    ProfilePatch, QueryUsersRequest, ShowUserRequest, UpdateUserPermissionsRequest,
    UpdateUserProfileRequest, UserCommandRequest, VerifyUserEmailRequest, show_user_request::By,
};
use stoa_rpc::{Problem, Problems};
use stoa_types::ExtendedData;
use uuid::Uuid;

/// One user by id or by e-mail address.
pub(crate) async fn show(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let (id, email) = (call.optional_id("id"), call.optional::<String>("email"));
    let by = match (id, email) {
        (Some(id), None) => Some(By::Id(id)),
        (None, Some(email)) => Some(By::Email(email)),
        (Some(_), Some(_)) | (None, None) => {
            call.query.refuse(Problem::invalid_params(
                "exactly one of id and email is needed",
            ));
            None
        }
    };
    call.finish()?;
    let mut users = call.gateway.peers().users();
    let user = Call::ask(users.show(call.credentials.request(ShowUserRequest { by }))).await?;
    Ok(Answer::one(Resource::User(user), show))
}

/// Users by filter.
pub(crate) async fn query(mut call: Call) -> Result<Answer, Problems> {
    let message = filters(&mut call);
    answer(call, message).await
}

/// The filters that the operator API shares. A filter on a key without search schema is ignored.
pub(crate) fn filters(call: &mut Call) -> QueryUsersRequest {
    let mut filters = Vec::new();
    for prefix in ["pub", "prot", "priv", "meta"] {
        for (key, value) in call.query.with_prefix(&format!("{prefix}_")) {
            filters.push(DataFilter {
                prefix: prefix.to_owned(),
                key,
                value,
            });
        }
    }
    QueryUsersRequest {
        filters,
        page: Some(call.page()),
        created_at_start_ms: call.instant("createdAtStart"),
        created_at_end_ms: call.instant("createdAtEnd"),
        sort: call.words("sort"),
        states: Vec::new(),
    }
}

pub(crate) async fn answer(mut call: Call, message: QueryUsersRequest) -> Result<Answer, Problems> {
    let show = call.presentation();
    call.finish()?;
    let mut users = call.gateway.peers().users();
    let found = Call::ask(users.query(call.credentials.request(message))).await?;
    Ok(Answer::many(
        found.users.into_iter().map(Resource::User),
        found.meta,
        show,
    ))
}

/// Changes of anyone's profile.
pub(crate) async fn update_profile(call: Call) -> Result<Answer, Problems> {
    change_profile(call, None).await
}

/// The same for callers who may say why.
pub(crate) async fn change_profile(
    mut call: Call,
    reason: Option<String>,
) -> Result<Answer, Problems> {
    let show = call.presentation();
    let id = call.body_id("id");
    let patch = Some(profile_patch(&mut call.body, true));
    call.finish()?;
    let mut users = call.gateway.peers().users();
    let message = UpdateUserProfileRequest { id, patch, reason };
    let user = Call::ask(users.update_profile(call.credentials.request(message))).await?;
    Ok(Answer::command(Resource::User(user), show))
}

/// A user who waits for approval gets it.
pub(crate) async fn approve(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let id = call.body_id("id");
    call.finish()?;
    let mut users = call.gateway.peers().users();
    let message = UserCommandRequest { id, reason: None };
    let user = Call::ask(users.approve(call.credentials.request(message))).await?;
    Ok(Answer::command(Resource::User(user), show))
}

/// Changes of anyone's permissions.
pub(crate) async fn update_permissions(call: Call) -> Result<Answer, Problems> {
    change_permissions(call, None).await
}

/// The same for callers who may say why. Permissions stand beside the id; some clients put them
/// into a map `permissions`, which counts less.
pub(crate) async fn change_permissions(
    mut call: Call,
    reason: Option<String>,
) -> Result<Answer, Problems> {
    let show = call.presentation();
    let id = call.body_id("id");
    let nested = call.body.nullable_map("permissions", permissions).value();
    let [post, initiate, read] = permissions(&mut call.body);
    let [nested_post, nested_initiate, nested_read] = nested.unwrap_or_default();
    call.finish()?;
    let message = UpdateUserPermissionsRequest {
        id,
        post_listings: post.or(nested_post),
        initiate_transactions: initiate.or(nested_initiate),
        read: read.or(nested_read),
        reason,
    };
    let mut users = call.gateway.peers().users();
    let user = Call::ask(users.update_permissions(call.credentials.request(message))).await?;
    Ok(Answer::command(Resource::User(user), show))
}

/// `postListings`, `initiateTransactions` and `read`: true for `permission/allow`.
fn permissions(body: &mut Body) -> [Option<bool>; 3] {
    ["postListings", "initiateTransactions", "read"].map(|key| {
        let Name(name) = body.optional(key)?;
        match name.as_str() {
            "permission/allow" => Some(true),
            "permission/deny" => Some(false),
            _ => {
                body.invalid(key, "must be permission/allow or permission/deny");
                None
            }
        }
    })
}

/// An address of a user counts as verified.
pub(crate) async fn verify_email(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let message = VerifyUserEmailRequest {
        id: call.body_id("id"),
        email: call.body.required("email").unwrap_or_default(),
    };
    call.finish()?;
    let mut users = call.gateway.peers().users();
    let user = Call::ask(users.verify_email(call.credentials.request(message))).await?;
    Ok(Answer::command(Resource::User(user), show))
}

/// The fields of a profile; `metadata` only where the API has it. An object given as null counts
/// as not given.
pub(crate) fn profile_patch(body: &mut Body, metadata: bool) -> ProfilePatch {
    let data = |given: Given<ExtendedData>| given.value().map(|data| data.to_json());
    ProfilePatch {
        first_name: body.optional("firstName"),
        last_name: body.optional("lastName"),
        display_name: patch(body.nullable("displayName"), |value| TextPatch { value }),
        bio: patch(body.nullable("bio"), |value| TextPatch { value }),
        public_data: data(body.nullable("publicData")),
        protected_data: data(body.nullable("protectedData")),
        private_data: data(body.nullable("privateData")),
        metadata: if metadata {
            data(body.nullable("metadata"))
        } else {
            None
        },
        profile_image_id: patch(body.nullable::<Uuid>("profileImageId"), |value| TextPatch {
            value: value.map(|id| id.to_string()),
        }),
    }
}
