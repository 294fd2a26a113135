//! One user: the public form of an active one for the marketplace, the full form for integrations
//! and operators. A deleted one is there for operators only.

use super::fields::{Fields, user_id};
use super::{Cx, standing};
use crate::domain::user::User;
use crate::domain::view;
use crate::error::Error;
use crate::store;
use stoa_policy::view::{View, of_related};
use stoa_policy::{Action, Level, Resource, UserState, require};
use stoa_proto::users as pb;
use stoa_proto::users::show_user_request::By;
use stoa_rpc::Caller;
use stoa_types::SourceKind;

pub(super) async fn show(
    cx: &Cx,
    caller: Caller,
    request: pb::ShowUserRequest,
) -> Result<pb::User, Error> {
    let form = of_related(&caller.actor);
    match request.by {
        Some(By::Email(text)) => {
            let mut fields = Fields::of_query();
            if form != View::Full {
                // Who may look up addresses could try them out.
                fields.disallowed("email");
            }
            let email = fields.email(&text);
            let email = fields.finish_with(email)?;
            let settings = cx.settings_for(&caller).await?;
            let standing = standing(&caller, settings, None);
            let found = store::users::by_email(&cx.db, email.key()).await?;
            let user = found.as_ref().filter(|user| is_there(user, &caller));
            let resource = user.map_or(Resource::None, User::resource);
            require(&caller.actor, Action::ShowUser, &standing, &resource)?;
            Ok(view::full(user.ok_or(Error::NotFound)?, settings))
        }
        by => {
            let text = by.map(|by| match by {
                By::Id(text) | By::Email(text) => text,
            });
            let id = user_id(SourceKind::Query, &text.unwrap_or_default())?;
            let settings = cx.settings_for(&caller).await?;
            let loaded = cx.load(&caller, &[id]).await?;
            let user = loaded.get(id).filter(|user| is_there(user, &caller));
            // Unknown and hidden are the same to the policy, so that they answer the same.
            let resource = user.map_or(Resource::User { id, public: false }, User::resource);
            let standing = loaded.standing(&caller, settings);
            require(&caller.actor, Action::ShowUser, &standing, &resource)?;
            let user = user.ok_or(Error::NotFound)?;
            Ok(view::related(user, form, settings))
        }
    }
}

/// Whether the user exists for this caller at all.
fn is_there(user: &User, caller: &Caller) -> bool {
    user.state() != UserState::Deleted || caller.actor.level == Level::Operator
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MIGRATIONS;
    use crate::rpc::harness::*;
    use crate::rpc::{ban, delete};
    use stoa_db::{Db, accounting};
    use stoa_proto::auth;
    use stoa_types::id::UserId;

    async fn by_id(world: &World, caller: Caller, id: UserId) -> Result<pb::User, Error> {
        let by = Some(By::Id(id.to_string()));
        show(&world.cx, caller, pb::ShowUserRequest { by }).await
    }

    async fn by_email(world: &World, caller: Caller, email: &str) -> Result<pb::User, Error> {
        let by = Some(By::Email(email.to_owned()));
        show(&world.cx, caller, pb::ShowUserRequest { by }).await
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: users 9, users 10, integration I4
        async fn each_caller_sees_the_form_that_is_theirs(db: Db) {
            let world = World::new(db).await;
            let (id, other) = (world.sign_up("a@x.io").await, world.sign_up("b@x.io").await);
            for caller in [world.anonymous(), world.user(other), world.user(id)] {
                let (user, statements) = accounting::scope(by_id(&world, caller, id)).await;
                let user = user.unwrap();
                assert_eq!(
                    (user.view(), user.email.as_deref()),
                    (pb::UserView::Public, None)
                );
                assert_eq!(user.profile.unwrap().private_data, None);
                assert_eq!(statements.count, 1);
            }
            for caller in [world.integration(), world.operator()] {
                let user = by_email(&world, caller, " A@X.io").await.unwrap();
                assert_eq!(
                    (user.view(), user.id.as_str()),
                    (pb::UserView::Full, &*id.to_string())
                );
                assert_eq!(user.email.as_deref(), Some("a@x.io"));
                assert!(user.effective_permissions.is_some());
                assert_eq!(user.profile.unwrap().private_data.as_deref(), Some("{}"));
            }
            let outcome = by_email(&world, world.user(other), "a@x.io").await;
            assert_eq!(
                refusal(outcome),
                "400 validation-disallowed-key [Key(\"email\")]"
            );
        }

        // contract: users 26, users 32, users 35
        async fn who_is_not_active_is_not_there(db: Db) {
            let world = World::new(db).await;
            let (id, other) = (world.sign_up("a@x.io").await, world.sign_up("b@x.io").await);
            ban::ban(&world.cx, world.operator(), command(id))
                .await
                .unwrap();
            let hidden = "404 not-found";
            assert_eq!(refusal(by_id(&world, world.anonymous(), id).await), hidden);
            assert_eq!(refusal(by_id(&world, world.user(id), id).await), hidden);
            assert!(by_id(&world, world.user(id), other).await.is_ok());
            assert_eq!(
                by_id(&world, world.integration(), id)
                    .await
                    .unwrap()
                    .state
                    .as_deref(),
                Some("banned")
            );
            delete::delete(&world.cx, world.operator(), command(id))
                .await
                .unwrap();
            for caller in [world.anonymous(), world.user(other), world.integration()] {
                assert_eq!(refusal(by_id(&world, caller, id).await), hidden);
            }
            assert_eq!(
                refusal(by_email(&world, world.operator(), "a@x.io").await),
                hidden
            );
            let gone = by_id(&world, world.operator(), id).await.unwrap();
            assert!(gone.deleted && gone.email.is_none() && gone.profile.is_none());
            assert_eq!(
                refusal(by_id(&world, world.user(id), other).await),
                "401 auth-invalid-access-token"
            );
            for caller in [world.anonymous(), world.operator()] {
                assert_eq!(refusal(by_id(&world, caller, world.nobody()).await), hidden);
            }
        }

        async fn someone_who_waits_for_approval_is_not_there_not_even_for_themself(db: Db) {
            let control = auth::AccessControl {
                require_approval_to_join: true,
                ..auth::AccessControl::default()
            };
            let world = World::asking(db, control).await;
            let id = world.sign_up("a@x.io").await;
            assert_eq!(
                refusal(by_id(&world, world.user(id), id).await),
                "404 not-found"
            );
            assert!(by_id(&world, world.integration(), id).await.is_ok());
        }

        async fn bad_parameters_are_named(db: Db) {
            let world = World::new(db).await;
            let none = show(
                &world.cx,
                world.anonymous(),
                pb::ShowUserRequest { by: None },
            )
            .await;
            assert_eq!(refusal(none), "400 validation-missing-key [Key(\"id\")]");
            let by = Some(By::Id("x".into()));
            let bad = show(&world.cx, world.anonymous(), pb::ShowUserRequest { by }).await;
            assert_eq!(refusal(bad), "400 validation-invalid-value [Key(\"id\")]");
            let bad = by_email(&world, world.integration(), "x").await;
            assert_eq!(
                refusal(bad),
                "400 validation-invalid-value [Key(\"email\")]"
            );
        }
    }
}
