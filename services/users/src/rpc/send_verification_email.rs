//! The caller asks for one more verification mail: to the address that waits, else to the primary
//! one. Earlier tokens stay valid.

use super::{Cx, me, standing};
use crate::domain::email::EmailKey;
use crate::domain::view;
use crate::error::Error;
use crate::store;
use stoa_policy::{Action, Denied, Resource, require};
use stoa_proto::users as pb;
use stoa_rpc::Caller;

pub(super) async fn send_verification_email(
    cx: &Cx,
    caller: Caller,
    _: pb::SendVerificationEmailRequest,
) -> Result<pb::User, Error> {
    let id = me(&caller)?;
    let settings = cx.settings_for(&caller).await?;
    let caller = &caller;
    let user = cx
        .db
        .write(|tx| async move {
            let user = store::users::user_locked(&tx, id).await?;
            let standing = standing(caller, settings, user.as_ref());
            require(
                &caller.actor,
                Action::SendVerificationEmail,
                &standing,
                &Resource::None,
            )?;
            let user = user.ok_or(Denied::Forbidden)?;
            let account = user.account.as_ref().ok_or(Denied::Forbidden)?;
            let post = cx.post(&tx);
            let sent = match &account.pending_email {
                Some(pending) => {
                    post.verify_changed(id, &EmailKey::of_stored(pending))
                        .await?
                }
                None if account.email_verified => return Err(Error::EmailAlreadyVerified),
                None => {
                    post.verify(id, &EmailKey::of_stored(&account.email))
                        .await?
                }
            };
            match sent {
                true => Ok(user),
                false => Err(Error::TooManyVerificationRequests),
            }
        })
        .await?;
    cx.mail_queued();
    Ok(view::current(&user, settings))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MIGRATIONS;
    use crate::rpc::harness::*;
    use stoa_db::{Db, accounting};
    use stoa_types::id::UserId;

    async fn send(world: &World, id: UserId) -> Result<pb::User, Error> {
        let empty = pb::SendVerificationEmailRequest {};
        send_verification_email(&world.cx, world.user(id), empty).await
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: users 19, security S39
        async fn an_address_gets_five_mails_in_48_hours(db: Db) {
            let world = World::new(db).await;
            let id = world.sign_up("a@x.io").await;
            for _ in 0..4 {
                let (sent, statements) = accounting::scope(send(&world, id)).await;
                assert_eq!(sent.unwrap().version, 1);
                // Row, token, mail.
                assert_eq!(statements.count, 3);
            }
            for _ in 0..2 {
                let outcome = send(&world, id).await;
                assert_eq!(refusal(outcome), "429 email-too-many-verification-requests");
            }
            assert_eq!(world.mails().await.len(), 5);
            assert_eq!(world.envelopes().await.len(), 1);
            world.clock.advance_ms(48 * 60 * 60 * 1000);
            assert!(send(&world, id).await.is_ok());
        }

        async fn the_address_that_waits_comes_first_and_a_verified_one_gets_nothing(db: Db) {
            let world = World::new(db).await;
            let id = world.verified("a@x.io").await;
            let outcome = send(&world, id).await;
            assert_eq!(refusal(outcome), "409 email-already-verified");
            world.change_email(id, "new@x.io").await.unwrap();
            world.mails().await;
            send(&world, id).await.unwrap();
            let mails = world.mails().await;
            assert_eq!(mails.len(), 1);
            assert!(mails[0].to == "new@x.io" && mails[0].subject.contains("new e-mail address"));
        }
    }
}
