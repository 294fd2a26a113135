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
use zeroize::Zeroizing;

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
    let password = Zeroizing::new(request.password);
    let verified = cx
        .passwords
        .verify(password.to_string(), stored.clone())
        .await?;
    let user = user.filter(|_| verified.ok);
    if let (Some(user), Some(stored), true) = (&user, stored, verified.needs_rehash)
        && let Err(error) = rehash(cx, user.id, stored, password.to_string()).await
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MIGRATIONS;
    use crate::rpc::harness::*;
    use crate::rpc::{ban, delete};
    use std::sync::Arc;
    use stoa_credentials::{Cost, PasswordHasher};
    use stoa_db::{Db, accounting};
    use stoa_types::SeededEntropy;

    async fn check(world: &World, email: &str, password: &str) -> Option<pb::UserAccess> {
        let request = pb::CheckPasswordRequest {
            email: email.to_owned(),
            password: password.to_owned(),
        };
        let (answer, statements) =
            accounting::scope(check_password(&world.cx, world.system(), request)).await;
        assert!(statements.count <= 2);
        answer.unwrap().user
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: users 33, security S37
        async fn every_refusal_is_the_same(db: Db) {
            let world = World::new(db).await;
            let (id, gone) = (
                world.sign_up("a@x.io").await,
                world.sign_up("gone@x.io").await,
            );
            delete::delete(&world.cx, world.operator(), command(gone))
                .await
                .unwrap();
            for (email, password) in [
                ("a@x.io", "wrong horse"),
                ("b@x.io", PASSWORD),
                ("gone@x.io", PASSWORD),
                ("no address", PASSWORD),
                ("a\0@x.io", PASSWORD),
                ("", ""),
            ] {
                assert_eq!(check(&world, email, password).await, None, "{email:?}");
            }
            assert_eq!(
                check(&world, " A@X.io", PASSWORD).await.unwrap().user_id,
                id.to_string()
            );
            ban::ban(&world.cx, world.operator(), command(id))
                .await
                .unwrap();
            assert_eq!(
                check(&world, "a@x.io", PASSWORD).await.unwrap().state,
                "banned"
            );
            let request = pb::CheckPasswordRequest {
                email: "a@x.io".into(),
                password: PASSWORD.into(),
            };
            let outcome = check_password(&world.cx, world.anonymous(), request).await;
            assert_eq!(refusal(outcome), "403 forbidden");
        }

        // contract: security S36
        async fn a_login_renews_a_hash_of_another_cost(db: Db) {
            let mut world = World::new(db).await;
            let id = world.sign_up("a@x.io").await;
            let entropy = Arc::new(SeededEntropy::new(1));
            world.cx.passwords = PasswordHasher::new(Cost::Production, 1, entropy);
            assert!(check(&world, "a@x.io", PASSWORD).await.is_some());
            let (_, hash) = store::users::user_and_password(&world.cx.db, id)
                .await
                .unwrap()
                .unwrap();
            assert!(hash.unwrap().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
            let user = check(&world, "a@x.io", PASSWORD).await.unwrap();
            assert_eq!((user.version, world.envelopes().await.len()), (1, 1));
        }
    }
}
