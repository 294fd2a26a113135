//! The caller's own account, also while banned.

use super::{Cx, me};
use crate::domain::view;
use crate::error::Error;
use stoa_policy::{Action, Denied, Resource, require};
use stoa_proto::users as pb;
use stoa_rpc::Caller;

pub(super) async fn show_current(
    cx: &Cx,
    caller: Caller,
    _: pb::ShowCurrentUserRequest,
) -> Result<pb::User, Error> {
    let id = me(&caller)?;
    let settings = cx.settings_for(&caller).await?;
    let loaded = cx.load(&caller, &[id]).await?;
    let standing = loaded.standing(&caller, settings);
    require(
        &caller.actor,
        Action::ShowCurrentUser,
        &standing,
        &Resource::None,
    )?;
    let user = loaded.get(id).ok_or(Denied::Forbidden)?;
    Ok(view::current(user, settings))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MIGRATIONS;
    use crate::rpc::harness::*;
    use crate::rpc::{ban, delete};
    use stoa_db::{Db, accounting};
    use stoa_types::id::UserId;

    async fn own(world: &World, id: UserId) -> Result<pb::User, Error> {
        show_current(&world.cx, world.user(id), pb::ShowCurrentUserRequest {}).await
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: users 33, users 35, users 51
        async fn the_own_account_is_there_while_banned_and_gone_when_deleted(db: Db) {
            let world = World::new(db).await;
            let id = world.sign_up("a@x.io").await;
            let (user, statements) = accounting::scope(own(&world, id)).await;
            assert_eq!(user.unwrap().view(), pb::UserView::Current);
            assert_eq!(statements.count, 1);
            ban::ban(&world.cx, world.operator(), command(id))
                .await
                .unwrap();
            let user = own(&world, id).await.unwrap();
            assert_eq!((user.banned, user.state.as_deref()), (true, Some("banned")));
            assert_eq!(user.email.as_deref(), Some("a@x.io"));
            delete::delete(&world.cx, world.operator(), command(id))
                .await
                .unwrap();
            assert_eq!(
                refusal(own(&world, id).await),
                "401 auth-invalid-access-token"
            );
            assert_eq!(refusal(own(&world, world.nobody()).await), "403 forbidden");
        }
    }
}
