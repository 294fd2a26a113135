//! Sign-up with e-mail and password: account, address, password, event and the mail that proves the
//! address in one transaction. It does not log in.

use super::fields::{Fields, merge_refused, no_name};
use super::{Cx, standing};
use crate::domain::profile::{Data, Profile};
use crate::domain::user::User;
use crate::domain::view;
use crate::error::Error;
use crate::{events, store};
use stoa_feed::projections::settings::access_of;
use stoa_policy::{Action, Resource, require};
use stoa_proto::users as pb;
use stoa_rpc::Caller;
use stoa_types::id::UserId;

pub(super) async fn create_current(
    cx: &Cx,
    caller: Caller,
    request: pb::CreateCurrentUserRequest,
) -> Result<pb::User, Error> {
    let all_settings = cx.all_settings_for(&caller).await?;
    let settings = access_of(&all_settings);
    let mut fields = Fields::of_body();
    let email = fields.email(&request.email);
    let password = fields.new_password("password", request.password, &all_settings);
    let first_name = fields.name("firstName", request.first_name);
    let last_name = fields.name("lastName", request.last_name);
    let display_name = fields.display_name(request.display_name);
    let bio = fields.bio(request.bio);
    let data = fields.data([
        request.public_data,
        request.protected_data,
        request.private_data,
        None,
    ]);
    let (email, password) = fields.finish_with(email.zip(password))?;
    let profile = Profile {
        first_name,
        last_name,
        display_name,
        bio,
        data: Data::default().merged(&data).map_err(merge_refused)?,
    };
    let id = UserId::random(&*cx.entropy);
    let user = User::new(id, &email, profile, settings, cx.clock.now());
    let password = no_name("password", password, user.account.as_ref(), &all_settings)?;
    let hash = cx.passwords.hash(password.into_text()).await?;
    let (caller, new, email, hash) = (&caller, &user, &email, hash.as_str());
    cx.db
        .write(|tx| async move {
            let actor = cx.caller_locked(&tx, caller).await?;
            let standing = standing(caller, settings, actor.as_ref());
            require(
                &caller.actor,
                Action::CreateCurrentUser,
                &standing,
                &Resource::None,
            )?;
            store::users::insert(&tx, new, hash).await?;
            if !store::addresses::take_primary(&tx, email.key(), new.id).await? {
                return Err(Error::EmailTaken);
            }
            // When too many mails went there, the account is made all the same; a later mail can
            // be asked for.
            cx.post(&tx).verify(new.id, email.key()).await?;
            cx.emit(&tx, caller, events::created(new, settings)).await
        })
        .await?;
    cx.mail_queued();
    Ok(view::current(&user, settings))
}

