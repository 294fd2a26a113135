//! An integration or an operator vouches for an address of a user: the same as the user's own proof.

use super::fields::{Fields, user_id};
use super::verify_current_email::store_verified;
use super::{Cx, standing};
use crate::domain::user::{User, Verified};
use crate::domain::view;
use crate::error::Error;
use crate::store;
use stoa_policy::{Action, Resource, UserState, require};
use stoa_proto::users as pb;
use stoa_rpc::Caller;
use stoa_types::SourceKind;

pub(super) async fn verify_email(
    cx: &Cx,
    caller: Caller,
    request: pb::VerifyUserEmailRequest,
) -> Result<pb::User, Error> {
    let mut fields = Fields::of_body();
    let email = fields.email(&request.email);
    let id = user_id(SourceKind::Body, &request.id).map_err(|problem| fields.note(problem));
    let (email, id) = fields.finish_with(email.zip(id.ok()))?;
    let settings = cx.settings_for(&caller).await?;
    let (caller, email) = (&caller, &email);
    let user = cx
        .db
        .write(|tx| async move {
            let user = store::users::user_locked(&tx, id).await?;
            let user = user.filter(|user| user.state() != UserState::Deleted);
            let resource = user.as_ref().map_or(Resource::None, User::resource);
            let standing = standing(caller, settings, None);
            require(&caller.actor, Action::VerifyUserEmail, &standing, &resource)?;
            let user = user.ok_or(Error::UserNotFound)?;
            match user.with_verified(|address| address == email.key()) {
                Verified::NotHeld => Err(Error::EmailNotFound),
                Verified::Already => Err(Error::EmailAlreadyVerified),
                verified @ (Verified::Primary(_) | Verified::Pending(_)) => {
                    store_verified(cx, &tx, caller, user, verified, settings).await
                }
            }
        })
        .await?;
    cx.mail_queued();
    Ok(view::full(&user, settings))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MIGRATIONS;
    use crate::rpc::delete;
    use crate::rpc::harness::*;
    use stoa_db::{Db, accounting};
    use stoa_types::id::UserId;

    async fn vouch(
        world: &World,
        caller: Caller,
        id: UserId,
        email: &str,
    ) -> Result<pb::User, Error> {
        let request = pb::VerifyUserEmailRequest {
            id: id.to_string(),
            email: email.to_owned(),
        };
        verify_email(&world.cx, caller, request).await
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: users 45, integration I4
        async fn the_primary_or_the_pending_address_counts_as_verified(db: Db) {
            let world = World::new(db).await;
            let id = world.sign_up("a@x.io").await;
            let outcome = vouch(&world, world.integration(), id, "b@x.io").await;
            assert_eq!(refusal(outcome), "409 email-not-found");
            let call = vouch(&world, world.integration(), id, " A@X.io");
            let (user, statements) = accounting::scope(call).await;
            assert!(user.unwrap().email_verified);
            // Row, next version, envelope, whose data it holds, mail.
            assert_eq!(statements.count, 5);
            let (_, _, event) = world.last().await;
            let event = event.unwrap();
            assert_eq!(event.source, "source/integration-api");
            assert_eq!(event.previous_paths, ["attributes.emailVerified"]);
            let welcome = world.mails().await.pop().unwrap();
            assert!(welcome.subject.starts_with("Welcome"));
            let outcome = vouch(&world, world.operator(), id, "a@x.io").await;
            assert_eq!(refusal(outcome), "409 email-already-verified");

            world.change_email(id, "new@x.io").await.unwrap();
            let user = vouch(&world, world.operator(), id, "NEW@x.io").await.unwrap();
            assert_eq!((user.email.as_deref(), user.pending_email), (Some("new@x.io"), None));
            assert!(world.logs_in("new@x.io", PASSWORD).await);
            world.sign_up("a@x.io").await;
        }

        async fn only_those_who_act_for_the_marketplace_vouch_for_users_that_are_there(db: Db) {
            let world = World::new(db).await;
            let id = world.sign_up("a@x.io").await;
            let outcome = vouch(&world, world.user(id), id, "a@x.io").await;
            assert_eq!(refusal(outcome), "403 forbidden");
            let outcome = vouch(&world, world.integration(), world.nobody(), "a@x.io").await;
            assert_eq!(refusal(outcome), "409 user-not-found");
            delete::delete(&world.cx, world.operator(), command(id)).await.unwrap();
            let outcome = vouch(&world, world.integration(), id, "a@x.io").await;
            assert_eq!(refusal(outcome), "409 user-not-found");
            let bad = pb::VerifyUserEmailRequest { id: "x".into(), email: "x".into() };
            let outcome = verify_email(&world.cx, world.integration(), bad).await;
            assert_eq!(
                refusals(outcome),
                ["email", "id"].map(|name| format!("400 validation-invalid-value [Key({name:?})]"))
            );
        }
    }
}
