//! Checks an e-mail address and a password for the token endpoint.
//!
//! Unknown, deleted and password-less accounts and wrong passwords are refused alike and after the
//! same work. A banned user may log in.

use super::{Cx, standing};
use crate::domain::email::Email;
use crate::domain::view;
use crate::error::Error;
use crate::store;
use stoa_policy::{Action, Resource, require};
use stoa_proto::users as pb;
use stoa_rpc::Caller;
use stoa_types::id::UserId;

pub(super) async fn check_password(
    cx: &Cx,
    caller: Caller,
    request: pb::CheckPasswordRequest,
) -> Result<pb::CheckPasswordResponse, Error> {
    let nobody = standing(&caller, cx.settings_if_known(), None);
    require(
        &caller.actor,
        Action::CheckPassword,
        &nobody,
        &Resource::None,
    )?;
    let found = match Email::parse(&request.email) {
        Ok(email) => store::users::login(&cx.db, email.key()).await?,
        Err(_) => None,
    };
    let (user, stored) = match found {
        Some((user, stored)) => (Some(user), stored),
        None => (None, None),
    };
    let password = request.password;
    let verified = cx
        .passwords
        .verify(password.clone(), stored.clone())
        .await?;
    let user = user.filter(|_| verified.ok);
    if let (Some(user), Some(stored), true) = (&user, stored, verified.needs_rehash)
        && let Err(error) = rehash(cx, user.id, stored, password).await
    {
        // The password is right all the same; the next login tries again.
        tracing::warn!(user.id = %user.id, error = %error, "A password was not hashed anew");
    }
    Ok(pb::CheckPasswordResponse {
        user: user.as_ref().map(view::access),
    })
}

/// Stores a hash of the present cost in the place of the one that was checked.
async fn rehash(cx: &Cx, id: UserId, stored: String, password: String) -> Result<(), Error> {
    let fresh = cx.passwords.hash(password).await?;
    let (stored, fresh) = (stored.as_str(), fresh.as_str());
    cx.db
        .write(|tx| async move {
            store::users::replace_password(&tx, id, stored, fresh)
                .await
                .map(drop)
        })
        .await
        .map_err(Error::Db)
}