#[cfg(test)]
mod tests {
    use crate::MIGRATIONS;
    use crate::rpc::harness::*;
    use crate::rpc::{ban, delete};
    use stoa_db::{Db, accounting};
    use stoa_proto::events::resource;
    use stoa_proto::{auth, users as pb};

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: users 1, integration I4
        async fn a_new_user_is_active_unverified_and_announced(db: Db) {
            let world = World::new(db).await;
            let mut request = create_request(" Olli@x.io ");
            request.public_data = Some(r#"{"a":1,"gone":null}"#.into());
            let user = world.create(request).await.unwrap();
            assert_eq!(user.email.as_deref(), Some("Olli@x.io"));
            assert_eq!(
                (user.email_verified, user.state.as_deref()),
                (false, Some("active"))
            );
            assert_eq!(
                (user.pending_email, user.identity_providers.len()),
                (None, 0)
            );
            assert_eq!(user.created_at_ms, Some(world.now()));
            let all = Some(pb::Permissions {
                post_listings: true,
                initiate_transactions: true,
                read: true,
            });
            assert_eq!((user.permissions, user.effective_permissions), (all, all));
            let profile = user.profile.unwrap();
            assert_eq!(profile.display_name.as_deref(), Some("Olli F"));
            assert_eq!(profile.abbreviated_name.as_deref(), Some("OF"));
            assert_eq!(profile.public_data.as_deref(), Some(r#"{"a":1}"#));
            for data in [
                profile.protected_data,
                profile.private_data,
                profile.metadata,
            ] {
                assert_eq!(data.as_deref(), Some("{}"));
            }
            let (envelope, access, event) = world.last().await;
            assert_eq!(
                (envelope.r#type.as_str(), access.version),
                ("user.created", 1)
            );
            assert_eq!(envelope.actor.unwrap().client_id, client().to_string());
            let event = event.unwrap();
            assert_eq!(event.event_type, "user/created");
            assert_eq!(event.source, "source/marketplace-api");
            assert_eq!((event.previous, event.previous_paths.len()), (None, 0));
            assert_eq!(event.personal_of, std::slice::from_ref(&user.id));
            let Some(resource::Resource::User(shown)) = event.resource.unwrap().resource else {
                panic!("a user");
            };
            assert_eq!(
                (shown.id, shown.email.as_deref()),
                (user.id, Some("Olli@x.io"))
            );
        }

        // contract: users 3, users 33, users 37
        async fn an_address_is_taken_until_its_user_is_deleted(db: Db) {
            let world = World::new(db).await;
            let id = world.sign_up("A@x.io").await;
            let again = || world.create(create_request("a@X.io"));
            assert_eq!(refusal(again().await), "409 email-taken");
            ban::ban(&world.cx, world.operator(), command(id))
                .await
                .unwrap();
            assert_eq!(refusal(again().await), "409 email-taken");
            delete::delete(&world.cx, world.operator(), command(id))
                .await
                .unwrap();
            let fresh = again().await.unwrap();
            assert_ne!(fresh.id, id.to_string());
            assert_eq!((world.count().await, world.envelopes().await.len()), (2, 4));
        }

        // contract: security S40
        async fn two_at_once_do_not_get_one_address(db: Db) {
            let world = World::new(db).await;
            let (one, two) = tokio::join!(
                world.create(create_request("k@x.io")),
                world.create(create_request("\u{212A}@x.io")),
            );
            let (won, lost) = if one.is_ok() { (one, two) } else { (two, one) };
            won.unwrap();
            assert_eq!(refusal(lost), "409 email-taken");
            assert_eq!((world.count().await, world.envelopes().await.len()), (1, 1));
        }

        // contract: users 4, users 50
        async fn bad_input_is_refused_whole_and_makes_no_user(db: Db) {
            let world = World::new(db).await;
            let outcome = world
                .create(pb::CreateCurrentUserRequest {
                    email: "no-at-sign".into(),
                    password: "1234567".into(),
                    first_name: "Olli".into(),
                    private_data: Some(r#"{"a":"\u0000"}"#.into()),
                    ..pb::CreateCurrentUserRequest::default()
                })
                .await;
            let expected = ["email", "password", "lastName", "privateData"]
                .map(|name| format!("400 validation-invalid-value [Key({name:?})]"));
            assert_eq!(refusals(outcome), expected);
            assert_eq!(world.count().await, 0);
        }

        // contract: users 26
        async fn a_marketplace_can_ask_for_approval_and_permissions(db: Db) {
            let world = World::asking(
                db,
                auth::AccessControl {
                    require_approval_to_join: true,
                    require_permission_to_post_listings: true,
                    ..auth::AccessControl::default()
                },
            )
            .await;
            let user = world.create(create_request("a@x.io")).await.unwrap();
            assert_eq!(user.state.as_deref(), Some("pendingApproval"));
            assert!(!user.permissions.unwrap().post_listings);
            assert!(!user.effective_permissions.unwrap().initiate_transactions);
        }

        async fn a_sign_up_has_a_fixed_number_of_statements(db: Db) {
            let world = World::new(db).await;
            let (user, statements) =
                accounting::scope(world.create(create_request("a@x.io"))).await;
            user.unwrap();
            // Declared keys, account, address, token, mail, envelope, whose data it holds.
            assert_eq!(statements.count, 7);
        }
    }
}
