//! An integration or operator lets a user in who waits for approval. A user who is active already
//! stays as they are, so a job may ask twice.

use super::fields::user_id;
use super::{Cx, standing};
use crate::domain::user::User;
use crate::domain::view;
use crate::error::Error;
use crate::{events, store};
use stoa_policy::{Action, Resource, UserState, require};
use stoa_proto::users as pb;
use stoa_rpc::Caller;
use stoa_types::SourceKind;

pub(super) async fn approve(
    cx: &Cx,
    caller: Caller,
    request: pb::UserCommandRequest,
) -> Result<pb::User, Error> {
    let id = user_id(SourceKind::Body, &request.id)?;
    let settings = cx.settings_for(&caller).await?;
    let (caller, reason) = (&caller, &request.reason);
    let user = cx
        .db
        .write(|tx| async move {
            let user = store::users::user_locked(&tx, id).await?;
            let user = user.filter(|user| user.state() != UserState::Deleted);
            let resource = user.as_ref().map_or(Resource::None, User::resource);
            let standing = standing(caller, settings, None);
            require(&caller.actor, Action::ApproveUser, &standing, &resource)?;
            let user = user.ok_or(Error::UserNotFound)?;
            let approved = user.approved()?;
            if approved.version != user.version {
                store::users::replace(&tx, &approved).await?;
                let told = events::updated(&user, &approved, settings).reason(reason.clone());
                cx.emit(&tx, caller, told).await?;
                cx.post(&tx).approved(&approved).await?;
            } else {
                cx.note(&tx, caller, id, reason.clone()).await?;
            }
            Ok::<_, Error>(approved)
        })
        .await?;
    cx.mail_queued();
    Ok(view::full(&user, settings))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MIGRATIONS;
    use crate::rpc::ban;
    use crate::rpc::harness::*;
    use stoa_db::{Db, accounting};
    use stoa_proto::auth;

    fn joining_by_approval() -> auth::AccessControl {
        auth::AccessControl {
            require_approval_to_join: true,
            ..auth::AccessControl::default()
        }
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: users 27
        async fn an_approved_user_is_active_and_the_log_says_what_it_was(db: Db) {
            let world = World::asking(db, joining_by_approval()).await;
            let id = world.sign_up("a@x.io").await;
            let call = approve(&world.cx, world.integration(), command(id));
            let (user, statements) = accounting::scope(call).await;
            assert_eq!(user.unwrap().state.as_deref(), Some("active"));
            // Row, next version, envelope, and whom it is about, mail.
            assert_eq!(statements.count, 5);
            let (envelope, access, event) = world.last().await;
            assert_eq!(
                (envelope.r#type.as_str(), access.state.as_str(), access.version),
                ("user.updated", "active", 2)
            );
            let event = event.unwrap();
            assert_eq!(
                (event.event_type.as_str(), event.source.as_str()),
                ("user/updated", "source/integration-api")
            );
            assert_eq!(event.previous_paths, ["attributes.state"]);
            let previous = previous_user(&event);
            assert_eq!(previous.state.as_deref(), Some("pendingApproval"));

            let again = approve(&world.cx, world.operator(), command(id)).await;
            assert_eq!(again.unwrap().version, 2);
            // Nothing happened, which the audit log is told.
            let told = world.envelopes().await;
            assert_eq!((told.len(), told[2].r#type.as_str()), (3, "audit.recorded"));
        }

        // contract: users 27
        async fn an_approval_is_mailed_once_to_a_verified_address(db: Db) {
            let world = World::asking(db, joining_by_approval()).await;
            let (verified, other) = (
                world.verified("a@x.io").await,
                world.sign_up("b@x.io").await,
            );
            world.mails().await;
            for id in [verified, verified, other] {
                approve(&world.cx, world.integration(), command(id))
                    .await
                    .unwrap();
            }
            let mails = world.mails().await;
            let to: Vec<&str> = mails.iter().map(|mail| mail.to.as_str()).collect();
            assert_eq!(to, ["a@x.io"]);
            assert!(mails[0].text.contains("Olli"), "{mails:?}");
        }

        // contract: users section 6 (note on approve)
        async fn who_is_banned_gone_or_unknown_is_not_approved(db: Db) {
            let world = World::asking(db, joining_by_approval()).await;
            let (banned, gone) = (world.sign_up("a@x.io").await, world.sign_up("b@x.io").await);
            ban::ban(&world.cx, world.operator(), command(banned))
                .await
                .unwrap();
            world.delete(gone).await;
            for (id, code) in [
                (banned, "409 user-not-pending-approval"),
                (gone, "409 user-not-found"),
                (world.nobody(), "409 user-not-found"),
            ] {
                for caller in [world.integration(), world.operator()] {
                    let outcome = approve(&world.cx, caller, command(id)).await;
                    assert_eq!(refusal(outcome), code);
                }
            }
            for caller in [world.trusted(banned), world.anonymous()] {
                let outcome = approve(&world.cx, caller, command(banned)).await;
                assert_eq!(refusal(outcome), "403 forbidden");
            }
        }
    }
}
